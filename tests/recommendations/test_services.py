import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from kombu.exceptions import OperationalError as BrokerDown
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks
from pytest_django.fixtures import Settings

from explanations.contract import Cause
from recommendations import artifacts, leases, services, shards, trainings
from recommendations.models import ArtifactChunk, ModelVersion, Placement, Run, Shard, Slate
from tests.factories import (
    NOON,
    InteractionFactory,
    ModelVersionFactory,
    ProductFactory,
    RunFactory,
    ShardFactory,
    ShopperFactory,
    SlateFactory,
    StaffFactory,
)
from tests.worlds import contract, explained_slate, publish

WIDE = {"model": {"width": 64}}
LATER = NOON + timedelta(minutes=5)
HAND_WRITTEN = "UPDATE recommendations_run SET state = 'live', published_at = now() WHERE id = %s"

Sent = list[tuple[str, str, dict[str, Any]]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What would go to the broker: task, queue, arguments."""
    messages: Sent = []
    monkeypatch.setattr(current_app, "send_task", lambda task, kwargs, queue: messages.append((task, queue, kwargs)))
    return messages


def explained_run(**fields: Any) -> Run:
    run = RunFactory(**fields)
    explained_slate(run=run, contracts=[contract(ProductFactory(), cause=Cause.POPULAR)])
    return run


def queued(**fields: Any) -> ModelVersion:
    return ModelVersionFactory(
        **{"state": "queued", "weights": "", "weights_checksum": "", "started_at": None, "finished_at": None} | fields
    )


# --- trainings ---


def test_a_requested_training_is_queued_and_sent_when_committed(
    db: None, sent: Sent, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    staff = StaffFactory()

    with django_capture_on_commit_callbacks(execute=True):
        version = services.request_training(config=WIDE, seed=3, by=staff, at=NOON, publish_when_ready=True)
        assert sent == []

    assert (version.state, version.config, version.seed, version.created_by) == (
        "queued",
        WIDE,
        3,
        staff,
    )
    assert sent == [("recommendations.tasks.train", "gpu", {"version_id": version.pk})]


def test_a_broker_that_is_down_does_not_fail_the_request_and_the_reaper_sends(
    db: None,
    sent: Sent,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise BrokerDown

    with monkeypatch.context() as patched, django_capture_on_commit_callbacks(execute=True):
        patched.setattr(current_app, "send_task", refuse)
        version = services.request_training(config={}, seed=1, by=None, at=NOON, publish_when_ready=False)
    with django_capture_on_commit_callbacks(execute=True):
        services.advance(at=NOON + timedelta(seconds=29))
    assert sent == []
    with django_capture_on_commit_callbacks(execute=True):
        services.advance(at=NOON + timedelta(seconds=31))

    assert sent == [("recommendations.tasks.train", "gpu", {"version_id": version.pk})]


def test_a_training_that_waits_behind_a_busy_worker_is_not_sent_again(
    db: None, sent: Sent, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    busy, waiting = queued(sent_at=NOON), queued(sent_at=NOON)
    assert trainings.claim(version_id=busy.pk, at=NOON + timedelta(hours=1)) is not None

    with django_capture_on_commit_callbacks(execute=True):
        services.advance(at=NOON + timedelta(hours=1, seconds=20))
    assert sent == []
    with django_capture_on_commit_callbacks(execute=True):  # the worker died
        services.advance(at=NOON + timedelta(hours=1, seconds=40))

    assert [arguments["version_id"] for _, _, arguments in sent] == [busy.pk, waiting.pk]


def test_a_trained_version_is_finished_once_and_only_by_who_holds_it(db: None) -> None:
    version = queued(snapshot=ModelVersionFactory().snapshot)
    first = trainings.claim(version_id=version.pk, at=NOON)
    second = trainings.claim(version_id=version.pk, at=LATER)
    assert first is not None
    assert second is not None

    with pytest.raises(leases.LeaseLost):
        trainings.finish(lease=first, is_passed=True, at=LATER, weights="a", weights_checksum="1")
    done = trainings.finish(lease=second, is_passed=True, at=LATER, weights="b", weights_checksum="2")
    with pytest.raises(leases.LeaseLost):
        trainings.finish(lease=second, is_passed=False, at=LATER, weights="c", weights_checksum="3")

    assert (done.state, done.weights, done.attempts, done.started_at) == ("passed", "b", 2, NOON)
    assert (done.lease_token, done.leased_until, done.finished_at) == (None, None, LATER)


@pytest.mark.parametrize(
    ("outcome", "state", "error"),
    [
        (leases.Cancelled(), "cancelled", ""),
        (ValueError("no interactions before the cut-off"), "failed", "ValueError: no interactions before the cut-off"),
    ],
)
def test_a_training_that_cannot_go_on_says_why(
    transactional_db: None, outcome: Exception, state: str, error: str
) -> None:
    version = queued()

    def train(*_: object) -> None:
        raise outcome

    if state == "failed":
        with pytest.raises(ValueError, match="no interactions"):
            trainings.work(version_id=version.pk, train=train)
    else:
        assert trainings.work(version_id=version.pk, train=train)

    version.refresh_from_db()
    assert (version.state, version.error, version.lease_token) == (state, error, None)
    assert not trainings.work(version_id=version.pk, train=train)


def test_cancelling_stops_a_waiting_training_at_once_and_a_running_one_at_its_next_step(db: None) -> None:
    waiting, running, ended = queued(), queued(), ModelVersionFactory()
    lease = trainings.claim(version_id=running.pk, at=NOON)

    assert services.cancel_training(version=waiting, at=NOON).state == "cancelled"
    assert services.cancel_training(version=running, at=NOON).state == "training"
    with pytest.raises(services.NotCancellable):
        services.cancel_training(version=ended, at=NOON)

    assert lease is not None
    assert lease.is_cancelled()


def test_a_training_whose_worker_died_after_the_request_to_stop_is_cancelled_by_the_reaper(db: None) -> None:
    version = queued()
    assert trainings.claim(version_id=version.pk, at=NOON) is not None
    services.cancel_training(version=version, at=NOON)

    services.advance(at=LATER)

    version.refresh_from_db()
    assert version.state == "cancelled"


def test_a_training_that_kills_its_workers_is_given_up(db: None) -> None:
    version = queued(attempts=ModelVersion.MAX_ATTEMPTS)

    services.advance(at=NOON)

    version.refresh_from_db()
    assert (version.state, version.error) == (
        "failed",
        "Given up: 25 workers died or lost it. Look at their logs for the cause.",
    )


def test_retraining_repeats_the_last_that_passed_and_does_not_pile_up(db: None) -> None:
    ModelVersionFactory(config={"model": {"width": 32}}, finished_at=NOON - timedelta(days=2))
    ModelVersionFactory(config={"model": {"width": 64}}, seed=7, finished_at=NOON - timedelta(days=1))
    ModelVersionFactory(config={"model": {"width": 10}}, state="rejected")

    version = services.retrain(by=None, at=NOON, publish_when_ready=True)

    assert version is not None
    assert (version.config, version.seed, version.is_publish_wanted) == ({"model": {"width": 64}}, 7, True)
    assert services.retrain(by=None, at=NOON, publish_when_ready=True) is None


def test_retraining_follows_the_environment_before_the_last_version(db: None, settings: Settings) -> None:
    settings.TRAINING_CONFIG = {"size": "base"}
    ModelVersionFactory(config={"model": {"width": 32}}, seed=7)

    version = services.retrain(by=None, at=NOON, publish_when_ready=False)

    assert version is not None
    assert (version.config, version.seed) == ({"size": "base"}, 7)


# --- runs ---


def test_a_run_is_planned_in_shards_and_sent_a_window_at_a_time(
    db: None,
    sent: Sent,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    monkeypatch.setattr(shards, "SHOPPERS_PER_SHARD", 2)
    monkeypatch.setattr(shards, "PRODUCTS_PER_SHARD", 3)
    monkeypatch.setattr(shards, "WINDOW", 3)
    shoppers = [InteractionFactory(product=ProductFactory()).shopper for _ in range(3)]
    InteractionFactory(shopper=ShopperFactory(is_personalised=False), product=ProductFactory())
    InteractionFactory(excluded_at=NOON, product=ProductFactory(is_active=False))
    InteractionFactory(occurred_at=LATER, product=ProductFactory(is_available=False))
    ShopperFactory()

    with django_capture_on_commit_callbacks(execute=True):
        run = services.start_run(version=ModelVersionFactory(), by=None, at=NOON, publish_when_ready=False)

    kinds = list(run.shards.order_by("number").values_list("number", "kind", "first_id", "last_id"))
    first, second, third = (shopper.pk for shopper in shoppers if shopper)
    assert kinds[:3] == [(0, "non_personal", 0, 0), (1, "shoppers", first, second), (2, "shoppers", third, third)]
    assert [kind for _, kind, _, _ in kinds[3:]] == ["products", "products"]
    assert [queue for _, queue, _ in sent] == ["precompute"] * 3
    numbers = dict(Shard.objects.values_list("pk", "number"))
    assert [numbers[arguments["shard_id"]] for _, _, arguments in sent] == [0, 1, 2]


def test_a_version_that_did_not_pass_is_not_run(db: None) -> None:
    with pytest.raises(services.NotRunnable):
        services.start_run(version=ModelVersionFactory(state="rejected"), by=None, at=NOON, publish_when_ready=True)

    assert not Run.objects.exists()


def test_finished_shards_make_room_and_lost_ones_are_sent_again(
    db: None,
    sent: Sent,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    monkeypatch.setattr(shards, "WINDOW", 2)
    run = RunFactory(state="computing", ready_at=None)
    rows = [ShardFactory(run=run, number=number) for number in range(4)]

    def sent_at(seconds: int, *, resend: bool = True) -> list[int]:
        sent.clear()
        with django_capture_on_commit_callbacks(execute=True):
            services.advance(at=NOON + timedelta(seconds=seconds), resend=resend)
        return [rows.index(Shard.objects.get(pk=arguments["shard_id"])) for _, _, arguments in sent]

    assert sent_at(0) == [0, 1]
    assert shards.claim(shard_id=rows[0].pk, at=NOON + timedelta(seconds=1)) is not None
    assert sent_at(2) == [2]
    assert sent_at(25) == []
    assert shards.claim(shard_id=rows[1].pk, at=NOON + timedelta(seconds=29)) is not None
    assert sent_at(30) == [3]
    assert sent_at(32) == [0]  # its worker died; 2 and 3 still wait in the queue while a worker is busy with 1
    assert sent_at(61, resend=False) == [1]  # a worker that asks may be the one that was busy until now
    assert sent_at(62) == [2, 3]  # nobody is busy: their messages are lost
    assert sent_at(63) == [0]
    assert sent_at(64) == []


def test_a_shard_that_was_tried_too_often_fails_its_run_with_its_error(db: None) -> None:
    shard = ShardFactory(number=4)
    for _ in range(5):
        lease = shards.claim(shard_id=shard.pk, at=NOON)
        assert lease is not None
        shards.give_back(lease=lease, error="Refused: interaction 7 is not one of shopper 9 with product 3")
    assert shards.claim(shard_id=shard.pk, at=NOON) is None

    services.advance(at=NOON)

    shard.run.refresh_from_db()
    assert (shard.run.state, shard.run.error) == (
        "failed",
        "Shard 4 was tried 5 times: Refused: interaction 7 is not one of shopper 9 with product 3",
    )


def test_a_run_is_complete_when_its_last_shard_is_and_adds_up_what_they_counted(db: None) -> None:
    run = explained_run(state="computing", ready_at=None)
    counts = {"causes": {"history": 3, "popular": 1}, "placements": {"home": {"slates": 2}}}
    ShardFactory(run=run, state="done", slates=2, seconds=1.5, summary=counts)
    token = uuid.uuid4()
    last = ShardFactory(run=run, state="leased", lease_token=token, leased_until=LATER)

    assert not services.complete_run_if_done(run=run, at=NOON)
    shards.finish(shard=last, token=token, slates=1, summary={"causes": {"history": 2}}, seconds=2.0)
    assert services.complete_run_if_done(run=run, at=NOON)

    run.refresh_from_db()
    assert (run.state, run.ready_at) == ("ready", NOON)
    assert run.summary == {
        "shards": 2,
        "slates": 3,
        "seconds": 3.5,
        "causes": {"history": 5, "popular": 1},
        "placements": {"home": {"slates": 2}},
    }


def test_a_complete_run_is_published_where_that_is_wanted(db: None) -> None:
    run = explained_run(state="computing", ready_at=None, is_publish_wanted=True, created_by=StaffFactory())
    ShardFactory(run=run, state="done")

    services.advance(at=NOON)

    run.refresh_from_db()
    assert (run.state, run.published_at, run.published_by) == ("live", NOON, run.created_by)


def test_a_complete_run_with_an_unexplained_slate_stays_ready_and_says_why(db: None) -> None:
    run = explained_run(state="computing", ready_at=None, is_publish_wanted=True)
    SlateFactory(run=run, placement="buy_again")
    ShardFactory(run=run, state="done")

    services.advance(at=NOON)

    run.refresh_from_db()
    assert (run.state, run.error) == ("ready", f"Not published: NotPublishable: run {run.pk}")


def test_a_version_that_passed_and_is_to_be_published_is_run_once(db: None) -> None:
    InteractionFactory()
    version = ModelVersionFactory(is_publish_wanted=True)
    ModelVersionFactory(is_publish_wanted=False)

    services.advance(at=NOON)
    services.advance(at=LATER)

    run = Run.objects.get()
    assert (run.version, run.as_of, run.is_publish_wanted, run.shards.count()) == (version, NOON, True, 3)


# --- publishing ---


def test_publish_retires_the_previous_run(
    db: None,
    sent: Sent,
    django_assert_num_queries: DjangoAssertNumQueries,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    old, new, staff = publish(explained_run()), explained_run(), StaffFactory()

    with django_capture_on_commit_callbacks(execute=True), django_assert_num_queries(7):
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


# --- housekeeping ---


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
