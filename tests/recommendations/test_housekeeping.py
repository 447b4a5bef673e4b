"""What is deleted, and what is kept."""

from datetime import timedelta

import pytest
from pytest_django.fixtures import Settings

from recommendations import artifacts, services, shards
from recommendations.models import ArtifactChunk, Placement, Run, Slate
from tests.factories import (
    NOON,
    ModelVersionFactory,
    RunFactory,
    ShardFactory,
)
from tests.recommendations.situations import explained_run, queued
from tests.worlds import explained_slate, publish


def test_old_runs_are_deleted_and_what_one_can_roll_back_to_is_kept(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "DELETED_AT_ONCE", 2)
    old = explained_run(ready_at=NOON - timedelta(days=3))
    for placement in (Placement.BUY_AGAIN, Placement.PRODUCT):
        explained_slate(run=old, placement=placement, contracts=[])
    kept = explained_run(ready_at=NOON - timedelta(days=2))
    live = explained_run(ready_at=NOON - timedelta(days=1))
    for run in (old, kept, live):
        services.publish(run=run, by=None, at=NOON)
    failed = RunFactory(state="failed", ready_at=None)
    Run.objects.filter(pk=failed.pk).update(created_at=NOON - timedelta(days=8))
    recent = RunFactory(state="failed", ready_at=None)
    Run.objects.filter(pk=recent.pk).update(created_at=NOON)

    assert services.delete_old_runs(keep=1, at=NOON) == 2

    assert set(Run.objects.all()) == {kept, live, recent}
    assert set(Slate.objects.values_list("run", flat=True)) == {kept.pk, live.pk}


def test_slates_that_were_replaced_long_ago_are_deleted(db: None) -> None:
    run = publish(explained_run())
    gone = explained_slate(run=run, placement=Placement.BUY_AGAIN, contracts=[])
    recent = explained_slate(run=run, placement=Placement.PRODUCT, contracts=[])
    Slate.objects.filter(pk=gone.pk).update(superseded_at=NOON - timedelta(days=8))
    Slate.objects.filter(pk=recent.pk).update(superseded_at=NOON - timedelta(days=6))

    services.clean_up(at=NOON)

    assert set(run.slates.values_list("placement", flat=True)) == {"home", "product"}


def test_artifacts_of_nobody_are_deleted(db: None) -> None:
    trained, training = ModelVersionFactory(), queued()
    names = [artifacts.weights_name(trained.pk), artifacts.checkpoint_name(training.pk)]
    for name in [*names, artifacts.checkpoint_name(trained.pk), artifacts.weights_name(10**9)]:
        artifacts.save_bytes(name, b"x")

    assert services.delete_orphan_artifacts() == 2

    assert set(ArtifactChunk.objects.values_list("name", flat=True)) == set(names)


def test_the_lease_lasts_as_long_as_is_set(db: None, settings: Settings) -> None:
    settings.LEASE_SECONDS = 5
    shard = ShardFactory()

    shards.claim(shard_id=shard.pk, at=NOON)

    shard.refresh_from_db()
    assert shard.leased_until == NOON + timedelta(seconds=5)
