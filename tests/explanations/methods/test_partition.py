"""Sums, ranks and places over many candidates are those of plain Python."""

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from explanations.methods import partition
from explanations.methods.partition import Floats

SEEDS = st.integers(0, 10_000)
few = settings(max_examples=20, deadline=None)


def drawn(seed: int, *, rows: int = 5, width: int = 30) -> Floats:
    """Scores with ties; some are no candidates."""
    random = np.random.default_rng(seed)
    scores: Floats = (random.integers(-6, 6, (rows, width)) / 2).astype(np.float32)
    scores[random.random(scores.shape) < 0.3] = -np.inf
    scores[:, 1:3] = [1.0, 2.0]
    return scores


@few
@given(SEEDS, st.floats(-200, 200))
def test_the_partition_is_a_log_of_a_sum_of_exponentials(seed: int, shift: float) -> None:
    scores = drawn(seed) + np.float32(shift)

    found = partition.log_partition(torch.from_numpy(scores.copy()))

    for row, value in zip(scores.astype(np.float64).tolist(), found.tolist(), strict=True):
        most = max(row)
        assert abs(value - most - math.log(math.fsum(math.exp(score - most) for score in row))) < 1e-4


def test_where_there_is_no_candidate_the_partition_is_nothing() -> None:
    nobody = torch.full((2, 3, 4), float("-inf"))

    assert partition.log_partition(nobody).tolist() == [[float("-inf")] * 3] * 2


@few
@given(SEEDS)
def test_ranks_count_what_stands_before_and_ties_go_to_the_lower_number(seed: int) -> None:
    scores = drawn(seed)
    row, item = np.repeat(np.arange(5), 30), np.tile(np.arange(30), 5)

    found = partition.ranks(scores, row, item)

    for place, (r, i) in zip(found.tolist(), zip(row.tolist(), item.tolist(), strict=True), strict=True):
        order = sorted(range(30), key=lambda other: (-scores[r, other], other))
        assert place == order.index(i) + 1


@few
@given(SEEDS, st.integers(5, 12))
def test_holders_are_found_behind_the_leaders(seed: int, leaders: int) -> None:
    scores = drawn(seed)
    row, places = np.repeat(np.arange(5), 4), np.tile(np.arange(1, 5), 5)
    leading = np.random.default_rng(seed).permuted(np.tile(np.arange(30), (5, 1)), axis=1)[:, :leaders]

    found = partition.holders(scores, leading, row, places)

    for holder, r, place in zip(found.tolist(), row.tolist(), places.tolist(), strict=True):
        order = [i for i in sorted(range(30), key=lambda i: (-scores[r, i], i)) if scores[r, i] > -np.inf]
        assert holder == (order[place - 1] if place <= len(order) else 0)
