"""Reasons that should be there and are not: what is lost whole is seen, and a correct engine loses nothing."""

from typing import Any

import pytest

from explanations import verification
from explanations.models import Audit, Explanation, VersionCheck
from explanations.withdrawal import withdraw
from recommendations.models import Slate
from tests.explanations.test_audit import audited, causes, computed, packed, without_group_mask
from tests.explanations.test_engine import World
from tests.factories import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """So much is asked of a reason that every second line has none, and some have a group alone."""
    monkeypatch.setattr("explanations.engine.timezone.now", lambda: NOON)
    monkeypatch.setattr("explanations.audit.FEWEST", 100)  # all of them
    made = World(blocks=1, shoppers=16)
    VersionCheck.objects.update(placebo_floor=0.5)
    return made


def test_a_correct_engine_misses_nothing(world: World) -> None:
    computed(world)

    found = audited()

    open_lines = sum(not any(reason["v"] for reason in one.get("r", ())) for one in packed())
    assert causes().count("history_group") >= 20
    assert found.checks["missing"] == [open_lines, 0]
    assert open_lines >= 100
    assert (found.is_passed, found.examples) == (True, [])


def test_groups_that_are_lost_whole_are_missed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing changes without the group, so that no such reason holds; what is still claimed is true."""
    without_group_mask(monkeypatch, lines=0)
    computed(world)

    found = audited()

    assert causes().count("history_group") == 0
    assert [code for code, (_, failed) in found.checks.items() if failed] == ["missing"]
    assert found.checks["missing"][1] >= 10
    assert {one["found"].partition(" ")[0] for one in found.examples} <= {"group", "basket", "alike"}


def test_purchases_that_are_lost_whole_are_missed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    right = verification.variants

    def wrong(cases: Any, *chosen: Any) -> Any:
        visible = right(cases, *chosen).clone()
        visible[:, :, verification.REASONS_ALONE] = cases.real_BL.view(len(cases.real_BL), 1, 1, -1)
        return visible

    monkeypatch.setattr("explanations.explaining.variants", wrong)
    monkeypatch.setattr("explanations.tally.EXAMPLES", 1_000)
    computed(world)

    found = audited()

    assert "history" not in causes()
    assert found.checks["missing"][1] >= 10
    assert any(one["found"].startswith("product ") for one in found.examples if one["check"] == "missing")


def test_reasons_that_a_shopper_took_back_are_not_missed(world: World) -> None:
    computed(world)
    shopper = world.shoppers[0]
    pairs = set(shopper.interactions.values_list("product_id", flat=True))

    withdraw(shopper_id=shopper.pk, product_ids=pairs)
    found = audited()

    assert Slate.objects.filter(shopper=shopper, history_hash="").exists()
    assert found.checks["missing"][1] == 0
    assert found.is_passed


def test_of_an_earlier_release_only_units_that_it_knew_are_missed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It knew purchases and categories, and no baskets."""
    without_group_mask(monkeypatch, lines=0)
    monkeypatch.setattr("explanations.tally.EXAMPLES", 1_000)
    computed(world)
    missed_now = kinds(audited())
    Explanation.objects.update(format=1)

    missed_then = kinds(audited())

    assert "basket" in missed_now
    assert missed_then == {"group"}


def kinds(found: Audit) -> set[str]:
    return {one["found"].partition(" ")[0] for one in found.examples if one["check"] == "missing"}


def test_a_reason_below_what_is_asked_of_it_fails(world: World) -> None:
    """Computed as if the version had no floor of its own."""
    VersionCheck.objects.update(placebo_floor=0.0)
    computed(world)
    VersionCheck.objects.update(placebo_floor=0.5)

    found = audited()

    assert {code for code, (_, failed) in found.checks.items() if failed} == {"threshold"}
    assert found.checks["threshold"][1] >= 50
