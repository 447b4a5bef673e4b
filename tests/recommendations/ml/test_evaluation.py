"""A model that numbers products otherwise is asked the same question."""

from dataclasses import replace

import numpy as np
import torch

from recommendations.ml import evaluation
from recommendations.ml.data import DAY, next_baskets
from tests.recommendations.ml.made import histories_of, random_model, random_shoppers

PRODUCTS = 12


def test_another_numbering_and_a_product_that_the_model_does_not_know_leave_its_measures_as_they_are() -> None:
    """The snapshot's numbers are the model's, one higher; its product 1 is new and in nobody's history."""
    histories = histories_of(random_shoppers(4, shoppers=40, products=PRODUCTS))
    popularity = torch.rand(PRODUCTS + 1)
    targets = next_baskets(histories, np.ones(len(histories.items), bool), start=250 * DAY, end=400 * DAY)
    is_target = np.asarray([False, True, True])
    own = evaluation.question(histories.before(250 * DAY), targets, PRODUCTS, popularity)
    moved = evaluation.Question(
        histories=replace(own.histories, items=own.histories.items + 1),
        products=PRODUCTS + 1,
        popularity_I=torch.cat([torch.zeros(1), torch.tensor([9.0]), popularity[1:]]),
        by_kind={kind: replace(some, items=some.items + 1) for kind, some in own.by_kind.items()},
    )
    model = random_model(3, uses_repeats=True)

    asked = evaluation.renumbered(
        moved,
        products_I=np.asarray([0, 0, *range(1, PRODUCTS + 1)]),
        types_T=np.asarray([0, 1, 2]),
        products=PRODUCTS,
        is_target=is_target,
    )

    found = evaluation.measured(model, asked)
    assert found == evaluation.measured(model, own)
    assert set(found) == {"all", "new", "repeat"}
    assert found["all"]["ndcg@10"] > 0


def test_a_target_that_the_model_does_not_know_is_one_that_it_misses() -> None:
    histories = histories_of([[(DAY, 2, 1), (300 * DAY, 3, 1), (300 * DAY, 4, 1)]] * 5)
    targets = next_baskets(histories, np.ones(len(histories.items), bool), start=250 * DAY, end=400 * DAY)
    asked = evaluation.question(histories.before(250 * DAY), targets, PRODUCTS, None)
    products = np.arange(PRODUCTS + 1)
    products[4] = 0

    found = evaluation.measured(
        random_model(3),
        evaluation.renumbered(
            asked,
            products_I=products,
            types_T=np.asarray([0, 1, 2]),
            products=PRODUCTS,
            is_target=np.asarray([False, True, True]),
        ),
        kinds=("new",),
    )

    assert found["new"]["recall@10"] <= 0.5
