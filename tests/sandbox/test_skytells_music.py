"""Music predictions of the sandbox: their files, inputs and price."""

from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import Any

import pytest
from http_client import Send

from kellyapi import KellyAPI

SHORT = {"prompt": "Romantic, love", "duration_seconds": 5, "sample_rate": 16_000}


SANDBOX = {"prediction_time": 0}


async def test_music_is_a_wav_that_can_be_downloaded(api: KellyAPI, skytells: Send, send: Send, tmp_path: Path) -> None:
    song = await api.skytells.run("beatfusion-2.0", {"prompt": "a song"}, interval=0.01)
    (url,), (file,) = song.outputs, song.metadata.storage.files
    assert url.endswith(f"/delivery/{song.id}-output.wav")
    assert (song.credits_used, song.metrics.image_count, song.raw["metrics"]["asset_count"]) == (0.5, None, 1)
    for method in ("GET", "HEAD"):
        output = await send(method, "", url=url)
        assert (output.status, output.headers["Content-Type"]) == (200, "audio/wav")
        assert int(output.headers["Content-Length"]) == file.size
    (path,) = await api.skytells.predictions.download(song, tmp_path)
    assert path.name == f"{song.id}-output.wav"
    with wave.open(str(path)) as audio:
        assert (audio.getnframes(), audio.getframerate(), audio.getnchannels()) == (441_000, 44_100, 1)
    await api.skytells.predictions.delete(song)
    assert (await send("GET", "", url=url)).status == 404


@pytest.mark.parametrize(
    ("more", "size"),
    [
        ({"sample_rate": 24_000}, 24_000 * 5),
        ({"duration_seconds": 6}, 16_000 * 6),
        ({"bpm": 90, "key": "Bb minor", "seed": 3, "bitrate": 32_000, "lyrics": "la"}, 16_000 * 5),
        ({"prompt": "", "lyrics": "Wherever you are I go"}, 16_000 * 5),
    ],
)
async def test_the_inputs_of_music_are_accepted(api: KellyAPI, send: Send, more: dict[str, Any], size: int) -> None:
    song = await api.skytells.run("beatfusion-2.0", {**SHORT, **more}, interval=0.01)
    with wave.open(io.BytesIO((await send("GET", "", url=song.outputs[0])).body)) as audio:
        assert audio.getnframes() == size


async def test_the_samples_alone_have_a_file_of_their_own(api: KellyAPI, send: Send) -> None:
    song = await api.skytells.run("beatfusion-2.0", {**SHORT, "audio_format": "pcm"}, interval=0.01)
    output = await send("GET", "", url=song.outputs[0])
    assert (output.headers["Content-Type"], len(output.body)) == ("audio/pcm", 160_000)
    assert song.outputs[0].endswith(".pcm")


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("duration_seconds", 4, "be between 5 and 120."),
        ("duration_seconds", 121, "be between 5 and 120."),
        ("bpm", 39, "be between 40 and 240."),
        ("key", "H minor", "match [A-G][#b]?( (major|minor))?."),
        ("key", "C major please", "match [A-G][#b]?( (major|minor))?."),
        ("sample_rate", 48_000, "be one of 16000, 24000, 32000, 44100."),
        ("bitrate", 1, "be one of 32000, 64000, 128000, 256000."),
        ("audio_format", "ogg", "be one of mp3, wav, pcm."),
        ("lyrics", "a" * 3501, "have at most 3,500 characters."),
        ("prompt", "a" * 2001, "have at most 2,000 characters."),
    ],
)
async def test_a_wrong_value_of_an_input_of_music_is_refused(
    skytells: Send, field: str, value: Any, problem: str
) -> None:
    body = {"model": "beatfusion-2.0", "input": {**SHORT, field: value}}
    refused = await skytells("POST", "/v1/predict", json=body)
    assert (refused.status, refused.json["response"]) == (422, f"The {field} field must {problem}")
