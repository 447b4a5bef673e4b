"""Robust bounds and price bands, from histograms: how often each value occurs in each group."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ALL = 0  # the group of everything; category ids begin at 1
IMPOSSIBLE = 6.0  # robust deviations, on a logarithmic scale: what is farther away is no quantity or price
UNUSUAL = 3.0
BULK = 4.0
BANDS = 5
_MINIMUM_ROWS = 100  # a group with fewer is judged as its parent is
_MINIMUM_PRODUCTS = 25
_MINIMUM_SHOPPERS = 100
_NARROWEST = 0.7  # where more than half of a group agree, the deviation would be zero
_MAD_OF_NORMAL = 1.4826


@dataclass(frozen=True, slots=True)
class Bounds:
    """Median and robust deviation of a group's logarithms, and where the possible ends."""

    median: float
    deviation: float

    def low(self, deviations: float = IMPOSSIBLE) -> float:
        return math.exp(self.median - deviations * self.deviation)

    def high(self, deviations: float = IMPOSSIBLE) -> float:
        return math.exp(self.median + deviations * self.deviation)


def weighted_quantiles(
    values: Sequence[float] | NDArray[np.float64], counts: Sequence[int] | NDArray[np.int64], shares: Sequence[float]
) -> list[float]:
    """For each share the smallest value that is not below that share of the rows."""
    order = np.argsort(np.asarray(values, dtype=np.float64), kind="stable")
    sorted_values = np.asarray(values, dtype=np.float64)[order]
    reached = np.cumsum(np.asarray(counts, dtype=np.int64)[order])
    at = np.searchsorted(reached, np.asarray(shares) * reached[-1], side="left")
    return [float(value) for value in sorted_values[np.minimum(at, len(reached) - 1)]]


def robust(values: Sequence[float], counts: Sequence[int]) -> Bounds:
    """Of positive values."""
    logarithms = np.log(np.asarray(values, dtype=np.float64))
    median = weighted_quantiles(logarithms, counts, [0.5])[0]
    spread = weighted_quantiles(np.abs(logarithms - median), counts, [0.5])[0]
    return Bounds(round(median, 6), round(max(_MAD_OF_NORMAL * spread, _NARROWEST), 6))


def by_group(
    histogram: Iterable[tuple[int | None, float, int]], parents: Mapping[int, int | None]
) -> dict[int, Bounds]:
    """Bounds of every category and of ALL. A category with too few rows has those of its parent."""
    groups = _rolled_up(histogram, parents)
    own = {
        group: robust(list(counts), list(counts.values()))
        for group, counts in groups.items()
        if group == ALL or sum(counts.values()) >= _MINIMUM_ROWS
    }
    return {group: own[_nearest(group, own, parents)] for group in [ALL, *parents]} if own else {}


def edges_by_group(
    prices: Iterable[tuple[int | None, float]], parents: Mapping[int, int | None]
) -> dict[int, list[float]]:
    """The four prices between the five bands, for every category and ALL; small categories have their parent's."""
    groups = _rolled_up(((category, price, 1) for category, price in prices), parents)
    shares = [band / BANDS for band in range(1, BANDS)]
    own = {
        group: weighted_quantiles(list(counts), list(counts.values()), shares)
        for group, counts in groups.items()
        if group == ALL or sum(counts.values()) >= _MINIMUM_PRODUCTS
    }
    return {group: own[_nearest(group, own, parents)] for group in [ALL, *parents]} if own else {}


def band_of(price: float | None, edges: Sequence[float]) -> int:
    """1 (cheapest) to 5; 0 when the price is not known."""
    if price is None or not edges:
        return 0
    return 1 + sum(price > edge for edge in edges)


def most_of_a_shopper(values: Sequence[float], counts: Sequence[int]) -> float | None:
    """Above this a shopper is a bulk buyer; None where there are too few shoppers to tell."""
    if sum(counts) < _MINIMUM_SHOPPERS:
        return None
    return round(robust(values, counts).high(BULK), 3)


def _rolled_up(
    histogram: Iterable[tuple[int | None, float, int]], parents: Mapping[int, int | None]
) -> dict[int, dict[float, int]]:
    """The histogram of each group, with those of the groups below it."""
    groups: dict[int, dict[float, int]] = defaultdict(lambda: defaultdict(int))
    for category, value, count in histogram:
        group: int | None = category
        while group is not None:
            groups[group][value] += count
            group = parents.get(group)
        groups[ALL][value] += count
    return groups


def _nearest(group: int, own: Mapping[int, object], parents: Mapping[int, int | None]) -> int:
    while group not in own and group != ALL:
        group = parents.get(group) or ALL
    return group
