"""`kellyapi request`: send a request to a path that has no command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arguments import named_value

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from kellyapi import Response

    from ..output import Output, UploadDisplay

HELP = "Send a request to any path of a provider"
OPTIONS = ("output", "force", "timeout", "sandbox")
EXAMPLES = (
    "kellyapi --sandbox request skytells GET /models",
    "kellyapi --sandbox request khaya POST /v1/translate --json - < body.json",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the provider, the method, the path, the body and the query."""
    parser.add_argument("to", metavar="PROVIDER", help="khaya, kelly, skytells or aerostack")
    parser.add_argument("method", metavar="METHOD", help="GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS")
    parser.add_argument("path", metavar="PATH", help="below the address of the provider, such as /models")
    parser.add_argument("--json", dest="body", metavar="JSON", help="the body of the request, or - for standard input")
    parser.add_argument("--data", metavar="FILE", help="a file as the body of the request")
    parser.add_argument(
        "--query",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        type=named_value,
        help="a parameter of the query, may be repeated",
    )
    parser.epilog = (
        "The command adds the key. Only GET and HEAD are sent again if the first attempt may have been carried out."
        f"\n\n{parser.epilog}"
    )


def run(arguments: Namespace, output: Output) -> None:
    """Print the response, or write it to a file."""
    import asyncio
    from pathlib import Path

    from ..inputs import read_text
    from ..output_files import check_output_file
    from ..service_call import check_provider

    check_provider(arguments.to, "PROVIDER")
    check_output_file(arguments)
    body = None if arguments.body is None else _read_json(read_text(arguments.body))
    data = None if arguments.data is None else Path(arguments.data)
    with output.spinner(arguments.path) as display:
        response = asyncio.run(_send(arguments, body, data, display))
    asyncio.run(_show(response, arguments, output))


def _read_json(text: str) -> object:
    from ..arguments import parse_json

    try:
        body = parse_json(text)
    except ValueError as error:
        raise ValueError(f"--json must be JSON: {error}") from None
    if body is None:
        raise ValueError("--json must not be null, which would send no body")
    return body


async def _send(arguments: Namespace, body: object, data: Any, display: UploadDisplay) -> Response:
    from kellyapi import KellyAPI, Response

    from ..service_call import call_options

    query: dict[str, list[str]] = {}
    for name, value in arguments.query:
        query.setdefault(name, []).append(value)
    options = call_options(arguments)
    async with KellyAPI.sandbox(**options) if arguments.sandbox else KellyAPI(**options) as api:
        client = getattr(api, arguments.to).with_options(on_upload=display.show_upload)
        response: Response = await client.request(
            arguments.method, arguments.path, json=body, data=data, query=query, into=Response
        )
    return response


async def _show(response: Response, arguments: Namespace, output: Output) -> None:
    """Write the body unchanged. A terminal gets printable text, or the name of the file that the body is saved in."""
    import sys
    from pathlib import Path

    from kellyapi import save_file

    from ..output_files import STANDARD_STREAM, ending_of, free_path, save_paid

    async def save(path: Path) -> Path:
        return await save_file(path, response.body)

    text = _as_text(response)
    if arguments.output not in (None, STANDARD_STREAM):
        print(await save_paid(save, Path(arguments.output)))
    elif not sys.stdout.isatty() or arguments.output:
        sys.stdout.flush()
        sys.stdout.buffer.write(response.body)
    elif text is not None:
        print(text)
    else:
        print(await save_paid(save, free_path(Path(f"response{ending_of(response.content_type)}"))))


def _as_text(response: Response) -> str | None:
    """Return the body for a terminal: JSON with indents, or text; `None` if it is neither."""
    import json

    from ..arguments import parse_json
    from ..formatting import printable

    try:
        text = response.body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    try:
        return printable(json.dumps(parse_json(text), ensure_ascii=False, indent=2))
    except ValueError:
        return None if "\0" in text else printable(text)
