"""Two plots as SVG: how well each contestant ranks, and how fast each gets there."""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

from tests.benchmarks.ranking.contestants import CONTESTANTS

WIDTH, ROW, LEFT, RIGHT = 760, 26, 220, 90
OURS, OTHERS, INK, GRID = "#0b6e4f", "#8a94a0", "#22272e", "#d8dde3"
Runs = Sequence[dict[str, Any]]


def draw(results: Mapping[str, Runs], kind: str, title: str) -> dict[str, str]:
    """name -> SVG."""
    return {"ndcg": _bars(results, kind, title), "progress": _curves(results, title)}


def _text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 13, weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-family="sans-serif" font-size="{size}" font-weight="{weight}" '
        f'fill="{INK}" text-anchor="{anchor}">{escape(words)}</text>'
    )


def _svg(height: float, parts: Sequence[str], title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img">'
        f'<title>{escape(title)}</title><rect width="{WIDTH}" height="{height:.0f}" fill="#ffffff"/>'
        + "".join(parts)
        + "</svg>\n"
    )


def _bars(results: Mapping[str, Runs], kind: str, title: str) -> str:
    values = {
        name: float(np.mean([run["kinds"][kind]["ndcg@10"] for run in runs]))
        for name, runs in results.items()
        if kind in runs[0]["kinds"]
    }
    names = sorted(values, key=lambda name: -values[name])
    scale = (WIDTH - LEFT - RIGHT) / max(values.values())
    words = f"{title}: NDCG@10, whole catalogue ranked"
    parts = [_text(16, 26, words, size=15, weight="bold")]
    for row, name in enumerate(names):
        y = 44 + row * ROW
        color = OURS if CONTESTANTS[name].is_ours else OTHERS
        cut = " (cut off)" if any(run["is_cut_off"] for run in results[name]) else ""
        parts += [
            _text(LEFT - 8, y + 14, CONTESTANTS[name].label, anchor="end"),
            f'<rect x="{LEFT}" y="{y}" width="{max(values[name] * scale, 1):.1f}" height="{ROW - 8}" fill="{color}"/>',
            _text(LEFT + values[name] * scale + 6, y + 14, f"{values[name]:.4f}{cut}"),
        ]
    return _svg(60 + len(names) * ROW, parts, words)


def _curves(results: Mapping[str, Runs], title: str) -> str:
    """Validation NDCG@10 over CPU seconds of training, first seed."""
    height, top, bottom, left = 380, 50, 330, 60
    curves = {name: runs[0] for name, runs in results.items() if runs[0].get("validation_cpu")}
    words = f"{title}: validation NDCG@10 over CPU seconds of training"
    parts = [_text(16, 26, words, size=15, weight="bold")]
    if not curves:
        return _svg(height, parts, words)
    longest = max(run["validation_cpu"][-1] for run in curves.values())
    highest = max(max(run["validation"]) for run in curves.values()) * 1.05
    for step in range(5):
        y = bottom - (bottom - top) * step / 4
        x = left + (WIDTH - left - RIGHT - 60) * step / 4
        parts += [
            f'<line x1="{left}" y1="{y:.1f}" x2="{WIDTH - RIGHT - 60}" y2="{y:.1f}" stroke="{GRID}"/>',
            _text(left - 8, y + 4, f"{highest * step / 4:.3f}", anchor="end", size=11),
            _text(x, bottom + 18, f"{longest * step / 4:,.0f} s", anchor="middle", size=11),
        ]
    ends: list[float] = []
    for name, run in sorted(curves.items(), key=lambda entry: -entry[1]["validation"][-1]):
        color = OURS if CONTESTANTS[name].is_ours else OTHERS
        xs = [left + (WIDTH - left - RIGHT - 60) * seconds / longest for seconds in run["validation_cpu"]]
        ys = [bottom - (bottom - top) * value / highest for value in run["validation"]]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
        y = max([ys[-1] + 4, *(end + 14 for end in ends[-1:])])
        ends.append(y)
        parts += [
            f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>',
            _text(min(xs[-1] + 6, WIDTH - RIGHT - 54), y, CONTESTANTS[name].label, size=11),
        ]
    return _svg(height, parts, words)
