"""Videos and music through Skytells: inputs under the names of the model, files, and what is refused."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from servers import make_response

from kellyapi import DecodingError, Image, Music, Video

from .studio import PNG, Studio, opened

MP4 = b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00isommp42"
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00"
IMAGE = {"type": "string", "format": "uri"}
DATA_URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
PICTURE = Image(data=PNG, mime="image/png", provider="kelly")


async def test_a_video_has_its_length_and_shape_under_the_names_of_the_model() -> None:
    inputs = {
        "seconds": {"type": "integer", "enum": [5, 10]},
        "aspect_ratio": {"type": "string", "enum": ["16:9", "9:16"]},
        "negative_prompt": {"type": "string"},
    }
    studio = Studio(inputs, file=MP4, mime="video/mp4")
    async with opened(studio) as skytells:
        video = await skytells.generate_video(
            "a fox", duration=5, width=1280, height=720, negative_prompt="snow", input={"fps": 30}
        )
    assert video == Video(data=MP4, mime="video/mp4", prediction_id="p1", credits=0.06, provider="skytells")
    asked = {"prompt": "a fox", "seconds": 5, "aspect_ratio": "16:9", "negative_prompt": "snow", "fps": 30}
    assert [(each["model"], each["input"]) for each in studio.created] == [("truefusion-video-pro", asked)]


@pytest.mark.parametrize(
    ("inputs", "sent"),
    [
        ({"image": IMAGE}, {"image": DATA_URL}),
        ({"start_image": {"anyOf": [IMAGE, {"type": "null"}]}}, {"start_image": DATA_URL}),
        ({"images": {"type": "array", "items": IMAGE, "maxItems": 2}}, {"images": [DATA_URL]}),
    ],
)
@pytest.mark.parametrize("source", ["a path as text", "a path", "bytes", "a result", "a data: URL"])
async def test_the_picture_that_a_video_starts_from_is_an_input_of_the_model(
    inputs: Any, sent: Any, source: str, tmp_path: Path
) -> None:
    path = tmp_path / "fox.png"
    path.write_bytes(PNG)
    image: Any = {
        "a path as text": str(path),
        "a path": path,
        "bytes": PNG,
        "a result": PICTURE,
        "a data: URL": DATA_URL,
    }[source]
    studio = Studio(inputs, file=MP4, mime="video/mp4")
    async with opened(studio) as skytells:
        await skytells.generate_video("it runs", image=image)
    assert studio.created[0]["input"] == {"prompt": "it runs", **sent}


async def test_a_link_to_the_picture_is_sent_as_it_is() -> None:
    studio = Studio({"image": IMAGE}, file=MP4, mime="video/mp4")
    async with opened(studio) as skytells:
        await skytells.generate_video("it runs", image="https://a.example/fox.png")
    assert studio.created[0]["input"] == {"prompt": "it runs", "image": "https://a.example/fox.png"}


async def test_a_model_that_starts_from_no_picture_refuses_one_before_anything_is_paid_for() -> None:
    studio = Studio({"seed": {"type": "integer"}})
    async with opened(studio) as skytells:
        with pytest.raises(ValueError, match="truefusion-video-pro has no input for image; its inputs are seed"):
            await skytells.generate_video("it runs", image=PNG)
        with pytest.raises(FileNotFoundError):
            await skytells.generate_video("it runs", image="missing.png")
    assert studio.created == []


async def test_music_has_its_lyrics_and_length_under_the_names_of_the_model() -> None:
    inputs = {"lyrics": {"type": "string", "maxLength": 9}, "duration_seconds": {"type": "integer", "minimum": 5}}
    studio = Studio(inputs, file=WAV, mime="audio/wav")
    async with opened(studio) as skytells:
        music = await skytells.generate_music("highlife", lyrics="la la", duration=20.0, input={"bpm": 90})
        with pytest.raises(ValueError, match=r"lyrics of beatfusion-2\.0 must be at most 9 characters, not 11"):
            await skytells.generate_music("highlife", lyrics="la la la la")
    assert music == Music(data=WAV, mime="audio/wav", prediction_id="p1", credits=0.06, provider="skytells")
    asked = {"prompt": "highlife", "lyrics": "la la", "duration_seconds": 20, "bpm": 90}
    assert [(each["model"], each["input"]) for each in studio.created] == [("beatfusion-2.0", asked)]


@pytest.mark.parametrize(
    ("method", "file", "declared", "mime"),
    [
        ("generate_music", b"raw samples", "audio/pcm", "audio/pcm"),
        ("generate_music", MP4, "audio/mp4", "audio/mp4"),
        ("generate_music", WAV, "application/octet-stream", "audio/wav"),
        ("generate_video", b"unknown", "video/mp2t", "video/mp2t"),
        ("generate_video", MP4, "binary/octet-stream", "video/mp4"),
    ],
)
async def test_the_type_of_a_file_is_found_out_or_taken_as_declared(
    method: str, file: bytes, declared: str, mime: str
) -> None:
    async with opened(Studio(file=file, mime=declared)) as skytells:
        assert (await getattr(skytells, method)("a fox")).mime == mime


@pytest.mark.parametrize(
    ("method", "file", "declared", "problem"),
    [
        ("generate_music", b"<html>", "text/html", "the output of prediction p1 is not audio"),
        ("generate_video", PNG, "image/png", "the output of prediction p1 is not a video"),
        ("generate_video", b"", "video/mp4", "the output of prediction p1 is not a video"),
        ("generate_image", WAV, "audio/wav", "the output of prediction p1 is not an image"),
    ],
)
async def test_an_output_of_another_kind_is_an_error_with_the_prediction(
    method: str, file: bytes, declared: str, problem: str
) -> None:
    async with opened(Studio(file=file, mime=declared)) as skytells:
        with pytest.raises(DecodingError, match=problem) as caught:
            await getattr(skytells, method)("a fox")
    assert caught.value.prediction.id == "p1"


async def test_a_video_that_is_too_large_says_how_to_save_it(tmp_path: Path) -> None:
    studio = Studio(file=MP4 + bytes(1000), mime="video/mp4")
    async with opened(studio, max_response_bytes=1000) as skytells:
        with pytest.raises(DecodingError, match="the response is too large") as caught:
            await skytells.generate_video("a fox")
        assert "predictions.download(error.prediction, folder)" in str(caught.value)
        (path,) = await skytells.predictions.download(caught.value.prediction, tmp_path)
        assert path.read_bytes() == studio.file


async def test_a_prediction_without_an_output_is_an_error_that_has_it() -> None:
    done = make_response(body=b'{"id": "p1", "status": "succeeded", "output": []}')
    async with opened(Studio(instead={"/predictions/p1": done})) as skytells:
        with pytest.raises(DecodingError, match="prediction p1 succeeded without a link to its output") as caught:
            await skytells.generate_music("highlife")
    assert caught.value.prediction.id == "p1"
