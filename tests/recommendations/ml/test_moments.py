"""A basket weighs as long as it was the next one."""

from itertools import pairwise
from typing import Any

import pytest

from recommendations.ml.batches import FIRST, LEAST, BatchMaker
from recommendations.ml.config import ModelConfig, TrainingConfig
from recommendations.ml.data import DAY
from recommendations.ml.kinds import Kinds
from tests.recommendations.ml.made import Line, histories_of

BUY, VIEW = 1, 2
KINDS = Kinds.of([(3, 1.0, True), (5, 0.2, False)], {})
SHOPPER = [
    (DAY, 1, BUY),
    (8 * DAY, 2, BUY),  # a week later: a quarter of 28 days
    (50 * DAY, 9, VIEW),
    (100 * DAY, 3, BUY),  # long after the purchase before, whatever was looked at between
    (100 * DAY + 60, 4, BUY),  # a minute later
]
SHARES = {1: FIRST, 2: 0.25, 3: 1.0, 4: LEAST}


def weights(shoppers: list[list[Line]], *, uses_times: bool = True, **choices: Any) -> dict[int, float]:
    """Product -> weight of the line that asks for it."""
    config = TrainingConfig(masking=0, completion=0, **choices)
    (batch,) = BatchMaker(histories_of(shoppers), KINDS, ModelConfig(uses_times=uses_times), config).epoch(1)
    return dict(zip(batch.item_T.tolist(), batch.weight_T.tolist(), strict=True))


def test_a_basket_weighs_its_share_of_the_days_before_it_and_all_together_what_they_weighed() -> None:
    found = weights([SHOPPER], moment_days=28.0)

    mean = sum(SHARES.values()) / len(SHARES)
    assert {item: found[item] for item in SHARES} == pytest.approx({i: share / mean for i, share in SHARES.items()})
    assert found[9] == pytest.approx(0.5 * 0.2)  # what is predicted beside keeps its weight


@pytest.mark.parametrize(("uses_times", "days"), [(True, 0.0), (False, 28.0)])
def test_without_days_or_times_all_baskets_weigh_the_same(uses_times: bool, days: float) -> None:
    found = weights([SHOPPER], uses_times=uses_times, moment_days=days)

    assert [found[item] for item in SHARES] == [1.0] * 4


def test_somebody_who_comes_daily_weighs_no_more_than_somebody_who_comes_monthly() -> None:
    daily = [(day * DAY, 1 + day % 5, BUY) for day in range(1, 57)]
    monthly = [(DAY, 6, BUY), (28 * DAY, 7, BUY), (56 * DAY, 8, BUY)]
    config = TrainingConfig(masking=0, completion=0, moment_days=28.0)
    (batch,) = BatchMaker(histories_of([daily, monthly]), KINDS, ModelConfig(), config).epoch(1)

    is_daily = batch.item_T <= 5
    assert batch.weight_T[is_daily].sum().item() == pytest.approx(batch.weight_T[~is_daily].sum().item(), rel=0.02)


def test_it_is_asked_for_at_a_moment_of_those_days() -> None:
    config = TrainingConfig(masking=0, completion=0, moment_days=28.0)
    maker = BatchMaker(histories_of([SHOPPER] * 50), KINDS, ModelConfig(), config)
    times = sorted({time for time, _, _ in SHOPPER})

    for batch in maker.epoch(1):
        assert len(batch.now_BQ) == 50
        for moments in batch.now_BQ.tolist():
            for (before, at), moment in zip(pairwise(times), moments[1:], strict=True):
                assert max(before, at - 28 * DAY) <= moment <= at
