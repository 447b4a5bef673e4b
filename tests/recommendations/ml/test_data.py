"""Nothing later than the moment is known, and every basket is asked for once."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommendations.ml.batches import Baskets, BatchMaker, windows
from recommendations.ml.config import ModelConfig, TrainingConfig
from recommendations.ml.data import DAY, PERIOD, RECENT, next_baskets, recent_popularity
from recommendations.ml.kinds import Kinds
from tests.recommendations.ml.made import Line, histories_of, random_shoppers

SEEDS = st.integers(0, 10_000)
some = settings(max_examples=30, deadline=None)


@some
@given(SEEDS)
def test_the_next_basket_is_the_first_with_targets_of_a_known_shopper(seed: int) -> None:
    shoppers = random_shoppers(seed, baskets=6)
    histories = histories_of(shoppers)
    start, end = 150 * DAY, 300 * DAY

    found = next_baskets(histories, np.asarray(histories.types) == 1, start=start, end=end)

    expected: dict[int, list[int]] = {}
    for number, lines in enumerate(shoppers):
        wanted = [(time, item) for time, item, kind in lines if start <= time < end and kind == 1]
        if wanted and any(time < start for time, _, _ in lines):
            expected[number] = sorted(item for time, item in wanted if time == min(wanted)[0])
    assert found.shoppers.tolist() == list(expected)
    parts = np.split(found.items, found.offsets[1:-1]) if expected else []
    assert [part.tolist() for part in parts] == list(expected.values())


@some
@given(SEEDS)
def test_recent_popularity_counts_four_weeks_and_never_the_future(seed: int) -> None:
    shoppers = random_shoppers(seed, baskets=8)
    start, end = 100 * DAY, 200 * DAY

    table = recent_popularity(histories_of(shoppers), 12, start=start, end=end)

    lines = [line for shopper in shoppers for line in shopper]
    for period, row in enumerate(table):
        moment = start + period * PERIOD
        counts = Counter(item for time, item, _ in lines if moment - RECENT <= time < moment)
        assert np.allclose(row, [math.log1p(counts[item]) for item in range(13)])
    assert start + (len(table) - 1) * PERIOD >= end


@some
@given(SEEDS, st.integers(1, 6))
def test_each_basket_is_predicted_exactly_once_after_enough_of_its_past(seed: int, length: int) -> None:
    histories = histories_of(random_shoppers(seed, baskets=9, most=4))
    baskets = Baskets.of(histories)

    found = windows(histories, baskets, length)

    predicted = [b for query, end in zip(found.query, found.end, strict=True) for b in range(query, end)]
    assert predicted == list(range(len(baskets.time)))
    for first, last, query, end in zip(*found, strict=True):
        shopper = int(np.searchsorted(histories.offsets, baskets.first[query], side="right")) - 1
        for basket in range(query, end):
            assert first <= max(histories.offsets[shopper], baskets.first[basket] - length)
            assert last >= baskets.first[basket + 1]
        assert histories.offsets[shopper] <= first < last <= histories.offsets[shopper + 1]


@some
@given(SEEDS, st.sampled_from([1, 10, 100]))
def test_an_epoch_asks_for_each_target_once_and_shows_only_earlier_baskets(seed: int, batch_lines: int) -> None:
    shoppers: list[list[Line]] = random_shoppers(seed, baskets=7)
    histories = histories_of(shoppers)
    training = TrainingConfig(batch_lines=batch_lines, masking=0, completion=0, seed=seed)
    maker = BatchMaker(histories, Kinds.of([(1, 1.0, True), (2, 0.0, False)], {}), ModelConfig(history=4), training)

    batches = list(maker.epoch(1)) if len(histories.items) else []

    asked = Counter(int(item) for batch in batches for item in batch.item_T)
    assert asked == Counter(item for lines in shoppers for _, item, kind in lines if kind == 1)
    for batch in batches:
        earlier = batch.history.baskets_BL.unsqueeze(1) < batch.basket_BQ.unsqueeze(2)
        assert bool((~batch.visible_BQL | earlier).all())
        assert int(batch.visible_BQL.sum(-1).max()) <= 4
        shown_at = batch.history.times_BL.unsqueeze(1).expand_as(batch.visible_BQL)[batch.visible_BQL]
        now = batch.now_BQ.unsqueeze(2).expand_as(batch.visible_BQL)[batch.visible_BQL]
        assert bool((shown_at <= now).all())


@pytest.mark.parametrize("epoch", [1, 2])
def test_an_epoch_is_a_function_of_seed_and_number(epoch: int) -> None:
    histories = histories_of(random_shoppers(3, shoppers=20))
    makers = [
        BatchMaker(
            histories,
            Kinds.of([(1, 1.0, True), (2, 1.0, True)], {}),
            ModelConfig(history=8),
            TrainingConfig(batch_lines=60),
        )
        for _ in range(2)
    ]

    list(makers[1].epoch(7))  # what was asked before does not matter
    one, other = ([batch.item_T.tolist() for batch in maker.epoch(epoch)] for maker in makers)

    assert one == other
    assert one != [batch.item_T.tolist() for batch in makers[0].epoch(epoch + 1)]


def test_some_shoppers_keep_their_baskets() -> None:
    histories = histories_of([[(DAY, 1, 1), (2 * DAY, row + 2, 1), (2 * DAY, row + 3, 1)] for row in range(5)])
    asked = next_baskets(histories, np.ones(15, bool), start=2 * DAY, end=3 * DAY)

    some = asked.some(3)

    assert (some.shoppers.tolist(), some.offsets.tolist(), some.items.tolist()) == (
        [0, 2, 4],
        [0, 2, 4, 6],
        [2, 3, 4, 5, 6, 7],
    )
    assert asked.some(5) is asked


def test_a_product_that_was_masked_is_asked_only_where_it_is_new() -> None:
    """Everything is masked: then first purchases are all that is asked."""
    histories = histories_of([[(DAY, 1, 1), (2 * DAY, 1, 1), (2 * DAY, 2, 1), (3 * DAY, 2, 1), (4 * DAY, 3, 1)]])
    maker = BatchMaker(histories, Kinds.of([(1, 1.0, True)], {}), ModelConfig(), TrainingConfig(masking=1.0))
    found = [sorted(batch.item_T.tolist()) for number in range(1, 200) for batch in maker.epoch(number)]

    assert [1, 2, 3] in found
    assert [1, 1, 2, 2, 3] in found
    assert {items.count(3) for items in found} == {1}
