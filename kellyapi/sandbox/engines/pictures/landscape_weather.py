"""The nearest things in a landscape: rain, snow, sparks, flowers and birds. `landscape` paints the rest."""

from __future__ import annotations

import math

from numpy.random import RandomState

from .drawing_tools import Floats, blend, dots, mask
from .landscape_plants import Pen
from .prompt_scene import RGB, Scene

SPOTS: dict[str, list[tuple[RGB, int, float, float]]] = {
    "snow": [((255, 255, 255), 420, 0.0032, 0.0)],
    "sparks": [((255, 190, 80), 260, 0.0024, 0.0)],
    "flowers": [
        ((250, 240, 235), 90, 0.003, 0.9),
        ((244, 190, 70), 90, 0.003, 0.9),
        ((226, 88, 110), 90, 0.003, 0.9),
        ((150, 110, 210), 90, 0.003, 0.9),
    ],
}
"""Colour, count, size, and the share of the picture's height below which they begin."""


def weather(canvas: Floats, scene: Scene, rng: RandomState) -> None:
    """Paint the weather, the birds and the flowers of a scene."""
    if "birds" in scene.features:
        _birds(canvas, scene.palette.plant, rng)
    if "rain" in scene.features:
        _rain(canvas, rng)
    for feature, spots in SPOTS.items():
        if feature in scene.features:
            for colour, count, size, top in spots:
                dots(canvas, colour, count, size, 0.88, rng, top)


def _rain(canvas: Floats, rng: RandomState) -> None:
    height, width = canvas.shape[:2]

    drops = rng.rand(260, 3) * (width, height, 0.03 * height) + (0, 0, 0.02 * height)

    def draw(pen: Pen) -> None:
        for x, y, long in drops:
            pen([(x, y), (x + 1.2, y), (x + 0.6 - long * 0.2, y + long)])

    blend(canvas, (225.0, 235.0, 242.0), mask(width, height, 0, draw) * 0.4)


def _birds(canvas: Floats, colour: RGB, rng: RandomState) -> None:
    height, width = canvas.shape[:2]
    unit, (x, y) = math.sqrt(width * height), (rng.uniform(0.2, 0.8) * width, rng.uniform(0.12, 0.34) * height)

    def draw(pen: Pen) -> None:
        for _ in range(rng.randint(4, 10)):
            a, b = x + rng.randn() * unit * 0.07, y + rng.randn() * unit * 0.03
            span = unit * rng.uniform(0.006, 0.014)
            lift, wing = rng.uniform(0.25, 0.6) * span, 0.4 * span
            over = [(a - span, b - lift), (a - wing, b - lift * 1.1), (a, b), (a + wing, b - lift * 1.1)]
            pen(
                [
                    *over,
                    (a + span, b - lift),
                    (a + wing, b - lift * 0.7),
                    (a, b + span * 0.16),
                    (a - wing, b - lift * 0.7),
                ]
            )

    blend(canvas, colour, mask(width, height, 0, draw) * 0.85)
