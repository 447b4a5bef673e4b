import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from recommendations import leases, shards, trainings
from recommendations.models import ModelVersion, Shard
from tests.factories import NOON, ModelVersionFactory, ShardFactory


def queued() -> ModelVersion:
    return ModelVersionFactory(state=ModelVersion.State.QUEUED, weights="", weights_checksum="", finished_at=None)


def test_a_shard_is_claimed_once(db: None) -> None:
    shard = ShardFactory()

    lease = shards.claim(shard_id=shard.pk, at=NOON)
    second = shards.claim(shard_id=shard.pk, at=NOON + timedelta(seconds=30))

    shard.refresh_from_db()
    assert lease is not None
    assert second is None
    assert (shard.state, shard.lease_token, shard.attempts) == ("leased", lease.token, 1)
    assert shard.leased_until == NOON + timedelta(seconds=30)


def test_an_expired_lease_is_claimed_by_another_and_the_first_one_learns_it(db: None) -> None:
    shard = ShardFactory()
    first = shards.claim(shard_id=shard.pk, at=NOON)

    second = shards.claim(shard_id=shard.pk, at=NOON + timedelta(seconds=31))

    assert first is not None
    assert second is not None
    with pytest.raises(leases.LeaseLost):
        first.renew(NOON + timedelta(seconds=32))
    with pytest.raises(leases.LeaseLost):
        shards.finish(shard=shard, token=first.token, slates=1, summary={}, seconds=1.0)
    shards.finish(shard=shard, token=second.token, slates=2, summary={}, seconds=1.0)
    shard.refresh_from_db()
    assert (shard.state, shard.slates, shard.lease_token, shard.attempts) == ("done", 2, None, 2)


def test_a_shard_of_a_run_that_ended_is_not_claimed(db: None) -> None:
    shard = ShardFactory(run__state="failed")

    assert shards.claim(shard_id=shard.pk, at=NOON) is None


def test_renewing_is_throttled_to_a_third_of_the_lease(db: None) -> None:
    shard = ShardFactory()
    lease = shards.claim(shard_id=shard.pk, at=NOON)
    assert lease is not None

    lease.renew(NOON + timedelta(seconds=9))
    shard.refresh_from_db()
    assert shard.leased_until == NOON + timedelta(seconds=30)

    lease.renew(NOON + timedelta(seconds=10))
    shard.refresh_from_db()
    assert shard.leased_until == NOON + timedelta(seconds=40)


def test_the_lease_is_renewed_while_the_worker_computes(transactional_db: None, settings: Settings) -> None:
    settings.LEASE_SECONDS = 0.6
    shard = ShardFactory()
    lease = shards.claim(shard_id=shard.pk, at=timezone.now())
    assert lease is not None

    with leases.kept(lease):
        outlived = timezone.now() + timedelta(seconds=1)
        while Shard.objects.get(pk=shard.pk).leased_until < outlived:  # type: ignore[operator]
            assert timezone.now() < outlived + timedelta(seconds=5)

    assert shards.claim(shard_id=shard.pk, at=timezone.now()) is None


def test_a_worker_learns_from_its_thread_that_it_lost_the_lease(transactional_db: None, settings: Settings) -> None:
    settings.LEASE_SECONDS = 0.6
    shard = ShardFactory()
    lease = shards.claim(shard_id=shard.pk, at=timezone.now())
    assert lease is not None

    with leases.kept(lease), pytest.raises(leases.LeaseLost):  # noqa: PT012
        Shard.objects.update(state=Shard.State.PENDING, lease_token=None, leased_until=None)
        started = timezone.now()
        while timezone.now() < started + timedelta(seconds=5):
            lease.renew(started)  # throttled: only the thread asks the database


@pytest.mark.parametrize("attempt", range(5))
def test_of_two_workers_that_claim_at_once_one_wins(transactional_db: None, attempt: int) -> None:
    """Two connections whose UPDATEs meet: the loser waits for the winner's commit and looks again."""
    shard = ShardFactory()
    start, won = threading.Barrier(4), []

    def claim() -> None:
        try:
            start.wait(timeout=10)
            won.append(shards.claim(shard_id=shard.pk, at=NOON))
        finally:
            connection.close()

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)

    assert sorted(lease is None for lease in won) == [False, True, True, True]
    shard.refresh_from_db()
    assert shard.attempts == 1


def test_a_claim_that_waited_for_anothers_commit_finds_the_shard_taken(transactional_db: None) -> None:
    shard = ShardFactory()
    result: list[leases.Lease[Shard] | None] = []
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"

    def claim() -> None:
        try:
            result.append(shards.claim(shard_id=shard.pk, at=NOON))
        finally:
            connection.close()

    with transaction.atomic(), connection.cursor() as cursor:
        winner = shards.claim(shard_id=shard.pk, at=NOON)
        loser = threading.Thread(target=claim)
        loser.start()
        blocked = 0
        deadline = timezone.now() + timedelta(seconds=10)
        while not blocked and timezone.now() < deadline:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(waiting)
            (blocked,) = cursor.fetchone()
    loser.join(timeout=20)

    assert winner is not None
    assert result == [None]


def test_a_training_learns_that_staff_asked_to_stop(db: None) -> None:
    version = queued()
    lease = trainings.claim(version_id=version.pk, at=NOON)
    assert lease is not None
    assert not lease.is_cancelled()

    ModelVersion.objects.filter(pk=version.pk).update(cancel_requested_at=NOON)

    assert lease.is_cancelled()


def test_a_kept_lease_asks_nothing_of_the_workers_connection(
    transactional_db: None, settings: Settings, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Which may be in the middle of a COPY: a query would wait for its end, for ever."""
    settings.LEASE_SECONDS = 0.6
    version = queued()
    lease = trainings.claim(version_id=version.pk, at=timezone.now())
    assert lease is not None
    ModelVersion.objects.filter(pk=version.pk).update(cancel_requested_at=NOON)

    with (
        leases.kept(lease),
        connection.cursor() as cursor,
        django_assert_num_queries(0),
        cursor.copy("COPY (SELECT generate_series(1, 3)) TO STDOUT") as copy,
    ):
        deadline = timezone.now() + timedelta(seconds=10)
        while not lease.is_cancelled():
            lease.renew(timezone.now())
            assert timezone.now() < deadline
        assert len(list(copy)) == 3
