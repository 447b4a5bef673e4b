"""Slates that are the same for everybody, and what stands beside a product: every slot with its true cause."""

import math

import numpy as np
import pytest
import torch

from explanations import engine, fallback
from explanations.contract import Cause, Status
from explanations.engine import Context
from explanations.slates import ExplainedSlate
from recommendations.models import Placement
from tests.explanations.test_engine import World
from tests.factories import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return World(blocks=1)


@pytest.fixture
def shared(world: World) -> Context:
    return engine.context(world.run, now=NOON)


def of(slates: list[ExplainedSlate], placement: Placement) -> ExplainedSlate:
    return next(slate for slate in slates if slate.placement is placement)


@pytest.mark.parametrize(
    ("buyers", "named"),
    [(0, {}), (20, {}), (21, {"buyers": 20}), (99, {"buyers": 90}), (1_299, {"buyers": 1_200})],
)
def test_counts_of_others_are_named_above_twenty_and_rounded_down(buyers: int, named: dict[str, int]) -> None:
    assert fallback.rounded_buyers(buyers) == named


def test_whoever_is_unknown_gets_what_the_model_makes_of_an_empty_history(world: World, shared: Context) -> None:
    world.products[3].is_available = False
    world.products[3].save()
    shared = engine.context(world.run, now=NOON)

    slates = list(fallback.non_personal(shared))

    home = of(slates, Placement.HOME)
    state = fallback.empty_state(shared)
    scores = (state @ shared.model.vectors_ID.T + shared.offset_I)[0]
    scores[0] = scores[4] = float("-inf")  # padding, and what is not available
    order = torch.argsort(scores, descending=True).tolist()[: len(home.product_ids)]
    ids = shared.model.bundle.product_ids
    assert [int(ids[item]) for item in order] == list(home.product_ids)
    assert world.products[3].pk not in home.product_ids
    assert {(stated.cause, stated.status) for stated in home.contracts} == {(Cause.NOT_PERSONAL, Status.FALLBACK)}
    assert all(stated.reasons == () and stated.counterfactual is None for stated in home.contracts)
    log_p = torch.log_softmax(scores, 0)
    for rank, (item, stated) in enumerate(zip(order, home.contracts, strict=False), start=1):
        assert stated.target.rank == rank
        assert stated.target.log_probability == pytest.approx(float(log_p[item]), abs=1e-5)
        assert stated.split is not None
        assert stated.split.baseline + math.fsum(stated.split.parts.values()) == pytest.approx(
            float(scores[item]), abs=1e-5
        )
    assert of(slates, Placement.PRODUCT).product_ids == home.product_ids


def test_what_everybody_buys_again_is_ordered_by_how_many_did_and_names_a_rounded_count(
    world: World, shared: Context
) -> None:
    buyers = np.zeros_like(shared.model.bundle.repeat_buyers)
    buyers[[2, 5, 7]] = [44, 1_250, 3]
    shared.model.bundle.repeat_buyers = buyers

    slate = of(list(fallback.non_personal(shared)), Placement.BUY_AGAIN)

    assert slate.product_ids == tuple(world.products[number - 1].pk for number in (5, 2, 7))
    assert [stated.extra for stated in slate.contracts] == [{"buyers": 1_200}, {"buyers": 40}, {}]


def test_beside_a_product_a_reason_holds_only_where_it_is_bought_with_it_more_than_at_large(
    world: World, shared: Context
) -> None:
    """Product 1 goes with 2 more than 2 goes at large; with 3 less; 4 is not for sale."""
    bundle, products = shared.model.bundle, len(world.products)
    bundle.companions = np.zeros((products + 1, 3), np.int64)
    bundle.companions[1] = [2, 4, 3]
    bundle.companion_log_p = np.full((products + 1, 3), -5.0, np.float32)
    bundle.companion_log_p[1] = [-1.0, -1.5, -4.0]
    bundle.popularity_log_p = np.full(products + 1, -6.0, np.float32)
    bundle.popularity_log_p[[2, 3]] = [-3.0, -3.5]
    bundle.companion_people = np.full((products + 1, 3), 5)
    bundle.companion_buyers = np.full(products + 1, 87)
    bundle.popularity_log_p[5:9] = -1.0  # more popular than product 2, not with product 1
    world.products[3].is_active = False
    world.products[3].save()
    shared = engine.context(world.run, now=NOON)

    one = world.products[0].pk
    (slate,) = fallback.similar(shared, first_id=one, last_id=one)

    assert slate.context_product_id == one
    assert slate.product_ids == (world.products[1].pk, world.products[2].pk)
    first, second = slate.contracts
    assert (first.cause, first.status) == (Cause.VIEWED_PRODUCT, Status.VERIFIED)
    assert first.reasons[0].delta == pytest.approx(2.0)
    assert (first.target.rank, first.reasons[0].rank_without) == (1, 5)
    assert first.target.probability == pytest.approx(math.exp(-1.0))
    assert (second.cause, second.status) == (Cause.POPULAR, Status.FALLBACK)
    assert second.reasons[0].is_verified is False


def test_a_product_that_goes_with_nothing_has_no_slate(world: World, shared: Context) -> None:
    assert list(fallback.similar(shared, first_id=world.products[0].pk, last_id=world.products[-1].pk)) == []


def beside_one(world: World, *, people: int, buyers: int) -> list[ExplainedSlate]:
    """What stands beside product 1: product 2, which goes with it far more than at large."""
    bundle, products = engine.context(world.run, now=NOON).model.bundle, len(world.products)
    bundle.companions = np.zeros((products + 1, 1), np.int64)
    bundle.companions[1] = 2
    bundle.companion_log_p = np.full((products + 1, 1), -1.0, np.float32)
    bundle.popularity_log_p = np.full(products + 1, -6.0, np.float32)
    bundle.popularity_log_p[5:40] = -3.0
    bundle.companion_people = np.full((products + 1, 1), people)
    bundle.companion_buyers = np.full(products + 1, buyers)
    one = world.products[0].pk
    return list(fallback.similar(engine.context(world.run, now=NOON), first_id=one, last_id=one))


def test_what_one_persons_basket_held_is_no_reason_and_no_list(world: World) -> None:
    """With a strength of 30 each other line of a single basket has P ≥ 1/31, far more than at large."""
    assert beside_one(world, people=1, buyers=21) == []
    assert beside_one(world, people=4, buyers=500) == []
    assert beside_one(world, people=20, buyers=20) == []


def test_what_five_of_more_than_twenty_people_bought_together_is_a_reason(world: World) -> None:
    (slate,) = beside_one(world, people=5, buyers=21)

    (stated,) = slate.contracts
    assert (stated.cause, stated.status, stated.extra) == (Cause.VIEWED_PRODUCT, Status.VERIFIED, {"beside": 20})


def test_a_model_that_counted_no_people_has_no_lists_beside_products(world: World) -> None:
    bundle = engine.context(world.run, now=NOON).model.bundle
    bundle.companion_people = bundle.companion_buyers = None
    first, last = world.products[0].pk, world.products[-1].pk

    assert list(fallback.similar(engine.context(world.run, now=NOON), first_id=first, last_id=last)) == []
