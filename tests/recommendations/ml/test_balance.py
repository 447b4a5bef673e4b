"""Repeats are weighed against new products on the newest baskets, and nothing else changes."""

import numpy as np
import pytest
import torch

from recommendations.ml.balance import LEVELS, STEEPNESS, TRUST, Balance, balance, put, take_out
from recommendations.ml.batches import latest_history
from recommendations.ml.data import DAY, next_baskets
from recommendations.ml.evaluation import Question, question
from recommendations.ml.ranking import scored
from recommendations.ml.repeats import SCALE
from tests.recommendations.ml.made import histories_of, random_model

PRODUCTS = 12


def asked(next_of: int) -> Question:
    """Twenty shoppers bought product 1 four times and 2 once; next they buy `next_of`."""
    bought = [(day * DAY, 1, 1) for day in (1, 2, 3, 4)] + [(5 * DAY, 2, 1)]
    histories = histories_of([[*bought, (10 * DAY, next_of, 1)] for _ in range(20)])
    targets = next_baskets(histories, np.ones(len(histories.items), bool), start=10 * DAY, end=11 * DAY)
    return question(histories.before(10 * DAY), targets, PRODUCTS, None)


def test_steepness_and_level_are_those_with_the_best_validation() -> None:
    model = random_model(5, uses_repeats=True)
    assert model.repeats is not None
    with torch.no_grad():
        for parameter in model.repeats.parameters():
            parameter.zero_()
        model.repeats.count.weight[4] = 0.05  # 20 x .05 = 1 for what was bought four times
    before = model.repeats.count.weight.clone()
    ((_, scores),) = scored(model, asked(1).histories, np.arange(1), now=10 * DAY, popularity_I=None, only="new")

    found = balance(model, asked(1))

    assert found.trust in TRUST
    assert model.repeats.trust.item() == pytest.approx(found.trust)
    assert found.steepness in STEEPNESS
    assert found.level in LEVELS
    torch.testing.assert_close(model.repeats.count.weight, before * found.steepness)
    assert model.repeats.inclination.bias[1].item() == found.level
    ((_, everything),) = scored(model, asked(1).histories, np.arange(1), now=10 * DAY, popularity_I=None)
    others = [number for number in range(1, PRODUCTS + 1) if number != 1]
    is_first = bool((everything[0, 1] > everything[0, others]).all())
    assert is_first or (found.steepness, found.level) == (max(STEEPNESS), max(LEVELS))
    ((_, after),) = scored(model, asked(1).histories, np.arange(1), now=10 * DAY, popularity_I=None, only="new")
    assert torch.equal(after, scores)


def test_similarity_that_misleads_among_repeats_is_trusted_as_little_as_it_takes() -> None:
    model = random_model(5, uses_repeats=True)
    assert model.repeats is not None
    history, following, _ = latest_history(asked(1).histories, np.arange(1), model.config, now=10 * DAY)
    seen, moment = (history.items_BL > 0).unsqueeze(1), torch.full((1, 1), 10 * DAY)
    with torch.no_grad():
        for parameter in (*model.repeats.parameters(), model.bias.weight):
            parameter.zero_()
        state = model.read_out(model.tokens_BLD(history), history, seen, following.unsqueeze(1), moment)[0, 0]
        similar = model.products(torch.arange(PRODUCTS + 1)) @ state
        again, other = (1, 2) if similar[1] < similar[2] else (2, 1)
        # The less similar one is bought again, and makes up for seven tenths of what it lacks.
        model.repeats.tendency.weight[again] = 0.7 * (similar[other] - similar[again]) / SCALE

    assert balance(model, asked(again)).trust == 0.6  # of 1, .8, .6, …


def test_what_a_training_begins_with_is_without_the_balance_that_was_put_in() -> None:
    model = random_model(5, uses_repeats=True)
    assert model.repeats is not None
    model.repeats.trust.fill_(1.0)  # as while it learnt
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    balanced = Balance(trust=0.5, steepness=3.0, level=2.0)

    put(model, balanced)
    assert any(not torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    take_out(model, balanced)

    torch.testing.assert_close(model.state_dict(), weights)


def test_where_nobody_repeats_or_the_model_has_no_term_nothing_is_changed() -> None:
    model = random_model(5, uses_repeats=True)
    assert model.repeats is not None
    model.repeats.trust.fill_(1.0)
    weights = {name: value.clone() for name, value in model.state_dict().items()}

    assert balance(model, asked(9)) == Balance(steepness=1.0, level=0.0)
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert balance(random_model(5), asked(1)) == Balance(steepness=1.0, level=0.0)
