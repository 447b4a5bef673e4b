"""What is bought together: counted in baskets, smoothed by the model, and asked of later baskets."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recommendations.ml.companions import companions, compare, expected
from recommendations.ml.metrics import clustered_bootstrap
from recommendations.ml.together import in_baskets, met, people_together, rows_together
from tests.recommendations.ml.made import histories_of, random_model, random_shoppers

HISTORIES = histories_of([[(1, 1, 1), (1, 2, 1), (2, 1, 1), (2, 3, 1)], [(1, 1, 1), (1, 2, 1)]])


def test_products_are_counted_in_baskets_and_with_shoppers() -> None:
    (_, together), *rest = rows_together(in_baskets(HISTORIES, 3))

    assert rest == []
    assert together.toarray().tolist() == [[0, 0, 0, 0], [0, 3, 2, 1], [0, 2, 2, 0], [0, 1, 0, 1]]
    assert met(HISTORIES, np.asarray([1, 0]), 3).toarray().tolist() == [[0, 1, 1, 0], [0, 2, 1, 1]]


@given(seed=st.integers(0, 1_000), block=st.integers(1, 13))
def test_blocks_of_any_size_give_the_same_counts(seed: int, block: int) -> None:
    membership = in_baskets(histories_of(random_shoppers(seed)), 12)

    parts = [rows.toarray() for _, rows in rows_together(membership, block=block)]

    assert np.array_equal(np.concatenate(parts), (membership.T @ membership).toarray())


@given(seed=st.integers(0, 1_000))
def test_who_buys_two_products_together_in_many_baskets_is_one_person(seed: int) -> None:
    shoppers = random_shoppers(seed)
    histories = histories_of(shoppers)
    membership = in_baskets(histories, 12)

    counted = np.concatenate([rows.toarray() for _, rows in people_together(histories, membership)])

    wanted = np.zeros((13, 13))
    for shopper in range(len(histories)):
        of = histories_of([shoppers[shopper]]) if shoppers[shopper] else None
        if of is not None:
            own = in_baskets(of, 12)
            wanted += (own.T @ own).toarray() > 0
    assert np.array_equal(counted, wanted)


def test_chances_are_counts_with_the_models_expectation_as_their_prior() -> None:
    model = random_model(4, products=3)

    found = companions(HISTORIES, model, strength=2.0, neighbours=3, gap=0)

    prior = expected(model, torch.arange(4), gap=0).numpy()
    chance = [(2 + 2 * prior[1, 2]) / 5, (1 + 2 * prior[1, 3]) / 5]
    order = [2, 3] if chance[0] >= chance[1] else [3, 2]
    assert found.items[1].tolist() == [*order, 0]
    assert np.exp(found.log_p[1][:2]).tolist() == pytest.approx(sorted(chance, reverse=True))
    assert found.by_count[1].tolist() == [2, 3, 0]
    assert found.by_count[3].tolist() == [1, 0, 0]
    of = dict(zip(found.items[1].tolist(), found.people[1].tolist(), strict=True))
    assert of == {2: 2, 3: 1, 0: 0}  # two shoppers have the second beside it, one the third
    assert found.buyers.tolist() == [0, 2, 2, 1]
    assert found.items[0].tolist() == [0, 0, 0]
    assert np.exp(found.popularity_log_p[1:]).tolist() == pytest.approx([3.5 / 7.5, 2.5 / 7.5, 1.5 / 7.5])


def test_both_are_asked_of_the_same_baskets_and_the_interval_is_over_shoppers() -> None:
    found = companions(HISTORIES, random_model(4, products=3), strength=2.0, neighbours=3, gap=0)

    measured = dict(compare(found, HISTORIES))

    assert measured["same_basket_hr@10"] == measured["co_occurrence_hr@10"] == 1.0
    assert (measured["difference"], measured["low"], measured["high"]) == (0, 0, 0)
    assert dict(compare(found, histories_of([[(1, 1, 1)]]))) == {}


def test_a_clustered_mean_weighs_shoppers_by_what_is_theirs() -> None:
    mean, low, high = clustered_bootstrap(np.asarray([1.0, 0.0, 9.0]), np.asarray([1.0, 1.0, 10.0]))

    assert mean == pytest.approx(10 / 12)
    assert 0 <= low < mean < high <= 1
