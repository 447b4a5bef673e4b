"""Kinds of lines: event types, and levels of those that carry a value; each is predicted with a state of its own."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recommendations.ml.batches import BatchMaker
from recommendations.ml.config import ModelConfig, TrainingConfig
from recommendations.ml.data import DAY, Catalogue, next_baskets
from recommendations.ml.evaluation import calibrate, check_calibration, question, strongest_candidates
from recommendations.ml.kinds import Kinds, edges_of
from recommendations.ml.loop import TrainingData, train
from recommendations.ml.ranking import owned_mask, scored
from tests.recommendations.ml.made import NOW, histories_of, random_model, random_shoppers

NAN = float("nan")
KINDS = Kinds.of([(7, 0.4, False), (3, 1.0, True), (5, 0.2, False)], {7: [3.0, 4.0, 5.0]})


def test_a_type_with_values_has_a_kind_for_each_level_and_one_for_none() -> None:
    assert KINDS.event_type_ids.tolist() == [0, 3, 5, 7, 7, 7, 7, 7]
    assert KINDS.numbers(
        np.asarray([3, 3, 5, 7, 7, 7, 7, 7, 99]), np.asarray([NAN, 2.5, NAN, NAN, 1.0, 3.0, 4.9, 5.0, 1.0])
    ).tolist() == [1, 1, 2, 7, 3, 4, 5, 6, 0]
    assert KINDS.is_target.tolist() == [False, True, *[False] * 6]


def test_only_the_upper_half_of_the_levels_is_predicted() -> None:
    assert KINDS.strengths.tolist() == [0, 1.0, 0.2, 0, 0, 0.4, 0.4, 0.4]


def test_a_target_needs_a_strength() -> None:
    with pytest.raises(ValueError, match="needs a strength above 0"):
        Kinds.of([(3, 0.0, True)], {})


@given(st.dictionaries(st.sampled_from([1.0, 2.0, 2.5, 3.0, 4.0, 5.0]), st.integers(1, 50)))
def test_edges_cut_values_into_at_most_five_levels_none_of_which_is_empty(counts: dict[float, int]) -> None:
    edges = edges_of(counts)

    levels = np.searchsorted(edges, sorted(counts), side="right")
    assert len(edges) <= 4
    assert edges == sorted(set(edges))
    assert sorted(set(levels.tolist())) == (list(range(len(edges) + 1)) if counts else [])


def test_five_values_come_in_fifths() -> None:
    assert edges_of({1.0: 20, 2.0: 20, 3.0: 20, 4.0: 20, 5.0: 20}) == [2.0, 3.0, 4.0, 5.0]
    assert edges_of({1.0: 1, 4.0: 9, 5.0: 90}) == [5.0]
    assert edges_of({4.0: 9}) == []


def test_a_basket_of_several_kinds_asks_once_for_each_with_its_strength() -> None:
    kinds = Kinds.of([(3, 1.0, True), (5, 0.2, False)], {})
    histories = histories_of([[(DAY, 1, 1), (2 * DAY, 2, 1), (2 * DAY, 3, 2), (2 * DAY, 4, 2)]])
    (batch,) = BatchMaker(
        histories, kinds, ModelConfig(), TrainingConfig(masking=0, completion=0, moment_days=0, auxiliary=0.5)
    ).epoch(1)

    asked = dict(
        zip(batch.item_T.tolist(), zip(batch.kind_T.tolist(), batch.weight_T.tolist(), strict=True), strict=True)
    )

    assert asked[1] == asked[2] == (0, 1.0)
    assert asked[3] == asked[4] == (2, pytest.approx(0.5 * 0.2 * 2**-0.5))


def test_without_auxiliary_weight_only_targets_are_asked() -> None:
    kinds = Kinds.of([(3, 1.0, True), (5, 0.2, False)], {})
    histories = histories_of([[(DAY, 1, 1), (2 * DAY, 2, 1), (2 * DAY, 3, 2)]])
    (batch,) = BatchMaker(histories, kinds, ModelConfig(), TrainingConfig(masking=0, completion=0, auxiliary=0)).epoch(
        1
    )

    assert sorted(batch.item_T.tolist()) == [1, 2]


def test_what_is_only_viewed_is_not_owned() -> None:
    histories = histories_of([[(DAY, 1, 1), (2 * DAY, 2, 2)]], is_target=np.asarray([False, True, False]))

    assert torch.nonzero(owned_mask(histories, np.arange(1), 4)[0]).flatten().tolist() == [1]


def test_scores_of_a_kind_come_from_its_own_state() -> None:
    model = random_model(3)
    histories = histories_of(random_shoppers(3, shoppers=4))
    assert model.aims is not None

    def scores(kind: int) -> torch.Tensor:
        ((_, found),) = scored(model, histories, np.arange(4), now=400 * DAY, popularity_I=None, kind=kind)
        return found[:, 1:]

    moved = scores(2) - scores(0)
    expected = model.products(torch.arange(1, 13)) @ model.aims[2]
    torch.testing.assert_close(moved, expected.expand(4, -1), rtol=1e-4, atol=1e-5)


def test_kinds_of_a_type_are_told_apart_from_what_is_ranked_for() -> None:
    assert KINDS.beside() == {5: [2], 7: [5, 6, 7]}


def test_a_type_with_levels_is_calibrated_on_the_mean_of_its_kinds() -> None:
    model = random_model(3)
    histories = histories_of(random_shoppers(3, shoppers=4))
    targets = next_baskets(histories, np.ones(len(histories.items), bool), start=200 * DAY, end=NOW)
    asked = question(histories.before(200 * DAY), targets, 12, None)

    one, two, both = (
        strongest_candidates(model, asked, kind="all", count=12, aims=aims)[0] for aims in ([1], [2], [1, 2])
    )

    shoppers = len(asked.by_kind["all"].shoppers)
    for log_p in (one, two, both):
        np.testing.assert_allclose(np.exp(log_p.reshape(shoppers, 12)).sum(1), 1, rtol=1e-5)
    assert not np.allclose(one, two)
    assert both.max() <= max(one.max(), two.max())


def test_each_kind_learns_what_goes_with_it() -> None:
    """Simulated: everybody looks at product 8 and buys product 3, again and again."""
    shoppers = [[line for day in range(1, 12) for line in ((day * DAY, 3, 1), (day * DAY, 8, 2))] for _ in range(30)]
    histories = histories_of(shoppers)
    data = TrainingData(
        histories=histories.before(11 * DAY),
        catalogue=Catalogue(products=12, attributes={}, sizes={}),
        kinds=Kinds.of([(3, 1.0, True), (5, 0.2, False)], {}),
        validation=next_baskets(histories, np.asarray(histories.types) == 1, start=11 * DAY, end=12 * DAY),
        validation_only="all",
    )
    config = TrainingConfig(epochs=1, learning_rate=0.05, batch_lines=20, auxiliary=1.0)
    model, _ = train(ModelConfig(width=8, history=16, dropout=0.0), config, data)

    assert model.repeats is not None
    assert model.repeats.is_own.tolist() == [False, True, False]  # looking at a product does not make it one's own

    def best(kind: int) -> int:
        ((_, found),) = scored(model, data.histories, np.arange(1), now=11 * DAY, popularity_I=None, kind=kind)
        return int(found[0].argmax())

    assert (best(0), best(2)) == (3, 8)

    lines = np.asarray(histories.types) == 2
    viewed = question(data.histories, next_baskets(histories, lines, start=11 * DAY, end=12 * DAY), 12, None)
    chance = calibrate(model, viewed, kind="all", aims=[2])
    checked = check_calibration(model, viewed, chance, kind="all", aims=[2])
    assert checked["pairs"] == 30 * 12
    assert checked["ece"] < 0.05
    assert chance(np.asarray([0.0]))[0] > 0.9  # what everybody views next
    assert chance(np.asarray([-20.0]))[0] < 0.1
