"""Trainings: asked for, sent, held, ended once."""

from datetime import datetime, timedelta

import pytest
from celery import current_app
from kombu.exceptions import OperationalError as BrokerDown
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.fixtures import Settings

from recommendations import leases, services, trainings
from recommendations.models import ModelVersion
from tests.factories import (
    NOON,
    ModelVersionFactory,
    StaffFactory,
)
from tests.recommendations.situations import LATER, Sent, queued

WIDE = {"model": {"width": 64}}


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


@pytest.mark.parametrize(
    ("training", "until"),
    [
        ({}, NOON - timedelta(days=60)),
        ({"catching_up": 0}, NOON - timedelta(days=60)),
        ({"catching_up": 2}, NOON - timedelta(days=30)),
    ],
)
def test_a_version_knows_what_came_before_its_test_period_if_it_caught_up(
    db: None, training: dict[str, int], until: datetime
) -> None:
    assert ModelVersionFactory(config={"model": {}, "training": training}).trained_until == until


def test_the_nightly_training_does_not_go_on_with_the_newest_baskets_alone_because_the_last_one_did(db: None) -> None:
    config = {"model": {"width": 32}, "training": {"fresh_days": 7.0, "replay": 2.0, "epochs": 4}}
    ModelVersionFactory(config=config)

    version = services.retrain(by=None, at=NOON, publish_when_ready=True)

    assert version is not None
    assert version.config == {"model": {"width": 32}, "training": {"epochs": 4}}
