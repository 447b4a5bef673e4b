"""Each measure by the number of units, one line a method, as SVG."""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from tests.benchmarks.explanations.effects import OPERATORS
from tests.benchmarks.explanations.report import LABELS, MEASURE_LABELS, OPERATOR_LABELS
from tests.benchmarks.explanations.stages import LARGEST
from tests.benchmarks.explanations.summary import BY_SIZE

WIDTH, HEIGHT = 250, 190  # of a panel
LEFT, TOP, RIGHT, BOTTOM = 44, 30, 12, 26
LEGEND = 70
COLOURS = {
    "joint": "#c1121f",
    "greedy": "#ff8fab",
    "leave_one_out": "#f4795b",
    "shapley": "#7b2d8b",
    "learned_mask": "#b58900",
    "integrated_gradients": "#1d4e89",
    "gradient_input": "#4ea8de",
    "attention": "#2a9d4a",
    "rollout": "#8ac926",
    "similarity": "#a0522d",
    "recency": "#111111",
    "random": "#999999",
}


def plot(result: Mapping[str, Any]) -> str:
    """Panels: operators below each other, measures side by side; bars are 95 % intervals over shoppers."""
    width, height = WIDTH * len(BY_SIZE), HEIGHT * len(OPERATORS) + LEGEND
    marks = [
        _panel(result, operator, measure, column * WIDTH, row * HEIGHT)
        for row, operator in enumerate(OPERATORS)
        for column, measure in enumerate(BY_SIZE)
    ]
    marks.append(_legend(list(result["methods"]), HEIGHT * len(OPERATORS)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="11" role="img">\n<title>Measures by number of units</title>\n'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n' + "\n".join(marks) + "\n</svg>\n"
    )


def _panel(result: Mapping[str, Any], operator: str, measure: str, left: float, top: float) -> str:
    series: dict[str, Sequence[Sequence[float]]] = {
        name: entry[operator][measure] for name, entry in result["methods"].items()
    }
    highest = max(high for points in series.values() for _, _, high in points) * 1.05
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(size: int, shift: float = 0.0) -> float:
        return left + LEFT + inner_width * ((size - 0.5) / LARGEST) + shift

    def y(value: float) -> float:
        return top + TOP + inner_height * (1 - value / highest)

    title = escape(f"{MEASURE_LABELS[measure]}, {OPERATOR_LABELS[operator]}")
    parts = [f'<text x="{left + LEFT}" y="{top + 18}" font-weight="bold">{title}</text>']
    for tick in range(5):
        value = highest * tick / 4
        parts.append(
            f'<line x1="{left + LEFT}" x2="{left + WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" '
            f'stroke="#e3e3e3"/><text x="{left + LEFT - 5}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.2f}</text>'
        )
    parts += [
        f'<text x="{x(size):.1f}" y="{top + HEIGHT - 10}" text-anchor="middle">{size}</text>'
        for size in range(1, LARGEST + 1)
    ]
    for number, (name, points) in enumerate(series.items()):
        shift = (number - len(series) / 2) * 1.2
        line = " ".join(f"{x(size, shift):.1f},{y(mean):.1f}" for size, (mean, _, _) in enumerate(points, start=1))
        bars = "".join(
            f'<line x1="{x(size, shift):.1f}" x2="{x(size, shift):.1f}" y1="{y(low):.1f}" y2="{y(high):.1f}"/>'
            for size, (_, low, high) in enumerate(points, start=1)
        )
        parts.append(
            f'<g stroke="{COLOURS[name]}" fill="none" stroke-width="{2.4 if name == "joint" else 1.3}">'
            f'<polyline points="{line}"/>{bars}</g>'
        )
    return "\n".join(parts)


def _legend(names: Sequence[str], top: float) -> str:
    parts = []
    for number, name in enumerate(names):
        x, y = 20 + (number % 4) * WIDTH, top + 16 + (number // 4) * 20
        label = escape(LABELS[name].strip("*"))
        parts.append(
            f'<line x1="{x}" x2="{x + 22}" y1="{y}" y2="{y}" stroke="{COLOURS[name]}" stroke-width="3"/>'
            f'<text x="{x + 28}" y="{y + 4}">{label}</text>'
        )
    return "\n".join(parts)
