"""Generated pictures."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.art import product_art
from catalog.demo_shop.categories import GROUPS
from catalog.glyphs import DEFAULT, GLYPHS

SVG = "{http://www.w3.org/2000/svg}"


def luminance(colour: str) -> float:
    """The relative luminance of #rrggbb, as WCAG defines it."""
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@given(st.text(max_size=30), st.integers(0, 359), st.sampled_from(sorted(GLYPHS)))
def test_every_picture_is_small_well_formed_and_without_style(key: str, hue: int, glyph: str) -> None:
    svg = product_art(product_key=key, hue=hue, glyph=glyph)

    assert len(svg) < 3_000
    assert ET.fromstring(svg).tag == f"{SVG}svg"  # noqa: S314 -- we wrote it
    assert "style" not in svg
    assert set(re.findall(r'"(#[^"]*)"', svg)) == set(re.findall(r'"(#[0-9a-f]{6})"', svg))


def test_the_same_product_always_has_the_same_picture() -> None:
    first = product_art(product_key="85123a", hue=46, glyph="candle")

    assert product_art(product_key="85123a", hue=46, glyph="candle") == first
    assert first.count("<") == 6


def test_980_of_1000_products_of_one_group_differ() -> None:
    assert len({product_art(product_key=str(key), hue=46, glyph="candle") for key in range(1_000)}) == 980


def test_the_size_changes_nothing_but_the_size() -> None:
    small = product_art(product_key="1", hue=0, glyph="cup", size=44)

    assert 'width="44" height="44"' in small
    assert small.replace('"44"', '"240"') == product_art(product_key="1", hue=0, glyph="cup")


def test_an_unknown_glyph_is_shown_as_the_default() -> None:
    assert product_art(product_key="1", hue=0, glyph="dodo") == product_art(product_key="1", hue=0, glyph=DEFAULT)


@pytest.mark.parametrize("hue", range(0, 360, 15))
def test_the_sign_contrasts_with_its_disc_in_every_hue(hue: int) -> None:
    root = ET.fromstring(product_art(product_key="1", hue=hue, glyph="cup"))  # noqa: S314
    disc, sign = root.find(f"{SVG}circle"), root.findall(f"{SVG}path")[1]

    assert disc is not None
    assert (luminance(disc.attrib["fill"]) + 0.05) / (luminance(sign.attrib["stroke"]) + 0.05) >= 7


def test_every_group_of_the_demo_shop_has_a_glyph() -> None:
    assert {group.glyph for group in GROUPS} == GLYPHS.keys()
