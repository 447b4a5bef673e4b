"""Charts obey the policy, say their values as text, and add up."""

import re
from xml.etree import ElementTree as ET

import pytest
from django.utils.safestring import SafeString

from recommendations import charts
from recommendations.charts import Bar, Point

SVG = "{http://www.w3.org/2000/svg}"
ATTRIBUTES = {
    "viewBox", "role", "font-size", "class", "x", "y", "width", "height", "rx", "fill", "x1", "y1", "x2", "y2",
    "stroke", "stroke-dasharray", "stroke-width", "stroke-linejoin", "text-anchor", "points", "cx", "cy", "r",
}  # fmt: skip
BARS = [Bar(label="Rabbit <night> light", value=1.5), Bar(label="复古圆点罐子与花园鸟类装饰摆件套装", value=0.25)]
SIGNED = [Bar(label="tins", value=1.2, note="(rank 2 → 14)"), Bar(label="bag", value=-0.3)]


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314  our own


def every_chart() -> dict[str, SafeString]:
    return {
        "bars": charts.bars(title="t", bars=BARS, unit="u"),
        "no bars": charts.bars(title="t", bars=[], unit="u"),
        "signed": charts.signed_bars(title="t", bars=SIGNED, unit="u"),
        "nothing signed": charts.signed_bars(title="t", bars=[], unit="u"),
        "waterfall": charts.waterfall(title="t", start=Bar(label="s", value=-0.6), steps=SIGNED, total="sum", unit="u"),
        "flat waterfall": charts.waterfall(title="t", start=Bar(label="s", value=0.0), steps=[], total="sum", unit="u"),
        "curve": charts.curve(title="t", points=[(1, 5.0), (2, 4.0), (3, 4.5)], across="epoch", up="loss", best=2),
        "one point": charts.curve(title="t", points=[(1, 5.0)], across="epoch", up="loss"),
        "no curve": charts.curve(title="t", points=[], across="epoch", up="loss"),
        "calibration": charts.calibration(
            title="t", points=[Point(predicted=0.02, observed=0.018, count=900)], across="stated", up="happened"
        ),
        "no calibration": charts.calibration(title="t", points=[], across="stated", up="happened"),
    }


@pytest.mark.parametrize("name", every_chart())
def test_a_chart_has_presentation_attributes_only_and_a_name_for_screen_readers(name: str) -> None:
    svg = every_chart()[name]

    root = parsed(svg)

    found = {attribute for element in root.iter() for attribute in element.attrib}
    assert found <= ATTRIBUTES
    assert root.attrib["role"] == "img"
    assert root[0].tag == f"{SVG}title"
    assert root[1].tag == f"{SVG}desc"
    assert not re.search(r"nan|inf\b", svg)


def test_labels_are_escaped_and_shortened_with_the_whole_in_a_tooltip() -> None:
    svg = charts.bars(title="<t>", bars=BARS, unit="u")

    assert "<night>" not in svg
    assert "Rabbit &lt;night&gt; light" in svg
    texts = list(parsed(svg).iter(f"{SVG}text"))
    long = next(element for element in texts if element[:] and element[0].text == BARS[1].label)
    assert (long[0].tail or "").endswith("…")


def test_bars_are_proportional_and_start_at_zero() -> None:
    svg = charts.bars(title="t", bars=[Bar(label="a", value=4.0), Bar(label="b", value=1.0)], unit="u")

    long, short = (float(rect.attrib["width"]) for rect in parsed(svg).iter(f"{SVG}rect"))

    assert long == pytest.approx(4 * short, abs=0.2)


def test_signed_bars_share_one_zero_line() -> None:
    svg = charts.signed_bars(title="t", bars=SIGNED, unit="u")

    up, down = parsed(svg).iter(f"{SVG}rect")
    assert up.attrib["class"] == "for"
    assert down.attrib["class"] == "against"
    assert float(down.attrib["x"]) + float(down.attrib["width"]) == pytest.approx(float(up.attrib["x"]), abs=0.2)


def test_a_waterfall_ends_where_its_steps_lead() -> None:
    svg = charts.waterfall(title="t", start=Bar(label="s", value=0.5), steps=SIGNED, total="sum", unit="u")

    root = parsed(svg)
    start, up, down, total = (
        (float(rect.attrib["x"]), float(rect.attrib["x"]) + float(rect.attrib["width"]))
        for rect in root.iter(f"{SVG}rect")
    )
    assert up[0] == pytest.approx(start[1], abs=0.2)
    assert down[1] == pytest.approx(up[1], abs=0.2)
    assert total == pytest.approx((start[0], down[0]), abs=0.2)
    assert root[1].text == "s: 0.5; tins: +1.2; bag: −0.3; sum: 1.4"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1234.5, "1,234"), (-0.25, "−0.25"), (0.000012, "1.2e−05"), (12.345, "12.3"), (1e7, "10,000,000")],
)
def test_numbers_have_three_digits_and_a_real_minus(value: float, text: str) -> None:
    assert charts.number(value) == text


def test_a_chinese_character_takes_two_columns() -> None:
    assert charts.shorten("abcdef", 6) == "abcdef"
    assert charts.shorten("abcdefg", 6) == "abcde…"
    assert charts.shorten("花园鸟", 6) == "花园鸟"
    assert charts.shorten("花园鸟类", 6) == "花园…"
