"""Robust bounds and price bands."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.cleaning import bands, bounds

VALUES = st.dictionaries(st.floats(0.01, 1e6), st.integers(1, 50), min_size=1, max_size=30)


@given(histogram=VALUES, share=st.floats(0.01, 0.99))
def test_a_weighted_quantile_is_that_of_the_written_out_values(histogram: dict[float, int], share: float) -> None:
    written_out = np.repeat(list(histogram), list(histogram.values()))

    [quantile] = bounds.weighted_quantiles(list(histogram), list(histogram.values()), [share])

    assert quantile == np.quantile(written_out, share, method="inverted_cdf")


@given(histogram=VALUES)
def test_more_than_half_of_a_group_lies_within_its_bounds(histogram: dict[float, int]) -> None:
    its = bounds.robust(list(histogram), list(histogram.values()))

    inside = sum(
        count for value, count in histogram.items() if its.low(1) <= value * 1.001 and value <= its.high(1) * 1.001
    )
    assert inside * 2 >= sum(histogram.values())


def test_the_deviation_of_a_group_that_agrees_is_not_zero() -> None:
    its = bounds.robust([1, 2, 500], [98, 1, 1])

    assert (its.median, its.deviation) == (0.0, 0.7)
    assert its.high() == pytest.approx(math.exp(4.2))  # 67: of what is bought singly, 500 is no quantity


def test_a_small_group_is_judged_as_its_parent_and_a_small_tree_as_everything() -> None:
    parents = {1: None, 2: 1, 3: 1, 4: None}  # 1 kitchen, 2 and 3 inside; 4 apart
    histogram = [(2, 1.0, 100), (3, 100.0, 60), (4, 50.0, 10), (None, 50.0, 1000)]

    groups = bounds.by_group(histogram, parents)

    assert groups[2] == bounds.robust([1.0], [100])
    assert groups[3] == groups[1] == bounds.robust([1.0, 100.0], [100, 60])
    assert groups[4] == groups[bounds.ALL] == bounds.robust([1.0, 100.0, 50.0], [100, 60, 1010])


def test_nothing_has_no_bounds() -> None:
    assert bounds.by_group([], {1: None}) == {}
    assert bounds.edges_by_group([], {1: None}) == {}


def test_bands_are_fifths_of_the_products_of_a_group() -> None:
    prices = [(1, float(price)) for price in range(1, 101)]

    edges = bounds.edges_by_group(prices, {1: None})[1]

    assert edges == [20.0, 40.0, 60.0, 80.0]
    assert [bounds.band_of(price, edges) for price in (0.5, 20.0, 20.01, 60.0, 80.01, 1000.0)] == [1, 1, 2, 3, 5, 5]
    assert bounds.band_of(None, edges) == bounds.band_of(5.0, []) == 0


def test_too_few_shoppers_have_no_bulk_buyer() -> None:
    assert bounds.most_of_a_shopper([1.0, 1000.0], [50, 49]) is None
    assert bounds.most_of_a_shopper([1.0], [100]) == pytest.approx(math.exp(4 * 0.7), abs=0.001)


@given(product_bands=st.dictionaries(st.integers(1, 500), st.integers(1, 5)))
def test_packed_bands_are_unpacked_again(product_bands: dict[int, int]) -> None:
    assert bands.unpack(bands.pack(product_bands)) == product_bands
