"""Video predictions of the sandbox, which need PyAV: their files, inputs and price."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest
from http_client import Send
from PIL import Image as Picture

from kellyapi import KellyAPI

MODEL = "truefusion-video-pro"
SHORT = {"prompt": "a lake at dawn", "duration": 1}


SANDBOX = {"prediction_time": 0}


async def test_a_video_is_an_mp4_that_can_be_downloaded(api: KellyAPI, send: Send, tmp_path: Path) -> None:
    done = await api.skytells.run(MODEL, SHORT, interval=0.01)
    (url,), (file,) = done.outputs, done.metadata.storage.files
    assert url.endswith(f"/delivery/{done.id}-output.mp4")
    assert done.raw["metrics"]["asset_count"] == 1
    for method in ("GET", "HEAD"):
        output = await send(method, "", url=url)
        assert (output.status, output.headers["Content-Type"]) == (200, "video/mp4")
        assert int(output.headers["Content-Length"]) == file.size
    (path,) = await api.skytells.predictions.download(done, tmp_path)
    with av.open(path) as container:
        (stream,) = container.streams.video
        assert (path.suffix, container.duration, stream.frames) == (".mp4", 1_000_000, 24)
        assert (stream.width, stream.height, stream.average_rate) == (640, 360, 24)


@pytest.mark.parametrize(
    ("more", "size", "price"),
    [
        ({"duration": 1, "aspect_ratio": "9:16"}, (360, 640), 0.2),
        ({"duration_seconds": 3, "aspect_ratio": "4:3", "fps": 30}, (544, 408), 0.6),
    ],
)
async def test_an_aspect_ratio_sets_the_size_and_each_second_is_paid_for_as_estimated(
    api: KellyAPI, tmp_path: Path, more: dict[str, Any], size: tuple[int, int], price: float
) -> None:
    input = {"prompt": "a city", "negative_prompt": "snow", **more}
    model = await api.skytells.models.get(MODEL, fields="input_schema")
    estimate = api.skytells.models.estimate(model, input)
    done = await api.skytells.run(MODEL, input, interval=0.01)
    assert estimate
    assert estimate.amount == done.credits_used == price
    (path,) = await api.skytells.predictions.download(done, tmp_path)
    with av.open(path) as container:
        (stream,) = container.streams.video
        assert ((stream.width, stream.height), stream.average_rate) == (size, more.get("fps", 24))


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("duration_seconds", 2, "be between 3 and 30."),
        ("duration_seconds", 31, "be between 3 and 30."),
        ("fps", 25, "be one of 24, 30."),
        ("fps", True, "be an integer."),
        ("aspect_ratio", "21:9", "be one of 16:9, 9:16, 1:1, 4:3."),
    ],
)
async def test_a_wrong_value_of_an_input_of_a_video_is_refused(
    skytells: Send, field: str, value: Any, problem: str
) -> None:
    refused = await skytells("POST", "/v1/predict", json={"model": MODEL, "input": {**SHORT, field: value}})
    assert (refused.status, refused.json["response"]) == (422, f"The {field} field must {problem}")


@pytest.mark.parametrize("color", [(250, 10, 10), (10, 10, 250)])
async def test_a_picture_is_filmed(api: KellyAPI, tmp_path: Path, color: tuple[int, int, int]) -> None:
    fox = Picture.new("RGB", (64, 36), color)
    video = await api.generate_video("a fox runs", image=fox, duration=1)
    path = await video.save(tmp_path / "fox.mp4")
    with av.open(path) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert abs(frame.reshape(-1, 3).mean(axis=0) - color).max() < 12
