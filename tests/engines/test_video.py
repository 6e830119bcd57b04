"""Videos of the sandbox: what PyAV reads from them."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any

import av
import numpy as np
import pytest

from kellyapi.sandbox.engines.pictures.image_operations import DESCRIPTION
from kellyapi.sandbox.engines.video import film


def read(video: bytes) -> tuple[dict[str, Any], list[np.ndarray[Any, Any]]]:
    """Return facts about a video, and its frames."""
    with av.open(io.BytesIO(video)) as container:
        (stream,) = container.streams
        assert isinstance(stream, av.VideoStream)
        facts = {
            "format": container.format.name,
            "codec": stream.codec_context.name,
            "pixels": stream.codec_context.pix_fmt,
            "size": (stream.width, stream.height),
            "rate": stream.average_rate,
            "seconds": (container.duration or 0) / 1_000_000,
            "comment": container.metadata["comment"],
        }
        return facts, [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]


@pytest.mark.parametrize(("size", "seconds", "fps"), [((160, 90), 1, 24), ((90, 160), 2, 30), ((64, 64), 1, 30)])
def test_a_video_has_its_size_and_length_and_says_where_it_comes_from(
    size: tuple[int, int], seconds: int, fps: int
) -> None:
    facts, frames = read(film("a lake at dawn", *size, seconds, fps))
    assert facts == {
        "format": "mov,mp4,m4a,3gp,3g2,mj2",
        "codec": "h264",
        "pixels": "yuv420p",
        "size": size,
        "rate": fps,
        "seconds": seconds,
        "comment": DESCRIPTION,
    }
    assert len(frames) == seconds * fps


def test_the_camera_moves_smoothly_over_the_landscape() -> None:
    _, frames = read(film("a lake at dawn", 160, 90, 1, 24))
    steps = [float(np.abs(a.astype(int) - b).mean()) for a, b in pairwise(frames)]
    assert float(np.abs(frames[0].astype(int) - frames[-1]).mean()) > 2 * max(steps)
    assert all(0 < step < 20 for step in steps)


def test_the_same_words_give_the_same_video() -> None:
    words = (("a fox in snow", ""), ("a fox in snow", ""), ("a city", ""), ("a fox in snow", "snow"))
    first, again, other, without = (film(prompt, 64, 64, 0.5, 24, negative) for prompt, negative in words)
    assert first == again
    assert len({first, other, without}) == 3
