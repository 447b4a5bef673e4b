"""An audit passes what the engine writes, and fails on each bug that is planted."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from catalog.models import User
from catalog.services import exclude_history
from explanations import audit, engine, publishing, verification, writing
from explanations.models import Audit, Explanation
from explanations.verification import SINGLE
from recommendations import services
from recommendations.models import Run, Slate
from tests.explanations.test_engine import World
from tests.factories import NOON, ModelVersionFactory

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(hours=1)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("explanations.engine.timezone.now", lambda: NOON)
    return World(blocks=1)


def computed(world: World) -> None:
    """Slates of the live run for all shoppers, as the engine makes them now."""
    ids = [shopper.pk for shopper in world.shoppers]
    writing.write_refresh(run=world.run, shopper_ids=ids, slates=engine.refresh(ids), at=NOON)


def audited() -> Audit:
    found = audit.audit(at=LATER)
    assert found is not None
    return found


@pytest.mark.parametrize(("blocks", "uses_repeats"), [(1, False), (2, True)])
def test_what_the_engine_writes_passes(blocks: int, uses_repeats: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explanations.engine.timezone.now", lambda: NOON)
    computed(World(blocks=blocks, uses_repeats=uses_repeats))

    found = audited()

    assert (found.examples, found.is_passed, found.moved_on) == ([], True, 0)
    assert found.slates == Slate.objects.filter(shopper__isnull=False).count()
    assert set(found.checks) == {"history", "score", "delta", "rank", "polarity", "counterfactual", "text"}
    assert all(checked >= 5 and failed == 0 for checked, failed in found.checks.values())


def test_nothing_is_audited_where_nothing_is_live(world: World) -> None:
    Run.objects.update(state=Run.State.RETIRED, retired_at=NOON)

    assert audit.audit(at=LATER) is None


def test_a_dropped_group_mask_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first line of a unit is masked: what is bought several times seems to carry less."""
    right = verification.variants

    def wrong(cases: Any, *chosen: Any) -> Any:
        visible = right(cases, *chosen).clone()
        visible[:, :, SINGLE] = cases.real_BL.unsqueeze(1)  # the mask is forgotten
        visible[:, :, SINGLE, 0] = False
        return visible

    monkeypatch.setattr("explanations.explaining.variants", wrong)
    computed(world)

    found = audited()

    assert not found.is_passed
    assert found.checks["delta"][1] > 0


def tampered(change: Callable[[dict[str, Any]], None]) -> None:
    for explanation in Explanation.objects.filter(slate__shopper__isnull=False):
        for contract in explanation.contracts["contracts"]:
            change(contract)
        explanation.save()


def test_a_wrong_sign_fails(world: World) -> None:
    computed(world)

    def flip(contract: dict[str, Any]) -> None:
        for reason in contract.get("r", []):
            reason["d"] = -reason["d"]

    tampered(flip)
    found = audited()

    assert not found.is_passed
    assert found.checks["polarity"][1] == found.checks["polarity"][0] - _opposing()


def _opposing() -> int:
    stored = Explanation.objects.filter(slate__shopper__isnull=False).values_list("contracts", flat=True)
    return sum(len(contract.get("o", [])) for contracts in stored for contract in contracts["contracts"])


def test_a_wrong_replacement_fails(world: World) -> None:
    computed(world)

    def other(contract: dict[str, Any]) -> None:
        if "cf" in contract:
            contract["cf"][3] = contract["p"]

    tampered(other)
    found = audited()

    assert found.checks["counterfactual"][1] == found.checks["counterfactual"][0] / 2


def test_a_stale_history_fails_unless_it_changed_lately(world: World) -> None:
    computed(world)
    Slate.objects.filter(shopper=world.shoppers[0]).update(history_hash="0" * 32)

    found = audited()

    assert not found.is_passed
    assert found.checks["history"][1] == Slate.objects.filter(shopper=world.shoppers[0]).count()


def test_a_history_that_changed_since_is_not_compared(world: World) -> None:
    computed(world)
    shopper = world.shoppers[0]
    bought = shopper.interactions.order_by("pk").first()
    assert bought is not None
    exclude_history(shopper=shopper, product=world.product(bought.product_id), at=NOON + timedelta(minutes=1))

    found = audited()

    assert found.checks["history"][1] == 0
    assert found.moved_on == Slate.objects.filter(shopper=shopper).count()


def test_words_that_the_contract_does_not_hold_fail(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    computed(world)
    monkeypatch.setattr("explanations.phrasing.phrased._chance", lambda *_: "loved by 87 others")

    found = audited()

    assert found.checks["text"] == [found.checks["text"][0]] * 2
    assert found.examples[0]["found"] == "says 87"


def test_a_failed_audit_stops_the_next_publish_until_somebody_acknowledges_it(world: World) -> None:
    user = User.objects.create(username="ann")
    failed = Audit.objects.create(
        run=world.run, created_at=NOON, slates=9, moved_on=0, checks={"rank": [40, 2]}, is_passed=False
    )
    following = world.following()

    with pytest.raises(services.NotPublishable, match=r"audit of run \d+ on 2011-12-01 12:00 failed \(rank 2/40\)"):
        services.publish(run=following, by=None, at=LATER)
    assert Run.objects.live().get() == world.run
    publishing.acknowledge(audit=failed, by=user, at=LATER)
    services.publish(run=following, by=None, at=LATER)

    assert Run.objects.live().get() == following
    failed.refresh_from_db()
    assert (failed.acknowledged_by, failed.acknowledged_at) == (user, LATER)


def test_an_audit_that_passes_lifts_no_block_of_one_that_failed(world: World) -> None:
    failed = Audit.objects.create(
        run=world.run, created_at=NOON, slates=9, moved_on=0, checks={"rank": [40, 2]}, is_passed=False
    )
    Audit.objects.create(run=world.run, created_at=LATER, slates=9, moved_on=0, checks={}, is_passed=True)
    following = world.following()

    with pytest.raises(services.NotPublishable, match=r"failed \(rank 2/40\)"):
        services.publish(run=following, by=None, at=LATER)
    publishing.acknowledge(audit=failed, by=User.objects.create(username="ann"), at=LATER)
    services.publish(run=following, by=None, at=LATER)

    assert Run.objects.live().get() == following


def test_a_model_whose_audit_failed_does_not_come_back_unseen(world: World) -> None:
    following = world.following()
    Audit.objects.create(run=following, created_at=NOON, slates=9, moved_on=0, checks={"rank": [4, 4]}, is_passed=False)
    Run.objects.filter(pk=world.run.pk).update(version=ModelVersionFactory())

    with pytest.raises(services.NotPublishable, match=f"audit of run {following.pk} "):
        services.publish(run=following, by=None, at=LATER)


def test_going_back_to_the_run_before_needs_no_audit(world: World) -> None:
    following = world.following()
    services.publish(run=following, by=None, at=LATER)
    Audit.objects.create(
        run=following, created_at=LATER, slates=9, moved_on=0, checks={"rank": [4, 4]}, is_passed=False
    )

    services.roll_back(by=None, at=LATER)

    assert Run.objects.live().get() == world.run
