"""A loopback server with TLS. Its certificates are its own, for `localhost` only, and its key is no secret."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBYDCCAQegAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABBf5rVSsN/XGDrne
0In1aopx8uvlL52eKIiFdvcrSbJqi3DrECkmRIs9x7c0cLAlX53zX1tqQwTNs96f
dZcfhgSjSDBGMBQGA1UdEQQNMAuCCWxvY2FsaG9zdDAPBgNVHRMBAf8EBTADAQH/
MB0GA1UdDgQWBBQ8K9VdaFj/d6vtK8QIIl95Qh/D+DAKBggqhkjOPQQDAgNHADBE
AiAb5Z3GzX18PIkFjd2S/LBl9sh7rG0X4BfkKN0Oze7r3wIgFt2574WmibATrjeq
ZNmSOP7TnBPPRIVCloPjzKBI0F0=
-----END CERTIFICATE-----
"""
"""Valid from 2020 to 2120."""
EXPIRED = """\
-----BEGIN CERTIFICATE-----
MIIBYDCCAQWgAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwHhcNMDAwMTAxMDAwMDAwWhcNMDEwMTAxMDAwMDAwWjAUMRIwEAYDVQQDDAls
b2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQX+a1UrDf1xg653tCJ
9WqKcfLr5S+dniiIhXb3K0myaotw6xApJkSLPce3NHCwJV+d819bakMEzbPen3WX
H4YEo0gwRjAUBgNVHREEDTALgglsb2NhbGhvc3QwDwYDVR0TAQH/BAUwAwEB/zAd
BgNVHQ4EFgQUPCvVXWhY/3er7SvECCJfeUIfw/gwCgYIKoZIzj0EAwIDSQAwRgIh
AK1MNZzmr+fGCgs7jVEWkNeF7vlxhF7w1kIp0BnYMfwiAiEA8z2KdFMalNoE7ihJ
1ZU6/V4ixFwp65wxhGbwL9FSb7w=
-----END CERTIFICATE-----
"""
"""Valid in the year 2000."""
_KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg6gUQsU5xnNyPqfhy
1RpiUAoabqccH5/CiKYOwq6qk6ihRANCAAQX+a1UrDf1xg653tCJ9WqKcfLr5S+d
niiIhXb3K0myaotw6xApJkSLPce3NHCwJV+d819bakMEzbPen3WXH4YE
-----END PRIVATE KEY-----
"""


@asynccontextmanager
async def serve_tls(folder: Path, certificate: str, response: bytes) -> AsyncIterator[int]:
    """Respond to every request on a port of `localhost`. The certificate is in the file `own.pem` of the folder."""
    file = folder / "own.pem"
    file.write_text(certificate + _KEY, encoding="ascii")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)

    writers = []

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response)
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for writer in writers:
            writer.transport.abort()  # a client that has ended takes no part in the end of TLS
        await asyncio.sleep(0)
