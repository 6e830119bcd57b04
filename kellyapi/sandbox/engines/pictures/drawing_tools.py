"""Drawing on a canvas, which is an array of numbers: blending, masks of polygons, noise.

`landscape`, `landscape_plants` and `landscape_weather` draw with them. `cover` is the opacity, from 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .landscape_plants import Pen
from .prompt_scene import RGB

Floats = NDArray[np.floating[Any]]


def blend(canvas: Floats, colour: RGB, cover: Floats | float) -> None:
    """Paint a colour over the canvas."""
    canvas += (np.array(colour, np.float32) - canvas) * np.asarray(cover, np.float32)[..., None]


def mask(width: int, height: int, top: int, draw: Callable[[Pen], None]) -> Floats:
    """Return the cover of polygons in the rows `top` to `height`. They are drawn at twice the size for smooth edges."""
    sheet = Image.new("L", (2 * width, 2 * (height - top)))
    sheet_draw = ImageDraw.Draw(sheet)
    draw(lambda points: sheet_draw.polygon([(2 * x, 2 * (y - top)) for x, y in points], fill=255))
    return np.asarray(sheet.reduce(2), np.float32) / 255


def noise(rng: RandomState, width: int, height: int, cells: int, octaves: int, stretch: float = 1.0) -> Floats:
    """Return cloudy noise around 0.5; `stretch` makes it wider than high."""
    total = np.full((height, width), 0.5, np.float32)
    for octave in range(octaves):
        across = cells * 2**octave
        lattice = rng.rand(max(2, round(across * stretch * height / width)) + 1, across + 1).astype(np.float32) - 0.5
        layer = Image.fromarray(lattice).resize((width, height), Image.Resampling.BICUBIC)
        total += 0.7 * 0.5**octave * np.asarray(layer)
    return total


def wave(rng: RandomState, width: int, cells: int, octaves: int) -> Floats:
    """Return smooth noise along a line, from 0 to 1."""
    total, places = np.zeros(width, np.float32), np.linspace(0, 1, width, dtype=np.float32)
    for octave in range(octaves):
        knots = rng.rand(cells * 2**octave + 2).astype(np.float32)
        at = places * (len(knots) - 1.001)
        cell, part = at.astype(int), at % 1
        part = part * part * (3 - 2 * part)
        total += 0.5**octave * (knots[cell] * (1 - part) + knots[cell + 1] * part)
    waves: Floats = (total - total.min()) / np.ptp(total)
    return waves


def smooth(value: Floats, low: float, high: float) -> Floats:
    """Return a smooth step from 0 at `low` to 1 at `high`."""
    part: Floats = np.clip((value - low) / (high - low), 0, 1)
    return part * part * (3 - 2 * part)


def grid(width: int, height: int) -> tuple[Floats, Floats]:
    """Return the coordinates in pixels: y as a column and x as a row."""
    return np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None]


def dots(canvas: Floats, colour: RGB, count: int, size: float, cover: float, rng: RandomState, top: float = 0) -> None:
    """Paint round dots below `top`, a few of them large; `size` and `top` are shares of the picture."""
    height, width = canvas.shape[:2]
    places = rng.rand(count, 3) * (width, height * (1 - top), 1) + (0, height * top, 0)

    def draw(pen: Pen) -> None:
        for x, y, chance in places:
            radius = (0.35 + 1.4 * chance**4) * size * math.sqrt(width * height)
            pen([(x + radius * math.cos(a), y + radius * math.sin(a)) for a in np.linspace(0, 2 * math.pi, 11)])

    blend(canvas, colour, mask(width, height, 0, draw) * cover)
