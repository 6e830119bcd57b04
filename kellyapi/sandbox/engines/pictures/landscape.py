"""Painting of a scene on a canvas, from back to front: sky, ridges with plants, water, the nearest ridge.

`prompt_scene` makes the scene, `landscape_weather` draws what is in front, and `image_operations` encodes the canvas.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.random import RandomState  # its numbers never change; those of default_rng may change between releases

from .drawing_tools import Floats, blend, dots, grid, mask, noise, smooth, wave
from .landscape_plants import SHAPES, Pen
from .landscape_weather import weather
from .prompt_scene import RGB, Scene, mix

LAMP = (255.0, 190.0, 90.0)
RIDGE_HEIGHTS = {"mountains": 0.26, "hills": 0.13, "dunes": 0.15, "towers": 0.3}
"""Height of the farthest ridge, as a share of the picture's height."""
PLANT_SIZES = {"pines": (0.16, 5.0), "acacias": (0.17, 0.7), "palms": (0.2, 0.9), "broadleaves": (0.11, 1.6)}
"""Size as a share of the picture, and density: the number of plants for each width of a plant."""


def paint(scene: Scene, width: int, height: int) -> Floats:
    """Return a canvas of height x width x 3 numbers from 0 to 255."""
    rng = RandomState(scene.seed % 2**32)
    canvas, sun = _sky(scene, width, height, rng)
    shore = int(height * rng.uniform(0.6, 0.7)) if "water" in scene.features else height
    _ridges(canvas, scene, shore, rng)
    if shore < height:
        _water(canvas, scene, shore, sun, rng)
    foreground(canvas, scene)
    return canvas


def foreground(canvas: Floats, scene: Scene) -> None:
    """Paint the nearest ridge, the weather and the finish, on a landscape or on an edited photograph."""
    rng = RandomState((scene.seed >> 32) % 2**32)
    height, width = canvas.shape[:2]
    if scene.terrain == "mountains":  # only in the distance
        scene = scene._replace(terrain="hills")
    if scene.terrain != "towers" or "water" not in scene.features:
        left, right = rng.permutation([0.83, 0.9])
        tall = 0.17 if scene.terrain == "towers" else 0.08
        line = height * (np.linspace(left, right, width) - tall * _outline(scene.terrain, width, rng))
        _ridge(canvas, scene, line, scene.palette.near, scene.palette.near, 1.0, rng)
    weather(canvas, scene, rng)
    _finish(canvas, rng)


# -- sky ---------------------------------------------------------------------------------------------------------------


def _sky(scene: Scene, width: int, height: int, rng: RandomState) -> tuple[Floats, tuple[float, float]]:
    palette, unit = scene.palette, math.sqrt(width * height)
    y, x = grid(width, height)
    stops = np.array([palette.top, palette.middle, palette.horizon]).T
    rows = np.stack([np.interp(y[:, 0] / height, (0, 0.38, 0.66), channel) for channel in stops], axis=-1)
    canvas: Floats = np.repeat(rows[:, None].astype(np.float32), width, axis=1)
    night = "stars" in scene.features
    sun = (width * rng.uniform(0.2, 0.8), height * (rng.uniform(0.14, 0.3) if night else rng.uniform(0.26, 0.5)))
    if night:
        _stars(canvas, rng)
    if "aurora" in scene.features:
        _aurora(canvas, rng)
    distance = np.sqrt((x - sun[0]) ** 2 + (y - sun[1]) ** 2)
    radius = unit * rng.uniform(0.032, 0.06)
    glow = 0.55 * np.exp(-distance / (3.2 * radius)) + 0.25 * np.exp(-distance / (9 * radius))
    blend(canvas, palette.light, glow * (0.6 if night else 1))
    disc = np.clip(radius - distance + 0.5, 0, 1)
    if night and rng.rand() < 0.6:  # a crescent: the disc without a shifted disc
        shifted = np.sqrt((x - sun[0] - 0.45 * radius) ** 2 + (y - sun[1] + 0.15 * radius) ** 2)
        disc = disc * np.clip(shifted - 0.95 * radius + 0.5, 0, 1)
    blend(canvas, palette.light, disc * 0.96)
    if "clouds" in scene.features:
        _clouds(canvas, scene, rng)
    return canvas, sun


def _stars(canvas: Floats, rng: RandomState) -> None:
    height, width = canvas.shape[:2]
    y, x = grid(width, height)
    away = (y / height - rng.uniform(0.15, 0.4) - rng.uniform(-0.8, 0.8) * (x / width - 0.5)) * 6
    milky = smooth(noise(rng, width, height, 5, 6), 0.25, 0.95) * np.exp(-(away**2))
    canvas += milky[..., None] * np.array([64, 66, 92], np.float32)
    for colour, count in (((255.0, 255.0, 255.0), 420), ((255.0, 226.0, 190.0), 130), ((196.0, 216.0, 255.0), 200)):
        dots(canvas, colour, count, 0.0009, 0.95, rng)


def _aurora(canvas: Floats, rng: RandomState) -> None:
    height, width = canvas.shape[:2]
    y, _ = grid(width, height)
    for colour, level in (((70.0, 255.0, 170.0), 0.42), ((90.0, 200.0, 255.0), 0.36), ((190.0, 90.0, 255.0), 0.3)):
        foot = height * (level + 0.22 * (wave(rng, width, 2, 3) - 0.5))
        rays = wave(rng, width, 40, 2) * wave(rng, width, 3, 2) * 1.7
        above = (foot - y) / height
        light = np.where(above > 0, np.exp(-above * 7), np.exp(above * 60)) * rays
        blend(canvas, colour, np.clip(light * 0.75, 0, 0.8))


def _clouds(canvas: Floats, scene: Scene, rng: RandomState) -> None:
    height, width = canvas.shape[:2]
    heavy = "rain" in scene.features
    puffs = noise(rng, width, height, 3, 6, stretch=2.6)
    lower = np.maximum(np.arange(height) - max(1, height // 60), 0)
    under = smooth(puffs[lower] - puffs, -0.02, 0.12)  # the shaded lower side of the clouds
    y, _ = grid(width, height)
    cover = smooth(puffs, 0.4 if heavy else 0.52, 0.62 if heavy else 0.8) * np.clip(1.5 - 2.1 * y / height, 0, 1)
    blend(canvas, mix(scene.palette.horizon, scene.palette.light, 0.6), cover * (0.5 if heavy else 0.8))
    blend(canvas, mix(scene.palette.middle, scene.palette.far, 0.6), cover * under * 0.55)


# -- land --------------------------------------------------------------------------------------------------------------


def _ridges(canvas: Floats, scene: Scene, shore: int, rng: RandomState) -> None:
    height, width = canvas.shape[:2]
    count = 3 if shore < height else 4
    first = shore - height * (0.06 if shore < height else 0.42)
    for place in range(count):
        depth = place / count
        tall = height * (RIDGE_HEIGHTS[scene.terrain] * (1 - 0.45 * depth))
        base = first + (shore - first) * (depth if shore == height else 0.8 * depth)
        line = base - tall * _outline(scene.terrain, width, rng)
        colour = mix(mix(scene.palette.far, scene.palette.horizon, 0.35), scene.palette.near, depth**0.9)
        haze = mix(colour, scene.palette.horizon, 0.55 - 0.3 * depth)
        _ridge(canvas[:shore], scene, line, colour, haze, 0.12 + 0.5 * depth, rng)


def _ridge(canvas: Floats, scene: Scene, line: Floats, colour: RGB, haze: RGB, scale: float, rng: RandomState) -> None:
    """Paint one ridge from `line` down, hazy at its foot, with plants whose size is `scale`."""
    height, width = canvas.shape[:2]
    top = max(0, int(line.min()) - 1)
    crest = list(enumerate([*line.tolist(), line[-1]]))
    land = mask(width, height, top, lambda pen: pen([(0, 2 * height), *crest, (width, 2 * height)]))
    below = np.clip((grid(width, height)[0][top:] - line) / (height * 0.25), 0, 1).astype(np.float32)
    tone = np.full((height - top, width, 3), colour, np.float32)
    blend(tone, haze, below)
    rough = (0.10 + 0.16 * scale) * (0.3 if "snow" in scene.features else 1)
    grain = rough * (noise(rng, width, height - top, 6, 4, stretch=1.5) - 0.5)
    if scene.terrain in ("mountains", "dunes"):
        grain += _relief(line, below)
    tone *= 1 + grain[..., None]
    canvas[top:] += (tone - canvas[top:]) * land[..., None]
    if scene.terrain == "towers":
        _windows(canvas, mix(scene.palette.light, LAMP, 0.4), line, rng)
    elif scale > 0.3 and scene.plants in PLANT_SIZES:
        _grow(canvas, scene, line, mix(scene.palette.plant, haze, 0.45 * (1 - scale)), scale, rng)


def _relief(line: Floats, below: Floats) -> Floats:
    """Return light for the slopes that face left and shade for the others, slanting down from the crest."""
    width = line.size
    rise = np.gradient(np.convolve(np.pad(line, 8, "edge"), np.ones(17) / 17, "valid")).astype(np.float32)
    aslant = np.minimum(np.arange(width) + below * width * 0.09, width - 1).astype(np.intp)
    shade: Floats = -0.13 * np.tanh(rise * 3)[aslant] * (1 - below)
    return shade


def _outline(terrain: str, width: int, rng: RandomState) -> Floats:
    """Return the heights of a terrain, from 0 to 1, along the picture's width."""
    if terrain == "mountains":
        return 0.62 * (1 - np.abs(2 * wave(rng, width, 3, 2) - 1)) + 0.38 * wave(rng, width, 7, 6)
    if terrain == "towers":
        edges = np.sort(rng.randint(0, width, 34))
        return np.repeat(rng.rand(35) ** 1.6, np.diff([0, *edges, width]))
    if terrain == "dunes":
        phase = (np.linspace(0, rng.uniform(1.4, 2.6), width) + rng.rand()) % 1
        return 0.8 * np.minimum(phase / 0.72, (1 - phase) / 0.28) ** 1.4 + 0.2 * wave(rng, width, 3, 2)
    return wave(rng, width, 3, 3)


def _grow(canvas: Floats, scene: Scene, line: Floats, colour: RGB, scale: float, rng: RandomState) -> None:
    height, width = canvas.shape[:2]
    share, density = PLANT_SIZES[scene.plants]
    size = share * scale * math.sqrt(height * width)
    stands = wave(rng, width, 5, 2)
    spots = rng.randint(0, width, int(density * width / size))
    spots = spots[stands[spots] > np.quantile(stands, 0.3)]
    top = max(0, int(line.min() - 2.2 * size))

    def draw(pen: Pen) -> None:
        for x in spots:
            SHAPES[scene.plants](pen, float(x), float(line[x]) + 0.05 * size, size * rng.uniform(0.6, 1.25), rng)

    blend(canvas[top:], colour, mask(width, height, top, draw))


def _windows(canvas: Floats, colour: RGB, line: Floats, rng: RandomState) -> None:
    height, width = canvas.shape[:2]
    cell = max(3, int(math.sqrt(height * width) / 130))
    y, x = np.arange(height)[:, None], np.arange(width)
    glass = (x % cell >= 0.45 * cell) & (y % cell >= 0.4 * cell) & (y > line + cell)
    lit = rng.rand(height // cell + 1, width // cell + 1) ** 3
    blend(canvas, colour, 0.8 * lit[y // cell, x // cell] * glass)


# -- water and the finish ----------------------------------------------------------------------------------------------


def _water(canvas: Floats, scene: Scene, shore: int, sun: tuple[float, float], rng: RandomState) -> None:
    height, width = canvas.shape[:2]
    deep = height - shore
    down, x = grid(width, deep)
    ripple = noise(rng, width, deep, 5, 5, stretch=9) - 0.5
    swell = (0.015 + 0.06 * down / deep) * height
    rows = np.clip(shore - 1 - down * 1.15 + ripple * swell * 2, 0, shore - 1).astype(np.intp)
    columns = np.clip(x + ripple * swell * 0.6, 0, width - 1).astype(np.intp)
    canvas[shore:] = canvas[rows, columns] * (0.93 - 0.3 * down / deep)[..., None]
    blend(canvas[shore:], mix(scene.palette.top, scene.palette.near, 0.4), 0.12 + 0.3 * down / deep)
    path = np.exp(-(((x - sun[0]) / (width * (0.03 + 0.09 * down / deep))) ** 2))
    blend(canvas[shore:], scene.palette.light, path * smooth(ripple, 0.0, 0.16) * 0.75)
    blend(canvas[shore : shore + max(1, height // 300)], scene.palette.horizon, 0.35)


def _finish(canvas: Floats, rng: RandomState) -> None:
    height, width = canvas.shape[:2]
    y, x = grid(width, height)
    canvas *= (1.02 - 0.13 * ((2 * x / width - 1) ** 2 + (2 * y / height - 1) ** 2))[..., None]
    tile = rng.uniform(-2.2, 2.2, (256, 256)).astype(np.float32)  # grain also hides bands in the gradients
    canvas += np.tile(tile, (height // 256 + 1, width // 256 + 1))[:height, :width, None]
    np.clip(canvas, 0, 255, out=canvas)
