"""Publishing and rolling back: one live run, and only one whose every slate is explained."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from recommendations import services
from recommendations.models import Run
from tests.factories import (
    NOON,
    SlateFactory,
    StaffFactory,
)
from tests.recommendations.situations import LATER, Sent, explained_run
from tests.worlds import publish

HAND_WRITTEN = "UPDATE recommendations_run SET state = 'live', published_at = now() WHERE id = %s"


def test_publish_retires_the_previous_run(
    db: None,
    sent: Sent,
    django_assert_num_queries: DjangoAssertNumQueries,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    old, new, staff = publish(explained_run()), explained_run(), StaffFactory()

    with django_capture_on_commit_callbacks(execute=True), django_assert_num_queries(8):  # one of them reopens recounts
        # savepoint, audit, check of explanations, retire, claim, fetch, release
        services.publish(run=new, by=staff, at=LATER)

    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.state, old.retired_at) == ("retired", LATER)
    assert (new.state, new.published_at, new.published_by) == ("live", LATER, staff)
    assert sent == [("explanations.tasks.refresh_stale", "default", {})]


def _unexplained(run: Run) -> None:
    SlateFactory(run=run, placement="buy_again", product_ids=[1], scores=[1.0], probabilities=[0.1])


def _without_slates(run: Run) -> None:
    run.slates.all().delete()


@pytest.mark.parametrize("spoil", [_unexplained, _without_slates])
def test_a_run_with_one_unexplained_slate_does_not_go_live(db: None, spoil: Callable[[Run], None]) -> None:
    live, run = publish(explained_run()), explained_run()
    spoil(run)

    with pytest.raises(services.NotPublishable):
        services.publish(run=run, by=None, at=LATER)

    assert list(Run.objects.live()) == [live]
    assert list(Run.objects.filter(state="retired")) == []


@pytest.mark.parametrize("spoil", [_unexplained, _without_slates])
def test_nor_does_it_by_hand_written_sql(db: None, spoil: Callable[[Run], None]) -> None:
    run = explained_run()
    spoil(run)

    with pytest.raises(IntegrityError, match="without its explanation"), transaction.atomic():
        connection.cursor().execute(HAND_WRITTEN, [run.pk])

    assert not Run.objects.live().exists()


def test_the_hand_written_sql_is_refused_for_that_reason_alone(db: None) -> None:
    run = explained_run()

    connection.cursor().execute(HAND_WRITTEN, [run.pk])

    assert list(Run.objects.live()) == [run]


def test_the_update_of_publish_itself_claims_no_unexplained_run(db: None) -> None:
    """The statement refuses by its own WHERE, before the trigger has to."""
    run = explained_run()
    _unexplained(run)
    with CaptureQueriesContext(connection) as queries, pytest.raises(services.NotPublishable):
        services.publish(run=run, by=None, at=LATER)
    statement = next(query["sql"] for query in queries if "'live'" in query["sql"] and "NOT EXISTS" in query["sql"])

    with connection.cursor() as cursor:
        cursor.execute(statement.replace("%", "%%"))
        assert cursor.rowcount == 0
        run.slates.filter(explained_at=None).delete()
        cursor.execute(statement.replace("%", "%%"))
        assert cursor.rowcount == 1  # with every slate explained, the same statement does it


def test_the_live_run_is_not_published_again(db: None) -> None:
    live = publish(explained_run())

    with pytest.raises(services.NotPublishable):
        services.publish(run=live, by=None, at=LATER)

    live.refresh_from_db()
    assert (live.state, live.published_at) == ("live", NOON)


def test_of_two_who_publish_at_once_one_wins(transactional_db: None, sent: Sent) -> None:
    publish(explained_run())
    runs = [explained_run(), explained_run()]
    start, outcomes = threading.Barrier(2), []

    def publish_it(run: Run) -> None:
        try:
            start.wait(timeout=10)
            services.publish(run=run, by=None, at=LATER)
            outcomes.append("live")
        except IntegrityError:
            outcomes.append("lost")
        finally:
            connection.close()

    threads = [threading.Thread(target=publish_it, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)

    assert Run.objects.live().count() == 1
    # Nobody loses where the second began after the first had ended: it simply came later.
    assert outcomes.count("live") + outcomes.count("lost") == 2
    assert outcomes.count("live") == 1 + Run.objects.filter(pk__in=[run.pk for run in runs], state="retired").count()


def test_the_second_of_two_publishers_waits_and_loses(transactional_db: None, sent: Sent) -> None:
    publish(explained_run())
    first, second = explained_run(), explained_run()
    outcomes: list[str] = []

    def publish_second() -> None:
        try:
            services.publish(run=second, by=None, at=LATER)
        except IntegrityError as error:
            outcomes.append(str(error).partition("\n")[0])
        finally:
            connection.close()

    with transaction.atomic():
        services.publish(run=first, by=None, at=LATER)
        thread = threading.Thread(target=publish_second)
        thread.start()
        _wait_until_blocked()
    thread.join(timeout=20)

    assert outcomes == ['duplicate key value violates unique constraint "one_live_run"']
    assert list(Run.objects.live()) == [first]


def _wait_until_blocked() -> None:
    """Until another connection of this database waits for a lock of ours."""
    with connection.cursor() as cursor:
        for _ in range(10_000):
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute("SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))")
            if cursor.fetchone() is not None:
                return
    raise AssertionError("nobody waits")


def test_roll_back_makes_the_previous_run_live_and_then_the_one_before(db: None) -> None:
    runs = [explained_run(ready_at=NOON + timedelta(hours=hour)) for hour in range(3)]
    for hour, run in enumerate(runs):
        services.publish(run=run, by=None, at=NOON + timedelta(hours=hour))
    staff = StaffFactory()

    assert services.roll_back(by=staff, at=LATER) == runs[1]
    assert services.roll_back(by=staff, at=LATER) == runs[0]
    with pytest.raises(services.NothingToRollBackTo):
        services.roll_back(by=staff, at=LATER)

    assert [(run.pk, run.published_by) for run in Run.objects.live()] == [(runs[0].pk, staff)]
    assert services.publish(run=runs[2], by=None, at=LATER).state == "live"  # and forward again


def test_nothing_published_cannot_be_rolled_back(db: None) -> None:
    with pytest.raises(services.NothingToRollBackTo):
        services.roll_back(by=None, at=NOON)
