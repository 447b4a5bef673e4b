"""What a failed audit keeps from going live, and what it does not."""

from datetime import timedelta

import pytest

from catalog.models import User
from explanations import publishing
from explanations.models import Audit
from recommendations import services
from recommendations.models import Run
from tests.explanations.test_engine import World, world_at_noon
from tests.factories import NOON, ModelVersionFactory

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(hours=1)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return world_at_noon(monkeypatch)


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
