"""Whatever dies while a run is computed, it ends in the same bytes."""

import hashlib
import json
import random
import signal
import time
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection
from django.utils import timezone

from config import settings as product_settings
from config.embedded import ensure_services
from config.embedded.account import find_home
from config.embedded.postgres_server import stop
from config.schedule import ENTRIES
from explanations import precompute
from recommendations import services, shards
from recommendations.models import Run, Shard, Slate
from recommendations.sending import send
from tests import stand_in
from tests.factories import InteractionFactory, ModelVersionFactory, ProductFactory
from tests.faults.conftest import Broker
from tests.processes import Crew, Worker, wait_until

Beat = Callable[[Callable[[], bool], float], None]


@pytest.fixture
def run(members: Crew, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Fifteen shards: everybody, twenty shoppers in ten, thirty products in four."""
    monkeypatch.setattr(shards, "SHOPPERS_PER_SHARD", 2)
    monkeypatch.setattr(shards, "PRODUCTS_PER_SHARD", 8)
    products = ProductFactory.create_batch(30)
    for product in products[:20]:
        InteractionFactory(product=product)
    return start()


def start() -> Run:
    version = ModelVersionFactory()
    return services.start_run(version=version, by=None, at=timezone.now(), publish_when_ready=False, is_sent=False)


def digest(run: Run) -> str:
    """Of everything that a shopper could see of the run; its id, and those of its slates, are not."""
    slates = Slate.objects.filter(run=run).select_related("explanation")
    seen = [
        (
            slate.placement,
            slate.shopper_id,
            slate.context_product_id,
            slate.product_ids,
            slate.scores,
            slate.probabilities,
            slate.history_hash,
            slate.explanation.contracts["contracts"],
        )
        for slate in slates.order_by("placement", "shopper", "context_product")
    ]
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()


def uninterrupted(like: Run, members: Crew) -> str:
    """The same run, computed here in one go, without workers who would help."""
    for worker in members.workers:
        worker.kill()
    other = start()
    for shard in other.shards.order_by("number"):
        assert precompute.work(shard_id=shard.pk, compute=stand_in.compute)
    assert services.complete_run_if_done(run=other, at=timezone.now())
    assert other.shards.count() == like.shards.count()
    return digest(other)


def is_ready(run: Run) -> Callable[[], bool]:
    return lambda: Run.objects.filter(pk=run.pk, state=Run.State.READY).exists()


def has_work(worker: Worker) -> bool:
    return "received" in worker.log()


def is_leased(number: int = 0) -> bool:
    return Shard.objects.filter(state=Shard.State.LEASED).count() > number


def test_a_worker_killed_at_random_points_ends_in_the_same_bytes(run: Run, members: Crew, beat: Beat) -> None:
    chance = random.Random(20111209)  # noqa: S311
    slow = {"STAND_IN_SECONDS": "0.25"}  # a shard takes longer than a worker lives
    workers = [members.start(**slow), members.start(**slow)]
    for worker in workers:
        worker.wait_until_ready()
    kills = 0

    while kills < 10:
        victim = workers.pop(0)
        beat(partial(has_work, victim), 60)
        time.sleep(chance.uniform(0, 0.6))  # the random point
        victim.kill()
        kills += 1
        workers.append(members.start(**slow))
        if is_ready(run)():
            break
    beat(is_ready(run), 60)

    run.refresh_from_db()
    assert kills == 10, "the run ended before the tenth kill: slow the stand-in down"
    assert digest(run) == uninterrupted(run, members)
    assert run.summary["slates"] == run.slates.count() == 72
    assert run.shards.filter(attempts__gt=1).exists()


def test_leases_and_the_reaper_resume_a_killed_worker_within_a_minute() -> None:
    reaper = next(entry for entry in ENTRIES if entry.task == "config.tasks.advance")

    assert reaper.seconds is not None
    assert product_settings.LEASE_SECONDS + reaper.seconds < 60


def test_two_workers_given_one_shard_count_it_once(run: Run, members: Crew) -> None:
    run.shards.exclude(number=1).delete()
    shard = run.shards.get()
    for worker in [members.start(STAND_IN_SECONDS="0.3"), members.start(STAND_IN_SECONDS="0.3")]:
        worker.wait_until_ready()

    for _ in range(6):
        send(product_settings.SHARD_TASK, queue="precompute", shard_id=shard.pk)
    wait_until(lambda: members.logs().count("succeeded in") == 6, seconds=30, what="six messages are taken")

    shard.refresh_from_db()
    assert (shard.state, shard.attempts, shard.slates) == ("done", 1, 4)
    assert all(has_work(worker) for worker in members.workers)
    assert run.slates.filter(shopper__gte=shard.first_id, shopper__lte=shard.last_id).count() == 4


def test_a_frozen_worker_finds_its_shard_done_by_another_and_writes_nothing(
    run: Run, members: Crew, beat: Beat
) -> None:
    frozen = members.start(STAND_IN_SECONDS="0.2")
    frozen.wait_until_ready()
    beat(is_leased, 30)
    frozen.signal(signal.SIGSTOP)
    shard = Shard.objects.get(state=Shard.State.LEASED)
    members.start()

    beat(is_ready(run), 60)
    frozen.signal(signal.SIGCONT)
    wait_until(lambda: "computed elsewhere" in frozen.log(), seconds=30, what="the frozen worker learns it")

    shard.refresh_from_db()
    assert (shard.state, shard.attempts) == ("done", 2)
    assert digest(run) == uninterrupted(run, members)


def test_a_restarted_broker_loses_nothing(run: Run, members: Crew, beat: Beat, broker: Broker) -> None:
    worker = members.start(STAND_IN_SECONDS="0.05")
    worker.wait_until_ready()
    beat(is_leased, 30)

    broker.kill()
    services.advance(at=timezone.now())
    broker.start()
    beat(is_ready(run), 60)

    assert digest(run) == uninterrupted(run, members)


def test_a_restarted_database_loses_nothing(run: Run, members: Crew, beat: Beat) -> None:
    if not product_settings.IS_DATABASE_EMBEDDED:
        pytest.skip("the database is not ours to restart")
    worker = members.start(STAND_IN_SECONDS="0.05")
    worker.wait_until_ready()
    beat(is_leased, 30)

    stop(find_home(product_settings.LOCAL_DIR.resolve()))
    ensure_services(product_settings.LOCAL_DIR, valkey=False)
    connection.close()
    beat(is_ready(run), 60)

    assert digest(run) == uninterrupted(run, members)


def test_a_shard_that_always_raises_fails_its_run_visibly(run: Run, members: Crew, beat: Beat) -> None:
    run.shards.exclude(number=1).delete()
    worker = members.start(STAND_IN_RAISES="1")
    worker.wait_until_ready()

    beat(lambda: Run.objects.filter(pk=run.pk, state=Run.State.FAILED).exists(), 60)

    run.refresh_from_db()
    assert run.error == "Shard 1 was tried 5 times: ZeroDivisionError: the stand-in was told to"
