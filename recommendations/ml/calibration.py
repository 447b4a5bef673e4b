"""From scores to chances: P(the product is in the shopper's next basket), checked bin by bin."""

# N pairs of shopper and product.
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """Increasing map from log p (softmax over candidates) to a chance: linear between `knots`, flat beyond them."""

    knots: tuple[float, ...]
    chances: tuple[float, ...]

    def __call__(self, log_p: Floats) -> Floats:
        return np.interp(log_p, self.knots, self.chances)

    def to_json(self) -> dict[str, Any]:
        return {"knots": list(self.knots), "chances": list(self.chances)}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Calibration":
        return cls(knots=tuple(stored["knots"]), chances=tuple(stored["chances"]))


def fit(log_p: Floats, happened: Bools, *, bins: int = 40) -> Calibration:
    """Isotonic regression (pool adjacent violators) on bins of equal size; Zadrozny & Elkan 2002.

    1. Sort by log p, cut into bins, take each bin's mean log p and its rate, smoothed by half a success.
    2. Pool neighbours until rates rise. 3. Interpolate between the pools' centres.
    """
    if not len(log_p):
        return Calibration(knots=(0.0,), chances=(0.0,))
    order = np.argsort(log_p, kind="stable")
    pools: list[tuple[float, float, int]] = []  # mean log p, rate, size
    for part in np.array_split(order, min(bins, len(order))):
        size = len(part)
        pools.append((float(log_p[part].mean()), float((happened[part].sum() + 0.5) / (size + 1)), size))
        while len(pools) > 1 and pools[-2][1] > pools[-1][1]:
            right, left = pools.pop(), pools.pop()
            total = left[2] + right[2]
            pools.append(
                (
                    (left[0] * left[2] + right[0] * right[2]) / total,
                    (left[1] * left[2] + right[1] * right[2]) / total,
                    total,
                )
            )
    return Calibration(knots=tuple(p[0] for p in pools), chances=tuple(p[1] for p in pools))


def curve(chances: Floats, happened: Bools, *, bins: int = 10) -> list[dict[str, float]]:
    """Reliability diagram: bins of equal size with mean chance, observed rate and count."""
    order = np.argsort(chances, kind="stable")
    return [
        {
            "chance": float(chances[part].mean()),
            "rate": float(happened[part].mean()),
            "count": float(len(part)),
        }
        for part in np.array_split(order, min(bins, max(len(order), 1)))
        if len(part)
    ]


def expected_calibration_error(points: list[dict[str, float]]) -> float:
    """Mean |rate - chance| over the bins, weighted by their counts."""
    total = sum(point["count"] for point in points)
    return sum(abs(point["rate"] - point["chance"]) * point["count"] for point in points) / total if total else 0.0
