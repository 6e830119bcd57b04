"""Silhouettes of plants, as polygons. `landscape` chooses their places and colours."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.random import RandomState

Points = list[tuple[float, float]]
Pen = Callable[[Points], None]


# Each function draws a plant of the height `size` whose foot is at (x, y).


def pine(pen: Pen, x: float, y: float, size: float, rng: RandomState) -> None:
    wide, tiers = size * rng.uniform(0.17, 0.24), 6
    left: Points = []
    right: Points = []
    for tier in range(tiers):
        low, reach = y - size * (0.92 - 0.8 * (tier + 1) / tiers), wide * (tier + 1) / tiers
        for side, sign in ((left, -1), (right, 1)):
            side += [(x + sign * reach * rng.uniform(0.9, 1.15), low), (x + sign * reach * 0.5, low - size * 0.02)]
    trunk = size * 0.03
    pen([(x, y - size), *right, (x + trunk, y - size * 0.1), (x + trunk, y + size * 0.1),
         (x - trunk, y + size * 0.1), (x - trunk, y - size * 0.1), *reversed(left)])  # fmt: skip


def acacia(pen: Pen, x: float, y: float, size: float, rng: RandomState) -> None:
    lean = rng.uniform(-0.12, 0.12) * size
    for side in (-0.32, 0.05, 0.36):
        tip = (x + lean + side * size, y - size * rng.uniform(0.6, 0.72))
        pen([(x - size * 0.03, y), (x + size * 0.03, y), (x + lean / 2 + size * 0.02, y - 0.35 * size), tip,
             (x + lean / 2 - size * 0.02, y - 0.35 * size)])  # fmt: skip
        pen(_blob(tip[0], tip[1] - 0.02 * size, size * rng.uniform(0.3, 0.42), size * rng.uniform(0.07, 0.11), rng))


def palm(pen: Pen, x: float, y: float, size: float, rng: RandomState) -> None:
    lean = rng.uniform(-0.35, 0.35) * size
    trunk = [(x + lean * t * t, y - size * t, size * (0.03 - 0.014 * t)) for t in np.linspace(0, 1, 9)]
    pen([(a - w, b) for a, b, w in trunk] + [(a + w, b) for a, b, w in reversed(trunk)])
    crown_x, crown_y, steps = x + lean, y - size, np.linspace(0, 1, 8)
    for angle in np.linspace(-0.5, math.pi + 0.5, 10) + rng.uniform(-0.12, 0.12, 10):
        reach = size * rng.uniform(0.36, 0.46)
        across, rise = math.cos(angle) * reach, (0.3 + 0.55 * math.sin(angle)) * reach
        spine = [(crown_x + across * t, crown_y - rise * t + 0.6 * reach * t * t) for t in steps]
        leaf = [(a, b + 0.13 * reach * math.sin(math.pi * t)) for (a, b), t in zip(spine, steps, strict=True)]
        pen(spine + leaf[::-1])


def broadleaf(pen: Pen, x: float, y: float, size: float, rng: RandomState) -> None:
    foot, fork = size * 0.05, size * 0.03
    pen([(x - foot, y + size / 10), (x - fork, y - size / 2), (x + fork, y - size / 2), (x + foot, y + size / 10)])
    for dx, dy in ((-0.2, 0.5), (0.2, 0.52), (-0.1, 0.68), (0.12, 0.7), (0, 0.82)):
        pen(_blob(x + dx * size, y - dy * size, size * rng.uniform(0.18, 0.25), size * rng.uniform(0.15, 0.21), rng))


def _blob(x: float, y: float, wide: float, high: float, rng: RandomState) -> Points:
    bumps = zip(np.linspace(0, 2 * math.pi, 18), rng.uniform(0.85, 1.15, 18), strict=True)
    return [(x + wide * bump * math.cos(angle), y + high * bump * math.sin(angle)) for angle, bump in bumps]


SHAPES = {"pines": pine, "acacias": acacia, "palms": palm, "broadleaves": broadleaf}
