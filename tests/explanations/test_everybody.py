"""Slates without a shopper are audited too: no bug that is planted in what they claim goes unseen."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import torch

from catalog.models import Interaction, Shopper
from explanations import engine, fallback
from explanations.contract import Cause
from explanations.everybody import spoken
from explanations.models import Audit, Explanation
from recommendations import inference
from recommendations.ml import companions as together
from recommendations.ml.bundle import Bundle
from recommendations.models import Placement, Slate
from tests.explanations.test_audit import audited, stored
from tests.explanations.test_engine import World
from tests.factories import NOON, InteractionFactory

pytestmark = pytest.mark.django_db
BESIDE = {1: 26, 2: 12, 3: 5, 4: 4}  # product number - 1: how many shoppers have it in the basket with product 1


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return companions_world(monkeypatch)


def companions_world(monkeypatch: pytest.MonkeyPatch) -> World:
    """26 shoppers bought product 1, and beside it some others; what goes together is counted as training counts it."""
    monkeypatch.setattr("explanations.engine.timezone.now", lambda: NOON)
    made = World(shoppers=26)
    Interaction.objects.all().delete()
    Interaction.objects.bulk_create(
        InteractionFactory.build(
            shopper=shopper,
            partner=shopper.partner,
            product=made.products[number],
            event_type=made.event_types[0],
            occurred_at=NOON - timedelta(days=days),
        )
        for place, shopper in enumerate(made.shoppers)
        for number, count, days in [
            (0, 26, 40),
            *((number, count, 40) for number, count in BESIDE.items()),
            (9, 23, 90),
            (9, 22, 60),
        ]
        if place < count
    )
    bundle = bundle_of(made)
    ids = [shopper.pk for shopper in made.shoppers]
    histories = inference.shopper_lines(inference.loaded(made.run.version), ids, as_of=NOON).histories
    found = together.companions(histories, bundle.model, strength=3, neighbours=6, gap=7 * 86_400)
    bundle.companions, bundle.companion_log_p = found.items, found.log_p
    bundle.companion_people, bundle.companion_buyers = found.people, found.buyers
    bundle.popularity_log_p = found.popularity_log_p
    bundle.repeat_buyers = np.zeros(41, np.int64)
    bundle.repeat_buyers[10] = 22
    return made


def bundle_of(world: World) -> Bundle:
    return inference.loaded(world.run.version).bundle


def written(world: World) -> None:
    """What is the same for everybody, and what stands beside each product, as the engine makes it now."""
    Slate.objects.all().delete()
    shared = engine.context(world.run, now=NOON)
    first, last = world.products[0].pk, world.products[-1].pk
    for slate in [*fallback.non_personal(shared), *fallback.similar(shared, first_id=first, last_id=last)]:
        stored(world.run, slate)


def failed(found: Audit) -> set[str]:
    return {code for code, (_, count) in found.checks.items() if count}


def test_what_the_engine_writes_passes(world: World) -> None:
    written(world)

    found = audited()

    beside = Slate.objects.filter(context_product=world.products[0]).get()
    assert beside.product_ids == [world.products[number].pk for number in (1, 2, 3)]
    assert beside.explanation.contracts["contracts"][0]["x"] == {"beside": 20}
    everybodys = Slate.objects.get(placement=Placement.BUY_AGAIN)
    assert everybodys.explanation.contracts["contracts"][0]["x"] == {"buyers": 20}
    assert (found.examples, found.is_passed, found.moved_on) == ([], True, 0)
    assert found.slates == Slate.objects.count() == 5
    assert {code for code, (checked, _) in found.checks.items() if checked} == {
        *("cause", "companion", "count", "delta", "order", "people", "rank", "score", "text"),
    }


@pytest.mark.parametrize(("count", "said"), [(21, 20), (99, 90), (100, 100), (1_299, 1_200), (98_765, 98_000)])
def test_counts_are_spoken_as_slates_round_them(count: int, said: int) -> None:
    assert spoken(count) == said
    assert fallback.rounded_buyers(count) == {"buyers": said}


def test_a_pair_of_too_few_people_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fallback, "FEWEST_TOGETHER", 4)
    written(world)

    found = audited()

    assert {"people", "order"} <= failed(found)
    assert "at least 5" in {example["claimed"] for example in found.examples}


def test_a_product_of_too_few_people_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fallback, "FEWEST_BUYERS", 11)
    written(world)

    found = audited()

    product = world.products[2]  # bought by twelve
    slate = Slate.objects.get(context_product=product)
    assert {(slate.pk, "people", "more than 20", "12")} <= {
        (one["slate"], one["check"], one["claimed"], one["found"]) for one in found.examples
    }


def test_people_of_whom_too_few_are_left_fail(world: World) -> None:
    """Counted five when the version was trained; one of them was erased since."""
    written(world)
    Shopper.objects.filter(pk=world.shoppers[0].pk).delete()

    found = audited()

    assert failed(found) == {"people"}
    assert {(one["rank"], one["found"]) for one in found.examples} == {(3, "4 now")}


def test_a_companion_that_was_counted_wrong_fails(world: World) -> None:
    """Training swaps two products: what is listed agrees with what was counted, and with nobody's baskets."""
    bundle = bundle_of(world)
    bundle.companions = np.where(bundle.companions == 2, 30, bundle.companions)
    written(world)

    found = audited()

    assert failed(found) == {"people"}
    assert ("at least 5", "0 now") in {(one["claimed"], one["found"]) for one in found.examples}


def test_a_wrong_companion_fails(world: World) -> None:
    bundle, right = bundle_of(world), bundle_of(world).companions
    bundle.companions = right[:, [1, 0, *range(2, right.shape[1])]]
    written(world)
    bundle.companions = right

    assert {"order", "companion", "delta"} <= failed(audited())


def test_a_count_that_is_not_rounded_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fallback, "rounded_buyers", lambda count, of="buyers": {of: count})
    written(world)

    found = audited()

    assert "count" in failed(found)
    assert {"{'buyers': 22}", "{'beside': 26}"} <= {one["claimed"] for one in found.examples}


def tampered(change: Callable[[dict[str, Any]], None], **slates: Any) -> int:
    """How many contracts."""
    changed = 0
    for explanation in Explanation.objects.filter(**{f"slate__{name}": value for name, value in slates.items()}):
        for contract in explanation.contracts["contracts"]:
            change(contract)
            changed += 1
        explanation.save()
    return changed


@pytest.mark.parametrize("cause", [Cause.HISTORY, Cause.BUY_AGAIN, Cause.POPULAR, Cause.NEW])
def test_a_false_cause_of_what_is_the_same_for_everybody_fails(world: World, cause: Cause) -> None:
    written(world)
    changed = tampered(lambda contract: contract.update(c=cause.value), placement=Placement.HOME)

    found = audited()

    assert found.checks["cause"][1] >= changed
    assert failed(found) == {"cause"}


def test_what_goes_with_a_product_no_more_than_at_large_fails_where_it_is_said_to(world: World) -> None:
    """The engine takes product 2 for rarer than it is."""
    bundle, right = bundle_of(world), bundle_of(world).popularity_log_p.copy()
    right[2] = -0.01
    written(world)
    bundle.popularity_log_p = right

    found = audited()

    assert failed(found) == {"companion", "cause"}
    assert "viewed_product, verified" in {one["claimed"] for one in found.examples}


def test_a_ranking_of_somebody_else_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fallback, "empty_state", lambda shared: torch.ones(1, shared.model.vectors_ID.shape[1]))
    written(world)

    assert {"score", "delta", "rank"} <= failed(audited())
