"""What was chosen on the newest baskets learns them afterwards, and only them."""

import numpy as np
import pytest
import torch

from recommendations.ml import newcomers
from recommendations.ml.batches import BatchMaker
from recommendations.ml.catching_up import Newest, catch_up
from recommendations.ml.config import TrainingConfig
from recommendations.ml.data import DAY, Ints
from recommendations.ml.kinds import Kinds
from recommendations.ml.model import Recommender
from recommendations.ml.ranking import scored
from tests.recommendations.ml.made import histories_of, random_model

PRODUCTS = 12
SINCE, NOW = 300 * DAY, 330 * DAY
KINDS = Kinds.of([(4, 1.0, True), (9, 1.0, True)], {})
# Shoppers who went from 1 to 2 and to 3, and since then from 3 to 11, which nobody had before; nobody has 12.
SHOPPERS = [
    [(day * DAY, 1, 1), ((day + 40) * DAY, 2, 1), ((day + 80) * DAY, 3, 1), (310 * DAY, 11, 1)] for day in range(1, 41)
]
NEWEST = Newest(histories=histories_of(SHOPPERS), since=SINCE, now=NOW)


def chosen() -> Recommender:
    model = random_model(4, products=PRODUCTS)
    newcomers.forget(model, newcomers.newcomers(NEWEST.histories.before(SINCE), PRODUCTS))
    return model


def weights_of(model: Recommender) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def chances(model: Recommender) -> torch.Tensor:
    """[I + 1] mean chance of each product for those who had 1, 2 and 3."""
    asked = NEWEST.histories.before(SINCE)
    ((_, scores),) = scored(model, asked, np.arange(len(asked)), now=SINCE, popularity_I=None)
    return torch.softmax(scores, dim=1).mean(0)


def test_it_learns_what_came_since_and_a_product_that_is_new_since_gets_an_id() -> None:
    model = chosen()
    assert not model.products.ids.weight[11].any()

    later = catch_up(model, TrainingConfig(catching_up=20, batch_lines=40, learning_rate=3e-2), KINDS, NEWEST)

    assert later.products.ids.weight[11].any()
    assert chances(later)[11] > 4 * chances(model)[11]
    assert not later.products.ids.weight[12].any()  # still nobody had it
    known = later.bias.weight[torch.tensor([1, 2, 3, 11])]
    torch.testing.assert_close(later.bias.weight[12], known.mean(0))
    assert later.training is False


def test_what_was_chosen_stays_as_it_was_and_catches_up_to_the_same_bytes() -> None:
    model = chosen()
    before = weights_of(model)
    config = TrainingConfig(catching_up=2, batch_lines=40)

    first, again = (catch_up(model, config, KINDS, NEWEST) for _ in range(2))
    other = catch_up(model, TrainingConfig(catching_up=2, batch_lines=40, seed=2), KINDS, NEWEST)

    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in first.state_dict().items())
    assert not all(torch.equal(value, other.state_dict()[name]) for name, value in first.state_dict().items())


def test_without_epochs_it_is_a_copy() -> None:
    model = chosen()

    later = catch_up(model, TrainingConfig(catching_up=0), KINDS, NEWEST)

    assert later is not model
    assert all(torch.equal(value, later.state_dict()[name]) for name, value in model.state_dict().items())


def test_a_training_on_fresh_baskets_catches_up_with_all_that_came_since(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four shoppers bought since, forty did not: with replay 1, eight windows are asked in an epoch."""
    histories = histories_of([*SHOPPERS[:4], *(shopper[:3] for shopper in SHOPPERS)])
    asked: list[int] = []
    whole = BatchMaker._asked

    def counted(maker: BatchMaker, random: np.random.Generator) -> Ints:
        found = whole(maker, random)
        asked.append(len(found))
        return found

    monkeypatch.setattr(BatchMaker, "_asked", counted)
    for fresh_days in (7.0, 0.0):
        config = TrainingConfig(catching_up=1, batch_lines=400, fresh_days=fresh_days)
        catch_up(chosen(), config, KINDS, Newest(histories=histories, since=SINCE, now=NOW))

    assert asked == [8, 44]
