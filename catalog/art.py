"""A picture for a product that has none: a two-tone pattern from its group's hue and its id, with the group's sign."""

import colorsys
import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from hashlib import blake2b

from catalog.glyphs import DEFAULT, GLYPHS

_CELL = 60  # the picture is four by four cells
_SIDE = 4 * _CELL


def product_art(*, product_key: str, hue: int, glyph: str, size: int = _SIDE) -> str:
    """Return an SVG element, the same for the same arguments; presentation attributes only, so any CSP allows it.

    1. The key's hash chooses the motif, the quarter turn of each cell, and a small shift of the hue.
    2. Two tones of equal perceived lightness in every hue fill the square; they suit light and dark paper.
    3. The sign stands on a calm disc, so that it reads at 40 pixels.

    Decoration for a reader: the title beside it says what the product is.
    """
    seed = blake2b(product_key.encode(), digest_size=16).digest()
    angle = _perceived(hue % 360) + (seed[0] % 5 - 2) * 5
    light, deep = _colour(0.885, 0.05, angle), _colour(0.79, 0.085, angle)
    ground, figure = (light, deep) if seed[1] % 3 else (deep, light)
    draw = _MOTIFS[seed[2] % len(_MOTIFS)]
    turns = list(_quarter_turns(seed[4:8], mirrors=seed[3] % 3))
    pattern = "".join(
        f"M{column * _CELL} {row * _CELL}{draw(turns[row * 4 + column])}" for row in range(4) for column in range(4)
    )
    sign = GLYPHS.get(glyph, GLYPHS[DEFAULT])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIDE} {_SIDE}" width="{size}" height="{size}" '
        'aria-hidden="true" focusable="false">'
        f'<rect width="{_SIDE}" height="{_SIDE}" fill="{ground}"/>'
        f'<path fill="{figure}" d="{pattern}"/>'
        f'<circle cx="120" cy="120" r="66" fill="{_colour(0.965, 0.014, angle)}"/>'
        f'<path transform="translate(72 72) scale(4)" fill="none" stroke="{_colour(0.40, 0.085, angle)}" '
        f'stroke-width="1.3" stroke-linecap="round" stroke-linejoin="round" d="{sign}"/>'
        "</svg>"
    )


def _quarter_turns(seed: bytes, *, mirrors: int) -> Iterator[int]:
    """Yield a quarter turn for each of the 16 cells: free, mirrored left to right, or also top to bottom."""
    free = [seed[cell // 4] >> (cell % 4 * 2) & 3 for cell in range(16)]
    for cell in range(16):
        row, column = divmod(cell, 4)
        across, down = mirrors > 0 and column > 1, mirrors > 1 and row > 1
        turn = free[(3 - row if down else row) * 4 + (3 - column if across else column)]
        turn = _MIRROR_ACROSS[turn] if across else turn
        yield _MIRROR_DOWN[turn] if down else turn


# Where a corner goes that is top left, top right, bottom right, bottom left (turns 0 to 3).
_MIRROR_ACROSS = (1, 0, 3, 2)
_MIRROR_DOWN = (3, 2, 1, 0)


# Each motif draws one cell, starting at its top left corner, for a quarter turn from 0 to 3.
def _quarter_disc(turn: int) -> str:
    return (
        "h60a60 60 0 0 1-60 60z",
        "h60v60a60 60 0 0 1-60-60z",
        "m60 0v60h-60a60 60 0 0 1 60-60z",
        "a60 60 0 0 1 60 60h-60z",
    )[turn]


def _triangle(turn: int) -> str:
    return ("h60l-60 60z", "h60v60z", "m60 0v60h-60z", "l60 60h-60z")[turn]


def _leaf(turn: int) -> str:
    return ("a60 60 0 0 1 60 60a60 60 0 0 1-60-60z", "m60 0a60 60 0 0 1-60 60a60 60 0 0 1 60-60z")[turn % 2]


def _half_disc(turn: int) -> str:
    return ("h60a30 30 0 0 1-60 0z", "m60 0v60a30 30 0 0 1 0-60z", "m0 60a30 30 0 0 1 60 0z", "v60a30 30 0 0 0 0-60z")[
        turn
    ]


def _disc(turn: int) -> str:
    radius = (8, 14, 20, 26)[turn]
    return f"m{30 - radius} 30a{radius} {radius} 0 1 0 {2 * radius} 0a{radius} {radius} 0 1 0-{2 * radius} 0z"


def _stripes(turn: int) -> str:
    return ("h60v15h-60zm0 30h60v15h-60z", "h15v60h-15zm30 0h15v60h-15z")[turn % 2]


def _ring(turn: int) -> str:
    return (
        "m15 0h30a45 45 0 0 1-45 45v-30a15 15 0 0 0 15-15z",
        "m15 0h30a15 15 0 0 0 15 15v30a45 45 0 0 1-45-45z",
        "m60 15v30a15 15 0 0 0-15 15h-30a45 45 0 0 1 45-45z",
        "m0 15a45 45 0 0 1 45 45h-30a15 15 0 0 0-15-15z",
    )[turn]


_MOTIFS: tuple[Callable[[int], str], ...] = (_quarter_disc, _triangle, _leaf, _half_disc, _disc, _stripes, _ring)


@lru_cache(maxsize=360)
def _perceived(hue: int) -> float:
    """The OKLCH angle of a hue of the usual colour circle, in degrees."""
    red, green, blue = (_linear(channel) for channel in colorsys.hls_to_rgb(hue / 360, 0.5, 1.0))
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    a = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
    b = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
    return math.degrees(math.atan2(b, a))


def _colour(lightness: float, chroma: float, angle: float) -> str:
    """An OKLCH colour as #rrggbb; channels out of gamut are cut."""
    a, b = chroma * math.cos(math.radians(angle)), chroma * math.sin(math.radians(angle))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    channels = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    return "#" + "".join(f"{round(255 * _encoded(min(1.0, max(0.0, channel)))):02x}" for channel in channels)


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def _encoded(channel: float) -> float:
    return 12.92 * channel if channel <= 0.0031308 else 1.055 * channel ** (1 / 2.4) - 0.055
