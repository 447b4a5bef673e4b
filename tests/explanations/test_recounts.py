"""Where erasing somebody leaves too few people of a pair, nothing shows it any more: no page, no API, no later run."""

from typing import Any

import pytest
from celery import current_app

from catalog.models import Product, Shopper
from catalog.services import erase_shopper
from explanations import recounts
from explanations.contract import Status
from explanations.models import Recount
from explanations.services import UnknownRecommendation, recommendation, recommendations_for
from recommendations.models import Placement, Slate
from tests.api_client import PartnerClient
from tests.explanations.test_audit import audited
from tests.explanations.test_engine import World
from tests.explanations.test_everybody import companions_world, written
from tests.factories import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """26 people bought product 1, of these 26, 12 and 5 products 2, 3 and 4 with it; all are listed beside it."""
    made = companions_world(monkeypatch)
    written(made)
    return made


def shown(product: Product) -> list[int]:
    """What stands beside it; empty where that is what stands there for everybody."""
    found = recommendations_for(shopper=None, placement=Placement.PRODUCT, context_product=product, limit=20)
    assert found.slate is not None
    return [one.product.pk for one in found.items] if found.slate.context_product_id else []


def numbered(world: World, *numbers: int) -> list[int]:
    return [world.products[number - 1].pk for number in numbers]


def erase(*shoppers: Shopper) -> None:
    for shopper in shoppers:
        erase_shopper(shopper=shopper)


def test_until_it_is_counted_nothing_is_shown_beside_what_an_erased_shopper_bought(world: World) -> None:
    one = world.products[0]
    slate = Slate.objects.get(context_product=one)
    assert shown(one) == numbered(world, 2, 3, 4)

    erase(world.shoppers[0])
    answer = PartnerClient().get("recommendations", placement="product", product=one.external_id).json()

    assert shown(one) == []
    assert {each["explanation"]["cause"] for each in answer["recommendations"]} == {"not_personal"}
    assert PartnerClient().get(f"explanations/{slate.pk}-1").status_code == 404
    with pytest.raises(UnknownRecommendation):
        recommendation(recommendation_id=f"{slate.pk}-1", shopper=None)


def test_a_pair_of_which_four_people_are_left_is_withdrawn_with_its_numbers_and_others_stay(world: World) -> None:
    one = world.products[0]
    slate = Slate.objects.get(context_product=one)

    erase(world.shoppers[0])
    counted = recounts.settle(at=NOON)

    assert counted == Recount.objects.count() == 6  # products 1 to 5, and 10
    assert shown(one) == numbered(world, 2, 3)
    explanation = Slate.objects.get(context_product=one).explanation
    gone = explanation.contracts["contracts"][2]
    assert (gone["p"], gone["st"], gone.get("x"), gone.get("r")) == (world.products[3].pk, "withheld", None, None)
    assert (explanation.explained, explanation.withheld) == (3, 1)
    assert PartnerClient().get(f"explanations/{slate.pk}-1").status_code == 200
    assert PartnerClient().get(f"explanations/{slate.pk}-3").status_code == 404
    assert recounts.settle(at=NOON) == 0


def test_beside_a_product_of_which_twenty_people_are_left_stands_what_is_the_same_for_everybody(world: World) -> None:
    one = world.products[0]

    erase(*world.shoppers[20:])  # none of them had product 3 or 4
    recounts.settle(at=NOON)

    assert shown(one) == []
    stored = Slate.objects.get(context_product=one).explanation.contracts["contracts"]
    assert {(packed["st"], "x" in packed, "r" in packed) for packed in stored} == {
        (Status.WITHHELD.value, False, False)
    }


def test_a_later_run_of_the_same_version_leaves_out_what_too_few_people_are_left_of(world: World) -> None:
    one = world.products[0]
    erase(world.shoppers[0])
    recounts.settle(at=NOON)

    written(world)

    assert Slate.objects.get(context_product=one).product_ids == numbered(world, 2, 3)
    erase(*world.shoppers[20:])
    recounts.settle(at=NOON)
    written(world)
    assert not Slate.objects.filter(context_product=one).exists()


def test_a_version_that_was_trained_afterwards_counts_for_itself(world: World) -> None:
    erase(world.shoppers[0])
    recounts.settle(at=NOON)
    version = world.run.version
    assert version.snapshot is not None
    assert recounts.too_few(version)[world.products[0].pk] == set(numbered(world, 4))

    type(version.snapshot).objects.update(created_at=Recount.objects.latest("asked_at").asked_at.replace(year=2100))
    version.snapshot.refresh_from_db()

    assert recounts.too_few(version) == {}


def test_the_audit_passes_what_was_withdrawn_and_what_a_later_run_leaves_out(world: World) -> None:
    erase(world.shoppers[0])
    recounts.settle(at=NOON)

    withdrawn = audited()
    written(world)
    later = audited()

    assert (withdrawn.examples, withdrawn.is_passed) == ([], True)
    assert (later.examples, later.is_passed) == ([], True)


def test_a_worker_is_asked_to_count_once_the_erasing_is_committed(
    world: World, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(current_app, "send_task", lambda task, **_: sent.append(task))

    with django_capture_on_commit_callbacks(execute=True):
        erase(world.shoppers[0])

    assert sent == [recounts.TASK]


def published(world: World) -> None:
    """What publishing does: see `services.publish`."""
    recounts.reopen(run=world.run)
    recounts.settle(at=NOON)


def test_a_run_that_is_written_after_the_count_is_counted_when_it_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    """The version was trained before the erasure, its first run is computed after the count."""
    world = companions_world(monkeypatch)
    one = world.products[0]
    erase(world.shoppers[0])
    assert recounts.settle(at=NOON) > 0
    written(world)

    recounts.reopen(run=world.run)
    assert shown(one) == []
    recounts.settle(at=NOON)

    assert shown(one) == numbered(world, 2, 3)
    assert audited().is_passed


def test_so_is_what_was_out_of_stock_when_it_was_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    world = companions_world(monkeypatch)
    one, four = world.products[0], world.products[3]
    Product.objects.filter(pk=four.pk).update(is_available=False)
    written(world)
    erase(world.shoppers[0])
    recounts.settle(at=NOON)
    Product.objects.filter(pk=four.pk).update(is_available=True)
    written(world)

    published(world)

    assert shown(one) == numbered(world, 2, 3)


def test_an_audit_claims_nothing_of_what_is_still_to_be_counted(world: World) -> None:
    erase(world.shoppers[0])

    assert audited().is_passed
