"""Videos of the sandbox's models: a camera moves over a drawn landscape or a picture. PyAV encodes H.264 in MP4."""

from __future__ import annotations

import io

from .errors import EngineMissing

try:
    import av
except ImportError as error:
    raise EngineMissing(f'videos need PyAV: pip install "kellyapi[audio]" ({error})') from error

try:
    import numpy as np
    from PIL import Image, ImageOps
except ImportError as error:
    raise EngineMissing(f'pictures need Pillow and numpy: pip install "kellyapi[sandbox]" ({error})') from error

from .pictures.image_operations import DESCRIPTION
from .pictures.landscape import paint
from .pictures.picture_files import open_picture, without_alpha
from .pictures.prompt_scene import read_prompt

_MARGIN = 1.25
"""Sides of the landscape, as multiples of those of a frame."""


def film(
    prompt: str,
    width: int,
    height: int,
    seconds: float,
    fps: int,
    negative_prompt: str = "",
    image: bytes | None = None,
) -> bytes:
    """Return a video without sound, in which the camera pans over a landscape and comes nearer.

    Args:
        prompt: Chooses the landscape.
        width: Pixels, an even number.
        height: Pixels, an even number.
        seconds: The length.
        fps: Frames in a second.
        negative_prompt: Words that are not used.
        image: A picture in place of the landscape. It is cropped to the shape of the video.

    Raises:
        BadInput: If the image cannot be read.
    """
    size = round(width * _MARGIN), round(height * _MARGIN)
    if image is None:
        landscape = Image.fromarray(paint(read_prompt(prompt, negative_prompt), *size).astype(np.uint8))
    else:
        landscape = ImageOps.fit(without_alpha(open_picture(image)), size, Image.Resampling.LANCZOS)
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        container.metadata["comment"] = DESCRIPTION
        stream = container.add_stream("h264", rate=fps, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 1  # the children share the cores
        count = round(seconds * fps)
        for place in range(count):
            frame = np.asarray(_see(landscape, width, height, place / count))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def _see(landscape: Image.Image, width: int, height: int, share: float) -> Image.Image:
    """Return the frame after a share of the way: from the top left to the middle, while the camera comes nearer."""
    zoom = 1 - 0.3 * share
    across, down = landscape.width * 0.9 * zoom, landscape.height * 0.9 * zoom
    left, top = (landscape.width - across) * share / 2, (landscape.height - down) * (0.2 + 0.6 * share)
    box = left, top, left + across, top + down
    return landscape.resize((width, height), Image.Resampling.BILINEAR, box)
