"""Every method answers in one form, and the controls are what they say."""

import pytest
import torch

from explanations.methods.registry import LEARNED, METHODS, UnknownMethod, named
from recommendations.ml.data import DAY
from tests.explanations.methods.asking import ask, random_question
from tests.recommendations.ml.made import random_model, random_shoppers


@pytest.mark.parametrize("name", [*METHODS, LEARNED])
@pytest.mark.parametrize("blocks", [1, 2])
def test_every_method_gives_a_number_for_every_unit_and_product(name: str, blocks: int) -> None:
    asked = random_question(9, blocks=blocks)

    found = named(name, learn_from=[random_question(3, blocks=blocks)])(asked)

    assert found.shape == (*asked.cases.unit_item_BU.shape, asked.items_BK.shape[1])
    assert not found.requires_grad
    exists = asked.exists_BU.unsqueeze(-1).expand_as(found)
    assert torch.isfinite(found[exists]).all()
    assert (found[~exists] == float("-inf")).all()


@pytest.mark.parametrize("name", [*METHODS, LEARNED])
def test_whoever_is_asked_beside_changes_nothing(name: str) -> None:
    model = random_model(2, products=40)
    shoppers = [shopper for shopper in random_shoppers(2, products=20) if shopper]
    method = named(name, learn_from=[random_question(3)])

    together = method(ask(model, shoppers))

    for row, shopper in enumerate(shoppers):
        alone = method(ask(model, [shopper]))[0]
        assert torch.allclose(together[row, : len(alone)], alone, atol=1e-4)


def test_recency_counts_the_latest_line_of_a_unit() -> None:
    asked = ask(random_model(1), [[(DAY, 7, 1), (2 * DAY, 9, 1), (3 * DAY, 7, 1)], [(DAY, 3, 1)]])

    assert named("recency")(asked)[..., 0].tolist() == [[2.0, 1.0], [0.0, float("-inf")]]


def test_similarity_is_the_cosine_of_product_vectors() -> None:
    asked = ask(random_model(1), [[(DAY, 7, 1), (2 * DAY, 9, 1)]])

    found = named("similarity")(asked)

    one, other = asked.vectors_ID[9], asked.vectors_ID[asked.items_BK[0, 2]]
    assert found[0, 1, 2].item() == pytest.approx(torch.cosine_similarity(one, other, dim=0).item(), abs=1e-6)


def test_chance_is_spread_evenly() -> None:
    model = random_model(1, products=40)
    values = named("random")(ask(model, [[(DAY * day, day % 40 + 1, 1) for day in range(16)]] * 1, products=20))

    assert 0.4 < values.mean() < 0.6
    assert len(set(values.flatten().tolist())) == values.numel()


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownMethod, match=r"There is no method 'lime'\. Known: attention, gradient_input, greedy"):
        named("lime")
