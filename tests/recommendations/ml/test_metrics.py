"""Measures against a count by hand."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recommendations.ml.data import NextBaskets
from recommendations.ml.metrics import coverage, hits, paired_bootstrap, per_shopper

PRODUCTS = 9
BASKET = st.sets(st.integers(1, PRODUCTS), min_size=1, max_size=5)
RANKED = st.permutations(range(1, PRODUCTS + 1)).flatmap(
    lambda items: st.integers(0, 6).map(lambda kept: items[:kept] + [0] * (6 - kept))
)


def asked(baskets: list[set[int]]) -> NextBaskets:
    return NextBaskets(
        shoppers=np.arange(len(baskets)),
        offsets=np.cumsum([0, *map(len, baskets)]),
        items=np.asarray([item for basket in baskets for item in sorted(basket)], np.int32),
        now=0,
    )


@settings(deadline=None)
@given(st.lists(st.tuples(BASKET, RANKED), min_size=1, max_size=5), st.integers(1, 6))
def test_measures_are_those_counted_by_hand(rows: list[tuple[set[int], list[int]]], at: int) -> None:
    targets = asked([basket for basket, _ in rows])
    ranked = np.asarray([items for _, items in rows])

    found = per_shopper(hits(ranked, targets, PRODUCTS), np.diff(targets.offsets), at=at)

    for row, (basket, items) in enumerate(rows):
        places = [place for place, item in enumerate(items[:at], start=1) if item in basket]
        ideal = sum(1 / math.log2(place + 1) for place in range(1, min(len(basket), at) + 1))
        gained = sum(1 / math.log2(place + 1) for place in places)
        assert math.isclose(found[f"ndcg@{at}"][row], gained / ideal, abs_tol=1e-12)
        assert found[f"hr@{at}"][row] == bool(places)
        assert found[f"mrr@{at}"][row] == (1 / places[0] if places else 0)
        assert found[f"recall@{at}"][row] == len(places) / len(basket)
    shown = {item for _, items in rows for item in items[:at]} - {0}
    assert coverage(ranked, PRODUCTS, at=at) == len(shown) / PRODUCTS


def test_the_interval_of_a_constant_difference_is_that_difference() -> None:
    theirs = np.linspace(0, 1, 50)

    assert np.allclose(paired_bootstrap(theirs + 0.25, theirs, draws=50), (0.25, 0.25, 0.25))
    assert paired_bootstrap(theirs, theirs**2, draws=50) == paired_bootstrap(theirs, theirs**2, draws=50)
