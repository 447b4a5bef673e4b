"""A product's own place in the history: counted from visible lines alone, and gone with them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recommendations.ml.batches import latest_history
from recommendations.ml.config import ModelConfig
from recommendations.ml.data import DAY
from recommendations.ml.history import gap_bucket
from recommendations.ml.ranking import scored
from recommendations.ml.repeats import SCALE, Repeats
from tests.recommendations.ml.made import NOW, histories_of, random_model, random_shoppers


@settings(deadline=None)
@given(seed=st.integers(0, 10_000))
def test_each_product_that_was_bought_is_counted_once_with_its_latest_time(seed: int) -> None:
    shoppers = [shopper for shopper in random_shoppers(seed) if shopper] or [[(DAY, 1, 1)]]
    model = random_model(seed)
    history, _, _ = latest_history(histories_of(shoppers), np.arange(len(shoppers)), model.config, now=NOW)
    visible = torch.from_numpy(np.random.default_rng(seed).random((len(shoppers), 2, history.items_BL.shape[1])) < 0.6)
    visible &= (history.items_BL > 0).unsqueeze(1)

    repeats = Repeats(model.config, 12, 2)
    repeats.is_own.copy_(torch.tensor([False, True, False]))

    pairs = repeats.own(history, visible, torch.full((len(shoppers), 2), NOW))

    found = {(int(query), int(item)): (int(times), int(gap)) for query, item, times, gap, _ in zip(*pairs, strict=True)}
    torch.testing.assert_close(pairs.faded_P, pairs.times_P.float())  # as long as nothing fades
    expected: dict[tuple[int, int], tuple[int, int]] = {}
    for row, query, line in np.argwhere((visible & (history.types_BL == 1).unsqueeze(1)).numpy()).tolist():
        key = (row * 2 + query, int(history.items_BL[row, line]))
        times, gap = expected.get(key, (0, NOW))
        expected[key] = (times + 1, min(gap, NOW - int(history.times_BL[row, line])))
    assert found == expected
    assert len(pairs.item_P) == len(expected)


def test_the_term_is_open_times_base_plus_shift_and_only_for_what_is_in_sight() -> None:
    repeats = Repeats(ModelConfig(width=2, heads=1), 5)
    with torch.no_grad():
        repeats.rise.zero_()
        repeats.count.weight[2] = 0.1  # twice
        repeats.tendency.weight[4] = 0.05
        repeats.inclination.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 3.0]]))
    history, _, _ = latest_history(
        histories_of([[(DAY, 4, 1), (2 * DAY, 1, 1), (3 * DAY, 4, 1)]]), np.arange(1), ModelConfig(), now=NOW
    )
    states = torch.tensor([[0.0, 1.0], [10.0, 0.0]])
    visible = torch.tensor([[[True, False, True], [True, True, True]]])

    pairs = repeats.own(history, visible, torch.full((1, 2), NOW))
    value = repeats(pairs, states)

    assert list(zip(pairs.query_P.tolist(), pairs.item_P.tolist(), strict=True)) == [(0, 4), (1, 4), (1, 1)]
    # base of product 4: 20 x (.1 + .05) = 3; a first number of 0 opens by 1, one of 10 by 2; shift: 3 x the second
    assert value.tolist() == pytest.approx([1 * 3.0 + 3.0, 2 * 3.0 + 0.0, 0.0])


def test_a_line_counts_as_much_as_its_age_says() -> None:
    repeats = Repeats(ModelConfig(width=2, heads=1), 5)
    history, _, _ = latest_history(
        histories_of([[(NOW - 40 * DAY, 4, 1), (NOW - 10 * DAY, 1, 1), (NOW - DAY, 4, 1)]]),
        np.arange(1),
        ModelConfig(),
        now=NOW,
    )
    ages = gap_bucket(torch.tensor([40 * DAY, DAY]))
    with torch.no_grad():
        repeats.rise.fill_(2 / SCALE)
        repeats.fading.weight[ages, 0] = torch.tensor([-0.05, 0.01])

    pairs = repeats.own(history, torch.ones(1, 1, 3, dtype=torch.bool), torch.full((1, 1), NOW))

    assert pairs.item_P.tolist() == [4, 1]
    counted = math.exp(SCALE * -0.05) + math.exp(SCALE * 0.01)
    assert pairs.faded_P.tolist() == pytest.approx([counted, 1.0])
    assert repeats.base(pairs).tolist() == pytest.approx([2 * math.log(counted), 0.0], abs=1e-6)


def test_trust_scales_what_the_state_and_a_product_of_the_history_have_in_common() -> None:
    histories = histories_of([[(DAY, 4, 1), (2 * DAY, 1, 1), (3 * DAY, 4, 1)]])
    model = random_model(3, uses_repeats=True)
    assert model.repeats is not None

    def scores() -> torch.Tensor:
        ((_, found),) = scored(model, histories, np.arange(1), now=NOW, popularity_I=None)
        return found[0]

    history, following, _ = latest_history(histories, np.arange(1), model.config, now=NOW)
    seen, moment = (history.items_BL > 0).unsqueeze(1), torch.full((1, 1), NOW)
    with torch.no_grad():
        state = model.read_out(model.tokens_BLD(history), history, seen, following.unsqueeze(1), moment)[0, 0]
        similar = model.products(torch.arange(13)) @ state
    model.repeats.trust.fill_(1.0)
    before = scores()
    model.repeats.trust.fill_(0.25)
    difference = scores() - before

    assert torch.nonzero(difference.nan_to_num()).flatten().tolist() == [1, 4]
    torch.testing.assert_close(difference[[1, 4]], -0.75 * similar[[1, 4]])


def test_only_products_of_the_history_change_their_scores() -> None:
    histories = histories_of([[(DAY, 4, 1), (2 * DAY, 1, 1), (3 * DAY, 4, 1)]])
    model = random_model(3, uses_repeats=True)

    def scores(kind: str) -> torch.Tensor:
        ((_, found),) = scored(model, histories, np.arange(1), now=NOW, popularity_I=None, only=kind)
        return found[0]

    everything = scores("all")
    assert model.repeats is not None
    repeats, model.repeats = model.repeats, None
    without = scores("all")
    model.repeats = repeats

    changed = torch.nonzero(everything != without).flatten().tolist()
    assert changed == [1, 4]
    assert torch.equal(scores("repeat")[[1, 4]], everything[[1, 4]])
    assert torch.isinf(scores("new")[[0, 1, 4]]).all()
