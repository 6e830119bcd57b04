"""Files in the input of a prediction, which are sent as `data:` URLs."""

from __future__ import annotations

import asyncio
import base64
import copy
import io
import json
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import field, frozen
from PIL import Image as Picture
from servers import AT_ONCE, Server, make_response

from kellyapi import Base64, Image, Prediction, PredictionRequest, Result, Skytells, Speech, TransportError, Video
from kellyapi._data.embedded_files import MAX_FILE_BYTES, MAX_TOTAL_BYTES

CREATED = make_response(body=b'{"id": "a1", "status": "succeeded", "output": ["https://d.example/a.png"]}')
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(28)


def png(color: str = "red", mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Picture.new(mode, (5, 4), color).save(file, "PNG")
    return file.getvalue()


PNG = png()


def url(data: bytes, mime: str = "image/png") -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


@frozen
class Clip(Result):
    """A result that is a file, as those of videos and music are."""

    mime: str
    video: bytes = field(repr=False)


class Upload:
    """An upload of a web framework."""

    filename = "a.webm"
    content_type = "audio/webm; codecs=opus"

    def __init__(self, data: bytes) -> None:
        self.rest = io.BytesIO(data)

    async def read(self, size: int = -1) -> bytes:
        return self.rest.read(size)


def on_disk(folder: Path, data: bytes = PNG, name: str = "fox.png") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


async def sent(server: Server, place: int = 0) -> Any:
    await server.until(lambda: len(server.requests) > place)
    return json.loads(server.requests[place].body)


SOURCES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "bytes": (lambda _: PNG, url(PNG)),
    "bytearray": (lambda _: bytearray(WAV), url(WAV, "audio/wav")),
    "memoryview": (lambda _: memoryview(PNG), url(PNG)),
    "path": (on_disk, url(PNG)),
    "open file": (lambda folder: on_disk(folder).open("rb"), url(PNG)),
    "file in memory": (lambda _: io.BytesIO(PNG), url(PNG)),
    "upload": (lambda _: Upload(b"\x1aE\xdf\xa3webm"), url(b"\x1aE\xdf\xa3webm", "audio/webm")),
    "iterator": (lambda _: iter([PNG[:7], PNG[7:]]), url(PNG)),
    "Pillow": (lambda _: Picture.new("RGB", (5, 4), "red"), url(PNG)),
    "colours": (lambda _: np.full((4, 5, 3), (255, 0, 0), np.uint8), url(PNG)),
    "greys": (lambda _: np.zeros((4, 5), np.uint8), url(png("black", "L"))),
    "transparent": (lambda _: np.zeros((5, 4, 4), np.uint8).swapaxes(0, 1), url(png("#0000", "RGBA"))),
    "Image": (lambda _: Image(data=PNG, mime="image/png", provider="kelly"), url(PNG)),
    "Speech": (lambda _: Speech(audio=WAV, mime="audio/wav", language="eng", provider="khaya"), url(WAV, "audio/wav")),
    "Video": (lambda _: Video(data=b"film", mime="video/mp4", provider="skytells"), url(b"film", "video/mp4")),
    "another result": (lambda _: Clip("video/mp4", b"film"), url(b"film", "video/mp4")),
    "Base64": (lambda _: Base64(base64.b64encode(PNG).decode()), url(PNG)),
    "PDF": (lambda folder: on_disk(folder, b"%PDF-1.7", "a.pdf"), url(b"%PDF-1.7", "application/pdf")),
    "unknown": (lambda _: b"something", url(b"something", "application/octet-stream")),
}


@pytest.mark.parametrize("name", SOURCES)
async def test_each_kind_of_file_is_sent_as_a_data_url_of_its_type(name: str, tmp_path: Path) -> None:
    make, right = SOURCES[name]
    async with Server(CREATED) as server, Skytells("key", base_url=server.url) as skytells:
        source = make(tmp_path)
        await skytells.predictions.create("m", {"prompt": "a fox", "image": source})
        if isinstance(source, io.IOBase):
            source.close()
        assert await sent(server) == {"model": "m", "input": {"prompt": "a fox", "image": right}, "await": False}


async def test_files_anywhere_in_an_input_are_sent_and_the_input_is_not_changed(tmp_path: Path) -> None:
    path, file = on_disk(tmp_path), io.BytesIO(WAV)
    given = {"a": [path, {"b": (1, PNG, None)}], "text": str(path), "c": {"d": [[file]]}, "e": file, "f": "data:,x"}
    before = {**copy.copy(given), "a": list(given["a"])}
    async with Server(CREATED) as server, Skytells("key", base_url=server.url) as skytells:
        await skytells.predictions.create("m", given)
        assert (await sent(server))["input"] == {
            "a": [url(PNG), {"b": [1, url(PNG), None]}],
            "text": str(path),
            "c": {"d": [[url(WAV, "audio/wav")]]},
            "e": url(WAV, "audio/wav"),
            "f": "data:,x",
        }
    assert given == before


Create = Callable[[Skytells, dict[str, Any]], Awaitable[Any]]
WAYS: dict[str, Create] = {
    "create": lambda skytells, input: skytells.predictions.create("m", input),
    "create_many": lambda skytells, input: skytells.predictions.create_many([PredictionRequest("m", input)]),
    "predictions.run": lambda skytells, input: skytells.predictions.run("m", input),
    "run": lambda skytells, input: skytells.run("m", input, extra_body={"tag": 1}),
    "cancel_on_exit": lambda skytells, input: skytells.run("m", input, cancel_on_exit=True),
}


@pytest.mark.parametrize("way", WAYS)
async def test_every_way_to_create_a_prediction_takes_files(way: str) -> None:
    async with Server(CREATED) as server, Skytells("key", base_url=server.url) as skytells:
        await WAYS[way](skytells, {"image": PNG})
        body = await sent(server)
        (seen,) = server.requests
    assert body["input"] == {"image": url(PNG)}
    assert body.get("tag") == (1 if way == "run" else None)
    assert (seen.headers["content-type"], seen.headers["content-length"]) == ("application/json", str(len(seen.body)))


async def test_generate_image_takes_files_among_its_inputs() -> None:
    async with Server(CREATED) as server, Skytells("key", base_url=server.url) as skytells:
        task = asyncio.create_task(skytells.generate_image("a fox", input={"image": PNG}))
        body = await sent(server)
        task.cancel()
        await asyncio.wait([task])
    assert body["input"] == {"prompt": "a fox", "image": url(PNG)}


async def test_a_request_with_files_is_sent_again_as_it_was(tmp_path: Path) -> None:
    input = {"path": on_disk(tmp_path), "iterator": iter([WAV])}
    scripts = make_response(503), make_response(429), CREATED
    async with Server(*scripts) as server, Skytells("key", base_url=server.url, retry=AT_ONCE) as skytells:
        await skytells.predictions.create("m", input)
        bodies = [await sent(server, place) for place in range(3)]
    assert [body["input"] for body in bodies] == [{"path": url(PNG), "iterator": url(WAV, "audio/wav")}] * 3


def broken_files(folder: Path) -> Iterator[tuple[str, Any, type[Exception], str]]:
    closed = io.BytesIO(PNG)
    closed.close()
    yield "missing", folder / "none.png", FileNotFoundError, "none.png"
    yield "folder", folder, IsADirectoryError, "directory"
    yield "empty path", on_disk(folder, b"", "empty.png"), ValueError, "is empty"
    yield "empty bytes", b"", ValueError, "is empty"
    yield "empty array", np.zeros((0, 5), np.uint8), ValueError, "is empty"
    yield "closed", closed, ValueError, "is a file that is closed"
    yield "text mode", on_disk(folder, b"text", "a.txt").open(encoding="utf-8"), TypeError, "binary mode"
    yield "text in memory", io.StringIO("text"), TypeError, "binary mode"
    yield "wrong shape", np.zeros((4, 5, 2), np.uint8), ValueError, r"not \(4, 5, 2\) and uint8"
    yield "wrong type", np.zeros((4, 5, 3)), ValueError, r"not \(4, 5, 3\) and float64"
    yield "sound", np.zeros(16_000, np.float32), ValueError, r"not \(16000,\) and float32"
    yield "numbers", iter([1, 2]), TypeError, "must give bytes, not int"


async def test_a_file_that_cannot_be_sent_is_refused_with_its_place_before_anything_is_sent(tmp_path: Path) -> None:
    refused = []
    async with Server(CREATED) as server, Skytells("key", base_url=server.url) as skytells:
        for name, source, kind, message in broken_files(tmp_path):
            with pytest.raises(kind, match=message) as raised:
                await skytells.run("m", {"options": [{"image": source}]})
            assert 'the file input["options"][0]["image"]' in str(raised.value)
            refused.append(name)
            if hasattr(source, "close"):
                source.close()
        assert (len(refused), server.connections) == (12, 0)


async def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    large = on_disk(tmp_path, b"")
    with large.open("r+b") as file:
        file.truncate(2**40)
    async with Server(CREATED) as server, Skytells("key", base_url=server.url) as skytells:
        with large.open("rb") as file:
            for source in (large, file, b"x" * (MAX_FILE_BYTES + 1), iter([b"x" * 2**20] * 99)):
                with pytest.raises(
                    ValueError, match=r'the file input\["image"\] has [0-9,]+ bytes or more, and 10 MiB are the most'
                ):
                    await skytells.run("m", {"image": source})
        most = [bytes(MAX_FILE_BYTES), bytearray(MAX_TOTAL_BYTES - MAX_FILE_BYTES)]
        with pytest.raises(
            ValueError,
            match=r"the files in input have 20,971,521 bytes or more, and 20 MiB are the most.*pass the link",
        ):
            await skytells.run("m", {"images": [*most, b"x"]})
        assert server.connections == 0
        await skytells.run("m", {"images": most})
        assert len((await sent(server))["input"]["images"]) == 2


async def test_create_many_sends_nothing_if_a_file_of_one_request_cannot_be_read(tmp_path: Path) -> None:
    async with Server(CREATED) as server, Skytells("key", base_url=server.url) as skytells:
        with pytest.raises(FileNotFoundError, match=r'requests\[1\]\.input\["image"\]'):
            await skytells.predictions.create_many([("m", {"image": PNG}), ("m", {"image": tmp_path / "none"})])
        assert server.connections == 0


async def test_create_many_reads_a_file_that_several_requests_have_once_and_keeps_no_encoded_file() -> None:
    data = bytes(2**20)
    file = io.BytesIO(data)
    async with Server(CREATED) as server, Skytells("key", base_url=server.url, max_concurrency=1) as skytells:
        requests = [("m", {"image": file, "number": number}) for number in range(8)]
        made = await skytells.predictions.create_many(requests)
        inputs = [(await sent(server, place))["input"] for place in range(8)]
    assert all(isinstance(each, Prediction) for each in made)
    assert sorted(each["number"] for each in inputs) == list(range(8))
    assert {each["image"] for each in inputs} == {url(data, "application/octet-stream")}


async def test_a_file_on_disk_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    size = 9 * 2**20
    path = on_disk(tmp_path, bytes(size))

    async def count(exchange: Any) -> None:
        left = int(exchange.seen.headers["content-length"])
        while left:
            left -= len(await exchange.reader.read(2**16))
        await exchange.write(CREATED)

    async with Server(count) as server, Skytells("key", base_url=server.url) as skytells:
        await skytells.predictions.create("m", {"image": PNG})
        tracemalloc.start()
        await skytells.predictions.create("m", {"image": path})
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < size / 2


async def test_a_file_that_changes_while_it_is_sent_is_never_sent_as_a_whole_one(tmp_path: Path) -> None:
    path = on_disk(tmp_path, bytes(8 * 2**20))

    async def change(exchange: Any) -> None:
        path.write_bytes(bytes(7 * 2**20))
        await exchange.left()

    async with Server(change) as server, Skytells("key", base_url=server.url) as skytells:
        with pytest.raises(TransportError, match=r'the file input\["image"\] was changed'):
            await skytells.predictions.create("m", {"image": path})
        assert len(server.requests) == 1


async def test_the_time_limit_of_run_holds_for_a_request_with_files() -> None:
    async def hang(exchange: Any) -> None:
        await exchange.left()

    async with Server(hang) as server, Skytells("key", base_url=server.url) as skytells:
        with pytest.raises(TimeoutError):
            await skytells.run("m", {"image": PNG}, timeout=0.05)


async def test_a_value_that_is_no_file_and_not_json_is_refused_as_before() -> None:
    endless: list[Any] = [PNG]
    endless.append(endless)
    async with Server(CREATED) as server, Skytells("key", base_url=server.url) as skytells:
        with pytest.raises(TypeError, match=r"\$\.input\.seed"):
            await skytells.run("m", {"seed": object(), "image": PNG})
        with pytest.raises(ValueError, match="nested too deeply"):
            await skytells.run("m", {"list": endless})
        assert server.connections == 0
