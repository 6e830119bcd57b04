"""One output of a prediction: saved to a file, written to an object, read as bytes, streamed."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path
from typing import Any

import pytest
from file_server import DATA, HALF, Delivery, delivered, head, names
from servers import Exchange, Server, make_response

from kellyapi import (
    NO_RETRY,
    ByteStream,
    DecodingError,
    KellyAPIError,
    Prediction,
    PredictionFailedError,
    Skytells,
    StatusError,
    TransportError,
    open_sync,
)

from .test_output_downloads import Expiring, finished_prediction

TEXT = "A fox, 🦊 ɛ"


async def read_all(stream: ByteStream) -> bytes:
    async with stream as pieces:
        return b"".join([piece async for piece in pieces])


async def read_by_writing(skytells: Skytells, state: Prediction | str, index: int | None) -> bytes:
    buffer = io.BytesIO()
    assert await skytells.predictions.download(state, buffer, index=index) == len(buffer.getvalue())
    return buffer.getvalue()


async def read_by_saving(skytells: Skytells, state: Prediction | str, index: int | None) -> bytes:
    (path,) = await skytells.predictions.download(state, "out.png", index=index)
    assert path == Path("out.png")
    with path.open("rb") as file:
        return file.read()


WAYS: dict[str, Any] = {
    "read": lambda skytells, state, index=0: skytells.predictions.read_output(state, index),
    "stream": lambda skytells, state, index=0: read_all(skytells.predictions.stream_output(state, index)),
    "write": lambda skytells, state, index=None: read_by_writing(skytells, state, index),
    "save": lambda skytells, state, index=None: read_by_saving(skytells, state, index),
}


@pytest.fixture(params=WAYS)
def read(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    return WAYS[request.param]


async def test_the_only_output_of_a_prediction_is_had_without_the_key(read: Any) -> None:
    async with delivered(Delivery()) as (skytells, url, server):
        assert await read(skytells, finished_prediction(url)) == DATA
        (seen,) = server.requests
    assert not {"x-api-key", "authorization"} & set(seen.headers)


async def test_an_output_is_had_through_a_redirect_to_another_origin(read: Any) -> None:
    async with delivered(Delivery()) as (skytells, url, server):
        async with Server(head(302, {"Location": url, "Content-Length": "0"})) as first:
            assert await read(skytells, finished_prediction(f"{first.url}/a.png")) == DATA
        seen = [*first.requests, *server.requests]
    assert len(seen) == 2
    assert not any("x-api-key" in each.headers for each in seen)


async def test_an_output_that_is_text_is_utf_8(read: Any) -> None:
    async with delivered(Delivery()) as (skytells, _, server):
        assert await read(skytells, finished_prediction(TEXT)) == TEXT.encode()
        assert await read(skytells, finished_prediction("half \ud83e")) == b"half ?"
        assert server.connections == 0


async def test_an_output_in_a_data_url_is_its_file(read: Any, tmp_path: Path) -> None:
    state = finished_prediction(f"data:image/png;base64,{base64.b64encode(DATA).decode()}", "Data: a, b")
    async with Skytells("key") as skytells:
        assert await read(skytells, state, 0) == DATA
        assert await read(skytells, state, 1) == b"Data: a, b"
        (path,) = await skytells.predictions.download(state, tmp_path / "new")
        assert (path.name, path.read_bytes()) == ("output-0.png", DATA)
        with pytest.raises(DecodingError, match="an output is not base64"):
            await read(skytells, finished_prediction("data:image/png;base64,?"), 0)


async def test_one_of_several_outputs_is_chosen_by_its_place(read: Any) -> None:
    async with delivered(Delivery()) as (skytells, url, _):
        state = finished_prediction("a", TEXT, url)
        assert await read(skytells, state, 1) == TEXT.encode()
        assert await read(skytells, state, 2) == DATA
        with pytest.raises(ValueError, match="index must be from 0 to 2 for prediction a1, not 3"):
            await read(skytells, state, 3)


async def test_a_file_or_an_object_takes_one_output(tmp_path: Path) -> None:
    async with delivered(Delivery()) as (skytells, url, server):
        for target in (io.BytesIO(), tmp_path / "a.png"):
            with pytest.raises(ValueError, match=r"has 2 outputs: pass index=…, or the path of a folder"):
                await skytells.predictions.download(finished_prediction(url, url), target)
        assert (server.connections, names(tmp_path)) == (0, [])


async def test_an_id_is_looked_up(read: Any) -> None:
    async def serve(exchange: Exchange) -> None:
        if exchange.seen.target != "/predictions/a1":
            await Delivery()(exchange)
            return
        await exchange.read()
        host = exchange.seen.headers["host"]
        body = f'{{"id": "a1", "status": "succeeded", "output": ["http://{host}/a.png"]}}'.encode()
        await exchange.write(make_response(body=body))

    async with Server(serve) as server, Skytells("key", base_url=server.url) as skytells:
        assert await read(skytells, "a1") == DATA


@pytest.mark.parametrize(
    ("state", "kind", "words"),
    [
        ('"status": "processing"', KellyAPIError, "has no outputs yet: it is processing; wait for it"),
        ('"status": "failed", "error": "too dark"', PredictionFailedError, "too dark"),
        ('"status": "succeeded", "output": null', DecodingError, "succeeded without an output"),
    ],
)
async def test_a_prediction_without_an_output_is_an_error_that_has_it(
    read: Any, state: str, kind: type[KellyAPIError], words: str
) -> None:
    response = make_response(body=f'{{"id": "a1", {state}}}'.encode())
    async with Server(response) as server, Skytells("key", base_url=server.url) as skytells:
        with pytest.raises(kind, match=words) as raised:
            await read(skytells, "a1")
    assert raised.value.prediction.id == "a1"


async def test_an_expired_link_is_requested_again_once(read: Any) -> None:
    provider = Expiring(410, fresh=True)
    async with Server(provider) as server, Skytells("key", base_url=server.url, retry=NO_RETRY) as skytells:
        state = finished_prediction(*(f"{server.url}/old/{number}.png" for number in range(2)))
        assert await read(skytells, state, 1) == DATA
        assert server.requests[-1].target == "/new/1.png"
    assert provider.polls == 1


async def test_a_link_that_stays_expired_is_an_error_that_says_so(read: Any) -> None:
    provider = Expiring(404, fresh=False)
    async with Server(provider) as server, Skytells("key", base_url=server.url, retry=NO_RETRY) as skytells:
        state = finished_prediction(*(f"{server.url}/old/{number}.png" for number in range(2)))
        with pytest.raises(StatusError, match="expire about five minutes after") as raised:
            await read(skytells, state, 0)
    assert (raised.value.prediction, provider.polls) == (state, 1)


async def test_a_link_that_expires_after_a_part_was_written_is_not_started_again() -> None:
    provider = Expiring(410, fresh=True)
    first = Delivery(cuts=[HALF])

    async def expire(exchange: Exchange) -> None:
        await (provider if first.asked else first)(exchange)

    buffer = io.BytesIO()
    async with Server(expire) as server, Skytells("key", base_url=server.url) as skytells:
        state = finished_prediction(f"{server.url}/old/0.png", f"{server.url}/old/1.png")
        with pytest.raises(StatusError) as raised:
            await skytells.predictions.download(state, buffer, index=0)
    assert raised.value.partial == len(buffer.getvalue()) > 0
    assert buffer.getvalue() == DATA[: raised.value.partial]


async def test_reading_has_the_limit_of_responses_and_streaming_has_none() -> None:
    async with delivered(Delivery(), max_response_bytes=1000) as (skytells, url, _):
        state = finished_prediction(url)
        with pytest.raises(DecodingError, match="too large") as raised:
            await skytells.predictions.read_output(state)
        assert await read_all(skytells.predictions.stream_output(state)) == DATA
    assert raised.value.prediction == state


async def test_a_stream_that_breaks_off_says_how_much_arrived() -> None:
    async with delivered(Delivery(cuts=[HALF])) as (skytells, url, _):
        state = finished_prediction(url)
        with pytest.raises(TransportError) as raised:
            await read_all(skytells.predictions.stream_output(state))
    assert (raised.value.partial, raised.value.prediction) == (HALF, state)


async def test_a_stream_that_is_left_early_frees_its_connection_at_once() -> None:
    async with delivered(Delivery(cuts=[HALF], hang=True)) as (skytells, url, server):
        async with skytells.predictions.stream_output(finished_prediction(url)) as pieces:
            await anext(pieces)
        await server.until(lambda: server.open == 0)


def test_a_stream_is_read_without_a_loop() -> None:
    with (
        open_sync(Skytells("key")) as skytells,
        open_sync(skytells.predictions.stream_output(finished_prediction(TEXT))) as stream,
    ):
        assert isinstance(stream, ByteStream)


# Files and folders


@pytest.mark.parametrize(
    ("given", "saved"),
    [
        ("wolf.png", "wolf.png"),
        ("WOLF.JPEG", "WOLF.JPEG"),
        ("there", "there"),
        ("pictures", "pictures/fox.png"),
        ("v1.2", "v1.2/fox.png"),
        ("new.png/", "new.png/fox.png"),
        ("folder.png", "folder.png/fox.png"),
        ("there.d", "there.d/fox.png"),
    ],
)
async def test_a_path_is_that_of_a_file_if_one_is_there_or_it_ends_as_one(
    given: str, saved: str, tmp_path: Path
) -> None:
    (tmp_path / "there").write_bytes(b"old")
    (tmp_path / "folder.png").mkdir()
    async with delivered(Delivery()) as (skytells, url, _):
        (path,) = await skytells.predictions.download(finished_prediction(url), f"{tmp_path}/{given}")
    assert path == tmp_path / saved
    assert path.read_bytes() == DATA


async def test_one_output_alone_is_saved_in_a_folder(tmp_path: Path) -> None:
    async with delivered(Delivery()) as (skytells, _, server):
        state = finished_prediction(*(f"{server.url}/{number}.png" for number in range(3)))
        await skytells.predictions.download(state, tmp_path, index=1)
        assert names(tmp_path) == ["1.png"]
        with pytest.raises(ValueError, match="output 0 of prediction a1 is text"):
            await skytells.predictions.download(finished_prediction(TEXT), tmp_path, index=0)


async def test_a_file_is_replaced_only_if_that_is_wanted_and_possible(tmp_path: Path) -> None:
    path = tmp_path / "fox.png"
    path.write_bytes(b"old")
    async with delivered(Delivery()) as (skytells, url, server):
        state = finished_prediction(url)
        with pytest.raises(FileExistsError, match="overwrite is False"):
            await skytells.predictions.download("a1", path, overwrite=False)
        with pytest.raises(FileNotFoundError, match="no such folder"):
            await skytells.predictions.download("a1", tmp_path / "none" / "fox.png")
        assert (path.read_bytes(), server.connections) == (b"old", 0)
        await skytells.predictions.download(state, path)
        await skytells.predictions.download(state, tmp_path / "new.png", overwrite=False)
    assert (path.read_bytes(), names(tmp_path)) == (DATA, ["fox.png", "new.png"])


async def test_a_download_to_a_file_resumes(tmp_path: Path) -> None:
    delivery = Delivery(cuts=[HALF])
    async with delivered(delivery) as (skytells, url, _):
        await skytells.predictions.download(finished_prediction(url), tmp_path / "fox.png")
    assert (tmp_path / "fox.png").read_bytes() == DATA
    assert len(delivery.asked) == 2


async def test_an_output_is_written_into_a_fifo(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        async with delivered(head(200, {"Content-Length": "5"}) + b"a fox") as (skytells, url, _):
            await skytells.predictions.download(finished_prediction(url), tmp_path / "pipe")
        assert os.read(reading, 100) == b"a fox"
    finally:
        os.close(reading)
