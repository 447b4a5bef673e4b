"""Charts as inline SVG, drawn on the server with presentation attributes only: a strict policy blocks `style=`.

Colours are classes of the admin's style sheet (`for`, `against`, `soft`, `hairline`) over `currentColor`, so a chart
follows the theme, and every value is also written as text: colour alone carries nothing.
"""

import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

WIDTH = 560
LABELS = 200  # the column of labels left of horizontal bars
VALUES = 64  # the column of values right of them
ROW = 28
AXIS = 44  # ticks and name of the axis below
MARGIN = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One labelled value; `note` is said after the number ("2nd to 14th")."""

    label: str
    value: float
    note: str = ""
    is_quiet: bool = False  # stands beside what the chart is about


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A dot of a reliability diagram: of `count` products with about this chance, how many were bought."""

    predicted: float
    observed: float
    count: int


@dataclass(kw_only=True, slots=True)
class _Drawing:
    """Marks collected in order; `svg` wraps them with the title and description for screen readers."""

    title: str
    description: str
    height: float
    marks: list[SafeString] = field(default_factory=list)

    def rect(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        self.marks.append(
            format_html(
                '<rect x="{}" y="{}" width="{}" height="{}" rx="2" fill="currentColor" class="{}"/>',
                _px(x),
                _px(y),
                _px(max(width, 1)),  # a tiny value is still seen
                _px(height),
                kind,
            )
        )

    def line(
        self, x1: float, y1: float, x2: float, y2: float, kind: str = "hairline", *, is_dashed: bool = False
    ) -> None:
        self.marks.append(
            format_html(
                '<line x1="{}" y1="{}" x2="{}" y2="{}" stroke="currentColor" class="{}"{}/>',
                _px(x1),
                _px(y1),
                _px(x2),
                _px(y2),
                kind,
                format_html(' stroke-dasharray="{}"', "4 4") if is_dashed else "",
            )
        )

    def text(self, x: float, y: float, text: str, *, anchor: str = "start", kind: str = "ink", limit: int = 0) -> None:
        short = shorten(text, limit) if limit else text
        hover = format_html("<title>{}</title>", text) if short != text else ""
        self.marks.append(
            format_html(
                '<text x="{}" y="{}" text-anchor="{}" fill="currentColor" class="{}">{}{}</text>',
                _px(x),
                _px(y),
                anchor,
                kind,
                hover,
                short,
            )
        )

    def curve(self, points: Iterable[tuple[float, float]], kind: str) -> None:
        joined = " ".join(f"{_px(x)},{_px(y)}" for x, y in points)
        self.marks.append(
            format_html(
                '<polyline points="{}" fill="none" stroke="currentColor" stroke-width="2" stroke-linejoin="round" '
                'class="{}"/>',
                joined,
                kind,
            )
        )

    def dot(self, x: float, y: float, radius: float, kind: str, hover: str) -> None:
        self.marks.append(
            format_html(
                '<circle cx="{}" cy="{}" r="{}" fill="currentColor" class="{}"><title>{}</title></circle>',
                _px(x),
                _px(y),
                _px(radius),
                kind,
                hover,
            )
        )

    def horizontal_axis(self, scale: "_Scale", name: str, top: float, bottom: float) -> None:
        for tick in scale.ticks():
            x = scale(tick)
            self.line(x, top, x, bottom)
            self.text(x, bottom + 18, number(tick), anchor="middle", kind="soft")
        self.text((scale.start + scale.end) / 2, bottom + 36, name, anchor="middle", kind="soft")

    def svg(self) -> SafeString:
        return format_html(
            '<svg class="chart" viewBox="0 0 {} {}" role="img" xmlns="http://www.w3.org/2000/svg" font-size="13">'
            "<title>{}</title><desc>{}</desc>{}</svg>",
            WIDTH,
            _px(self.height),
            self.title,
            self.description,
            format_html_join("", "{}", ((mark,) for mark in self.marks)),
        )


@dataclass(frozen=True, slots=True)
class _Scale:
    """From values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low or 1.0
        return self.start + (value - self.low) / span * (self.end - self.start)

    def ticks(self, about: int = 5) -> list[float]:
        """Round numbers inside the range, about so many."""
        span = self.high - self.low
        if span <= 0:
            return [self.low]
        raw = span / about
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(index * step, 12) for index in range(first, last + 1)]


def _px(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def number(value: float) -> str:
    """Three digits: what a chart can show. A real minus, so that signs align and read well."""
    if value == 0:
        return "0"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    if "e" in text:
        text = f"{value:.1e}"
    return text.replace("-", "−")


def signed(value: float) -> str:
    return f"+{number(value)}" if value > 0 else number(value)


def shorten(text: str, limit: int) -> str:
    """At most `limit` columns, where a Chinese character takes two."""
    width = 0
    for position, character in enumerate(text):
        width += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if width > limit:
            return text[: max(position - 1, 1)].rstrip() + "…"
    return text


def bars(*, title: str, bars: Sequence[Bar], unit: str) -> SafeString:
    """Amounts side by side, from zero."""
    height = MARGIN + ROW * len(bars) + AXIS
    described = "; ".join(f"{bar.label}: {number(bar.value)} {bar.note}".strip() for bar in bars)
    drawing = _Drawing(title=title, description=described, height=height)
    room = VALUES + (44 if any(bar.note for bar in bars) else 0)
    scale = _Scale(0.0, max([bar.value for bar in bars], default=1.0) or 1.0, LABELS, WIDTH - room - MARGIN)
    drawing.horizontal_axis(scale, unit, MARGIN, MARGIN + ROW * len(bars))
    for row, bar in enumerate(bars):
        y = MARGIN + row * ROW
        drawing.text(LABELS - 10, y + 19, bar.label, anchor="end", limit=25)
        drawing.rect(LABELS, y + 6, scale(bar.value) - LABELS, ROW - 12, "soft" if bar.is_quiet else "for")
        drawing.text(scale(bar.value) + 8, y + 19, f"{number(bar.value)} {bar.note}".strip(), kind="ink")
    return drawing.svg()


def signed_bars(*, title: str, bars: Sequence[Bar], unit: str) -> SafeString:
    """What speaks for and against, on one zero line; the sign is written, not only coloured."""
    height = MARGIN + ROW * len(bars) + AXIS
    described = "; ".join(f"{bar.label}: {signed(bar.value)} {bar.note}".strip() for bar in bars)
    drawing = _Drawing(title=title, description=described, height=height)
    low = min([bar.value for bar in bars] + [0.0])
    high = max([bar.value for bar in bars] + [0.0])
    if low == high:
        high = 1.0
    scale = _Scale(low, high, LABELS, WIDTH - 150)
    bottom = MARGIN + ROW * len(bars)
    drawing.horizontal_axis(scale, unit, MARGIN, bottom)
    drawing.line(scale(0), MARGIN, scale(0), bottom, "ink")
    for row, bar in enumerate(bars):
        y = MARGIN + row * ROW
        start, end = sorted([scale(0), scale(bar.value)])
        drawing.text(LABELS - 10, y + 19, bar.label, anchor="end", limit=25)
        drawing.rect(start, y + 6, end - start, ROW - 12, "for" if bar.value >= 0 else "against")
        value = f"{signed(bar.value)} {bar.note}".strip()
        if bar.value >= 0:
            drawing.text(end + 8, y + 19, value, limit=22)
        else:
            drawing.text(scale(0) + 8, y + 19, value, limit=22)
    return drawing.svg()


def waterfall(*, title: str, start: Bar, steps: Sequence[Bar], total: str, unit: str) -> SafeString:
    """A sum, step by step: where it starts, what each step adds or takes, where it ends."""
    levels = [start.value]
    for step in steps:
        levels.append(levels[-1] + step.value)
    rows = len(steps) + 2
    bottom = MARGIN + ROW * rows
    described = "; ".join(
        [f"{start.label}: {number(start.value)}"]
        + [f"{step.label}: {signed(step.value)}" for step in steps]
        + [f"{total}: {number(levels[-1])}"]
    )
    drawing = _Drawing(title=title, description=described, height=bottom + AXIS)
    low, high = min([0.0, *levels]), max([0.0, *levels])
    scale = _Scale(low, high if high > low else low + 1.0, LABELS + 10, WIDTH - VALUES - MARGIN)
    drawing.horizontal_axis(scale, unit, MARGIN, bottom)
    drawing.line(scale(0), MARGIN, scale(0), bottom, "ink")

    def row(index: int, label: str, span: tuple[float, float], text: str, kind: str) -> None:
        y = MARGIN + index * ROW
        left, right = sorted([scale(span[0]), scale(span[1])])
        drawing.text(LABELS - 10, y + 19, label, anchor="end", limit=25)
        drawing.rect(left, y + 6, right - left, ROW - 12, kind)
        drawing.text(right + 8, y + 19, text)

    row(0, start.label, (0.0, start.value), number(start.value), "soft")
    for index, (step, span) in enumerate(zip(steps, pairwise(levels), strict=True), start=1):
        x = scale(span[0])
        drawing.line(x, MARGIN + (index - 1) * ROW + ROW - 6, x, MARGIN + index * ROW + 6, "soft")
        row(index, step.label, span, signed(step.value), "for" if step.value >= 0 else "against")
    x = scale(levels[-1])
    drawing.line(x, MARGIN + len(steps) * ROW + ROW - 6, x, MARGIN + (rows - 1) * ROW + 6, "soft")
    row(rows - 1, total, (0.0, levels[-1]), number(levels[-1]), "ink")
    return drawing.svg()


def curve(
    *, title: str, points: Sequence[tuple[float, float]], across: str, up: str, best: float | None = None
) -> SafeString:
    """One series over epochs; `best` marks the epoch whose weights were kept."""
    plot_height, left = 200, 60
    top = MARGIN + 12
    bottom = top + plot_height
    values = [value for _x, value in points]
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    first, last = (points[0][0], points[-1][0]) if points else (0.0, 1.0)
    described = (
        _("%(up)s from %(first)s to %(last)s over %(count)s points.")
        % {"up": up, "first": number(values[0]), "last": number(values[-1]), "count": len(values)}
        if values
        else _("No data yet.")
    )
    drawing = _Drawing(title=title, description=described, height=bottom + AXIS)
    x = _Scale(first, last if last > first else first + 1, left, WIDTH - 60)
    y = _Scale(low - room, high + room, bottom, top)
    for tick in y.ticks(4):
        drawing.line(left, y(tick), WIDTH - 60, y(tick))
        drawing.text(left - 8, y(tick) + 4, number(tick), anchor="end", kind="soft")
    for tick in x.ticks(8):
        if tick == int(tick):
            drawing.text(x(tick), bottom + 18, number(tick), anchor="middle", kind="soft")
    drawing.text((left + WIDTH - 60) / 2, bottom + 36, across, anchor="middle", kind="soft")
    drawing.text(left, MARGIN, up, kind="soft")
    drawing.line(left, bottom, WIDTH - 60, bottom, "soft")
    drawing.curve([(x(at), y(value)) for at, value in points], "for")
    for at, value in points:
        drawing.dot(x(at), y(value), 3.5 if at != best else 6, "for", f"{across} {number(at)}: {number(value)}")
    if points:
        at, value = points[-1] if best is None else next(point for point in points if point[0] == best)
        drawing.text(x(at) + 10, y(value) - 6, number(value), kind="ink")
    return drawing.svg()


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """A named line; its dash and its name at the end tell it from others, not its colour alone."""

    name: str
    points: Sequence[tuple[float, float]]
    kind: str = "soft"


def lines(*, title: str, series: Sequence[Series], across: str, up: str) -> SafeString:
    """Several series over whole numbers, each named at its last point."""
    plot_height, left, right = 220, 60, WIDTH - 110
    top = MARGIN + 12
    bottom = top + plot_height
    values = [value for each in series for _x, value in each.points]
    places = sorted({at for each in series for at, _y in each.points})
    low, high = min([0.0, *values]), max(values, default=1.0) * 1.05
    described = "; ".join(
        f"{each.name}: " + ", ".join(f"{number(at)} {number(value)}" for at, value in each.points) for each in series
    )
    drawing = _Drawing(title=title, description=described or _("No data yet."), height=bottom + AXIS)
    first, last = (places[0], places[-1]) if places else (0.0, 1.0)
    x = _Scale(first, last if last > first else first + 1, left, right)
    y = _Scale(low, high if high > low else low + 1.0, bottom, top)
    for tick in y.ticks(4):
        drawing.line(left, y(tick), right, y(tick))
        drawing.text(left - 8, y(tick) + 4, number(tick), anchor="end", kind="soft")
    for at in places[-12:]:
        drawing.text(x(at), bottom + 18, number(at), anchor="middle", kind="soft")
    drawing.text((left + right) / 2, bottom + 36, across, anchor="middle", kind="soft")
    drawing.text(left, MARGIN, up, kind="soft")
    drawing.line(left, bottom, right, bottom, "soft")
    ends: list[float] = []
    for each in sorted(series, key=lambda one: -one.points[-1][1] if one.points else 0.0):
        if not each.points:
            continue
        drawing.curve([(x(at), y(value)) for at, value in each.points], each.kind)
        for at, value in each.points:
            drawing.dot(x(at), y(value), 3.5, each.kind, f"{each.name}, {number(at)}: {number(value)}")
        place = y(each.points[-1][1]) + 4
        place = max(place, ends[-1] + 15) if ends else place
        ends.append(place)
        drawing.text(x(each.points[-1][0]) + 8, place, f"{each.name} {number(each.points[-1][1])}", limit=16)
    return drawing.svg()


def calibration(*, title: str, points: Sequence[Point], across: str, up: str) -> SafeString:
    """A reliability diagram: on the diagonal the stated chance is what happened; dots grow with their count."""
    size, left = 330, 64
    top = MARGIN + 8
    bottom = top + size
    top_value = max([point.predicted for point in points] + [point.observed for point in points], default=1.0) * 1.08
    described = "; ".join(
        _("stated %(stated)s, happened %(happened)s, of %(count)s")
        % {"stated": percent(point.predicted), "happened": percent(point.observed), "count": number(point.count)}
        for point in points
    )
    drawing = _Drawing(title=title, description=described, height=bottom + AXIS)
    x = _Scale(0.0, top_value or 1.0, left, left + size)
    y = _Scale(0.0, top_value or 1.0, bottom, top)
    for tick in x.ticks(4):
        drawing.line(left, y(tick), left + size, y(tick))
        drawing.line(x(tick), top, x(tick), bottom)
        drawing.text(left - 8, y(tick) + 4, percent(tick), anchor="end", kind="soft")
        drawing.text(x(tick), bottom + 18, percent(tick), anchor="middle", kind="soft")
    drawing.line(x(0), y(0), x(top_value), y(top_value), "soft", is_dashed=True)
    drawing.text((left + left + size) / 2, bottom + 36, across, anchor="middle", kind="soft")
    drawing.text(left, MARGIN - 1, up, kind="soft")
    drawing.curve([(x(point.predicted), y(point.observed)) for point in points], "for")
    largest = max([point.count for point in points], default=1) or 1
    for point in points:
        radius = 3 + 7 * math.sqrt(point.count / largest)
        hover = f"{percent(point.predicted)} → {percent(point.observed)} ({number(point.count)})"
        drawing.dot(x(point.predicted), y(point.observed), radius, "for", hover)
    return drawing.svg()


def percent(value: float) -> str:
    return f"{value * 100:.3g} %"
