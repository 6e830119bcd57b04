"""From a prompt to a scene: a place, an hour, colours and a seed. `landscape` paints the scene.

The words of the prompt choose. What they do not choose, the hash of the prompt does.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

RGB = tuple[float, float, float]


class Palette(NamedTuple):
    """Colours of a scene: sky (top, middle, horizon), land (far, near), plants, and the sun or moon."""

    top: RGB
    middle: RGB
    horizon: RGB
    far: RGB
    near: RGB
    plant: RGB
    light: RGB


class Place(NamedTuple):
    """A kind of landscape."""

    words: str
    """Words of a prompt that choose it."""
    colours: str
    """Seven hex colours, in the order of `Palette`."""
    terrain: str
    """mountains, hills, dunes or towers."""
    plants: str
    """pines, broadleaves, acacias, palms or nothing."""
    features: str = ""
    """Features at any hour: water, snow, clouds, birds, flowers, stars, aurora, rain, sparks."""


class Hour(NamedTuple):
    """A time of day or kind of weather."""

    words: str
    """Words of a prompt that choose it."""
    colours: str
    """Seven hex colours, in the order of `Palette`."""
    strength: float
    """How far the place's colours are mixed with these, 0 to 1."""
    features: str = ""


class Scene(NamedTuple):
    """Everything that `landscape` needs."""

    seed: int
    palette: Palette
    terrain: str
    plants: str
    features: frozenset[str]


PLACES = {
    "mountains": Place(
        "mountain alps peak hill rock eagle dragon castle valley cliff bear",
        "2f6db3 86b9e2 f4ead8 93aecb 1d3a4f 12262f fff6dc", "mountains", "pines", "clouds birds",
    ),
    "forest": Place(
        "forest tree wood jungle fox deer owl green leaf pine rabbit fairy garden",
        "4f8a8b a5cba9 f6efc4 8fb79c 123524 0b2418 fff8d8", "hills", "pines", "birds",
    ),
    "lake": Place(
        "lake river pond reflection duck swan canoe bridge water volta",
        "3a6fa8 9cc3dd fbe5c8 86a3c0 1c3d4a 10272c fff3d0", "mountains", "pines", "water clouds",
    ),
    "sea": Place(
        "sea ocean beach coast island wave ship boat sail fish whale dolphin surf harbour harbor palm lagoon",
        "1b6ca8 6cc0dd ffe9c9 6fa4bd 14455a 0c2430 fff4d2", "hills", "palms", "water clouds birds",
    ),
    "savanna": Place(
        "savanna savannah africa lion elephant giraffe zebra acacia safari accra ghana kenya leopard drum baobab",
        "b8502e f09a45 ffe09a cf7f45 3a1a10 1f0d08 fff3c4", "hills", "acacias", "birds",
    ),
    "desert": Place(
        "desert sand dune camel sahara pyramid egypt mars cactus",
        "3b7ea6 d8c3a0 fde7bd e2ae74 7d4322 3a1d10 fffbe6", "dunes", "nothing",
    ),
    "city": Place(
        "city town street skyline tower building robot car neon office cyberpunk train future",
        "23325f 7d6a9c f7b98c 6d6f97 161a33 0d0f20 ffe9c0", "towers", "nothing", "water stars",
    ),
    "winter": Place(
        "snow snowy winter ice icy frost frozen arctic polar christmas penguin wolf ski glacier",
        "4f7fb0 a6c8e2 fbeee6 a9c1d9 f1f6fa 1f3a4d fff9ea", "mountains", "pines", "snow",
    ),
    "meadow": Place(
        "meadow flower field grass spring blossom rose bee butterfly horse cow sheep farm bird dog cat village",
        "5d8fd6 aed3ee fff0d9 a3c4a4 3f7d3f 1f4a2a fffbe0", "hills", "broadleaves", "clouds birds flowers",
    ),
    "volcano": Place(
        "fire volcano lava flame burning hell ember phoenix",
        "1a0a10 84200f ff9a34 7a2417 150608 0a0304 ffe9a8", "mountains", "nothing", "sparks",
    ),
}  # fmt: skip
HOURS = {
    "day": Hour(
        "day noon sunny summer bright blue clear",
        "2f7fd0 8ec7f0 fdf3df 9fc0d8 2b5f63 173a3c fffbe8", 0.2, "clouds",
    ),
    "dawn": Hour(
        "dawn morning sunrise pastel pink soft",
        "46568f c28bb0 ffd3a1 a583a6 2c2a4d 1a1830 fff4d8", 0.65,
    ),
    "dusk": Hour(
        "dusk sunset evening golden warm orange",
        "27285f a3487f ff9c5e 8f4f7c 1d1738 120d24 ffe0a6", 0.65,
    ),
    "night": Hour(
        "night midnight moon moonlight star dark space galaxy dream ghost vampire spooky",
        "040a1e 10234a 3b5f88 27415f 08121f 040a12 f5f1da", 0.85, "stars",
    ),
    "storm": Hour(
        "storm rain rainy thunder cloudy fog mist grey gray sad",
        "1f2a36 4f606c b4bfbd 64747c 18232a 0e161b e8eef0", 0.7, "rain clouds",
    ),
    "polar": Hour(
        "aurora borealis magic magical",
        "030b1c 0b2c42 2f6b74 1f4150 07141c 030a10 e9fff4", 0.85, "stars aurora",
    ),
}  # fmt: skip
COLOURS = {
    "red": "c8202c", "crimson": "b0122f", "scarlet": "d5281c", "gold": "f0b428", "golden": "f0b428",
    "yellow": "f5d442", "orange": "f58220", "pink": "f48fb8", "purple": "7b3fa8", "violet": "7f4fd0",
    "blue": "2a6fd6", "turquoise": "28b8b4", "teal": "1f8f8f", "green": "3f9f4a", "emerald": "1fa060",
    "silver": "b8c4d0", "rose": "e87fa0", "fire": "ff5a1c", "copper": "c06a38",
}  # fmt: skip
SNOW = (241.0, 246.0, 250.0)
SNOWY = ("snow", "snowy", "snowing", "winter", "christmas")


def read_prompt(prompt: str, negative_prompt: str = "", variant: str = "") -> Scene:
    """Return the scene for a prompt, the same on every machine. Words of the negative prompt are not used.

    `variant` changes what the words do not choose.
    """
    hashed = f"{prompt}\0{variant}" if variant else prompt
    seed = int.from_bytes(hashlib.sha256(hashed.encode("utf-8", "surrogatepass")).digest()[:12])
    excluded = _split_words(negative_prompt)
    words = [word for word in _split_words(prompt) if word not in excluded]
    place = PLACES[_find_named(PLACES, words) or _choose(PLACES, seed, excluded)]
    hour = HOURS[_find_named(HOURS, words) or _choose(("dawn", "day", "dusk", "night"), seed >> 16, excluded)]
    palette = Palette(*(mix(a, b, hour.strength) for a, b in zip(_colours(place), _colours(hour), strict=True)))
    for word in dict.fromkeys(words):
        if word in COLOURS:
            palette = _tint(palette, _rgb(COLOURS[word]))
    features = {*place.features.split(), *hour.features.split(), *("snow" for word in words if word in SNOWY)}
    features -= set(excluded)
    if "snow" in features:  # the ground is lighter than the sky, also at night
        palette = palette._replace(near=mix(mix(palette.near, SNOW, 0.5), palette.horizon, 0.35))
    if "stars" in hour.features or "rain" in hour.features:
        features.discard("birds")
    return Scene(seed, palette, place.terrain, place.plants, frozenset(features))


def mix(a: RGB, b: RGB, share: float) -> RGB:
    """Return a colour between two: `a` at 0, `b` at 1."""
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share)


def _split_words(text: str) -> list[str]:
    """Return the words of a text, each also without a final "s"."""
    return [form for word in re.findall(r"[^\W\d_]+", text.lower()) for form in (word, word.removesuffix("s"))]


def _find_named(table: Mapping[str, Place | Hour], words: list[str]) -> str | None:
    """Return the entry that the words name. The last word wins: "a fox in snow" is about snow."""
    name_by_word = {word: name for name, entry in table.items() for word in (name, *entry.words.split())}
    return next((name_by_word[word] for word in reversed(words) if word in name_by_word), None)


def _choose(names: Iterable[str], number: int, excluded: list[str]) -> str:
    choices = [name for name in names if name not in excluded] or list(names)
    return choices[number % len(choices)]


def _colours(entry: Place | Hour) -> list[RGB]:
    return [_rgb(colour) for colour in entry.colours.split()]


def _rgb(colour: str) -> RGB:
    red, green, blue = bytes.fromhex(colour)
    return float(red), float(green), float(blue)


def _tint(palette: Palette, colour: RGB) -> Palette:
    return palette._replace(
        top=mix(palette.top, colour, 0.18),
        middle=mix(palette.middle, colour, 0.4),
        horizon=mix(palette.horizon, colour, 0.3),
        far=mix(palette.far, colour, 0.35),
        light=mix(palette.light, colour, 0.1),
    )
