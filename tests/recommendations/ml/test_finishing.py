"""What validation baskets chose is put into the weights that learnt them too."""

import copy

import numpy as np
import torch

from recommendations.ml import finishing, newcomers
from recommendations.ml.balance import LEVELS, STEEPNESS, Balance
from recommendations.ml.data import DAY, next_baskets
from recommendations.ml.evaluation import question
from recommendations.ml.finishing import Finish
from tests.recommendations.ml.made import histories_of, random_model

PRODUCTS = 12
HISTORIES = histories_of(
    [[*((day * DAY, 1 + (day + row) % 10, 1) for day in range(1, 4)), (10 * DAY, 11, 1)] for row in range(20)]
)
TARGETS = np.ones(len(HISTORIES.items), bool)


def test_both_are_chosen_on_the_validation_baskets_and_put_into_the_model() -> None:
    targets = next_baskets(HISTORIES, TARGETS, start=10 * DAY, end=11 * DAY)
    validation = question(HISTORIES.before(10 * DAY), targets, PRODUCTS, None)
    model = random_model(3, products=PRODUCTS, uses_repeats=True)
    before = copy.deepcopy(model)

    found = finishing.choose(model, validation)

    assert found.newcomers in newcomers.LEVELS
    assert found.balance == Balance(steepness=1.0, level=0.0)  # nobody repeats here
    assert not torch.equal(model.bias.weight[11:], before.bias.weight[11:])
    assert torch.equal(model.bias.weight[:11], before.bias.weight[:11])


def test_they_are_carried_over_for_products_that_nobody_had_until_then() -> None:
    later = random_model(4, products=PRODUCTS, uses_repeats=True)
    assert later.repeats is not None
    before = copy.deepcopy(later)
    assert before.repeats is not None
    newcomer_I = newcomers.newcomers(HISTORIES, PRODUCTS)
    assert newcomer_I.nonzero().flatten().tolist() == [12]  # 11 was bought since, and learnt
    begun = newcomers.foretold(before, newcomer_I, before.bias.weight.squeeze(1))

    finishing.carry_over(
        Finish(newcomers=0.75, balance=Balance(steepness=STEEPNESS[2], level=LEVELS[2])), later, HISTORIES, None
    )

    assert torch.equal(later.bias.weight[:12], before.bias.weight[:12])
    torch.testing.assert_close(later.bias.weight[12], begun + 0.75)
    torch.testing.assert_close(later.repeats.count.weight, before.repeats.count.weight * STEEPNESS[2])
    torch.testing.assert_close(
        later.repeats.inclination.bias, before.repeats.inclination.bias + torch.tensor([0.0, LEVELS[2]])
    )


def test_where_validation_could_not_tell_newcomers_stay() -> None:
    later = random_model(4, products=PRODUCTS)
    before = copy.deepcopy(later)

    finishing.carry_over(Finish(newcomers=None, balance=Balance(steepness=1.0, level=0.0)), later, HISTORIES, None)

    assert all(torch.equal(value, before.state_dict()[name]) for name, value in later.state_dict().items())
