"""Whatever dies while a model is trained, it ends in the same weights."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from django.utils import timezone

from catalog.models import Interaction
from recommendations import services
from recommendations.artifacts import load_bytes
from recommendations.models import ArtifactChunk, ModelVersion, TrainingEpoch
from tests.factories import (
    NOON,
    CategoryFactory,
    EventTypeFactory,
    InteractionFactory,
    ProductFactory,
    ShopperFactory,
)
from tests.processes import Crew, Worker, has_torch, wait_until

Beat = Callable[[Callable[[], bool], float], None]

CONFIG = {
    "model": {"width": 16, "history": 20},
    "training": {"epochs": 60, "patience": 60, "batch_lines": 300},
}
LEASE_SECONDS = 0.5


@pytest.fixture
def shop(transactional_db: None) -> None:
    """Sixty shoppers with six baskets of three out of forty products."""
    chance = np.random.default_rng(1)
    products = ProductFactory.create_batch(40, category=CategoryFactory())
    purchase = EventTypeFactory(code="purchase")
    rows = [
        InteractionFactory.build(
            shopper=shopper,
            partner=shopper.partner,
            product=products[number],
            event_type=purchase,
            occurred_at=NOON - timedelta(days=int(300 - 50 * basket - chance.integers(20))),
            basket=f"{shopper.pk}-{basket}",
        )
        for shopper in ShopperFactory.create_batch(60)
        for basket in range(6)
        for number in chance.choice(40, 3, replace=False)
    ]
    Interaction.objects.bulk_create(rows)


def queue(**training: int) -> ModelVersion:
    config = CONFIG | {"training": CONFIG["training"] | training}
    return services.request_training(
        config=config, seed=3, by=None, at=timezone.now(), publish_when_ready=False, is_sent=False
    )


class Nursery:
    """Trainers that can be started at once, see tests/nursery.py."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self._process = process
        self._folder = folder
        self.started = 0

    def start(self, version: ModelVersion) -> int:
        """A trainer on a node with an empty disk; its process id."""
        self.started += 1
        print(version.pk, self._folder / f"node{self.started}", file=self._process.stdin, flush=True)
        return int(self._answer())

    def wait(self) -> int:
        """The exit code of the one that was started."""
        return int(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def nursery(environment: dict[str, str], folder: Path) -> Iterator[Nursery]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.nursery"],
        env=environment | {"LEASE_SECONDS": str(LEASE_SECONDS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield Nursery(process, folder)
        finally:
            process.kill()


def is_free(version: ModelVersion) -> bool:
    """Nobody holds it any more: the lease ran out."""
    return ModelVersion.objects.claimable(timezone.now()).filter(pk=version.pk).exists()


def test_a_trainer_killed_at_random_points_ends_in_the_same_weights(
    shop: None, process_environment: dict[str, str], tmp_path: Path
) -> None:
    chance = random.Random(20111209)  # noqa: S311
    killed, whole = queue(), queue()

    with nursery(process_environment | {"STEP_SECONDS": "0.02"}, tmp_path / "slow") as trainers:
        for kill in range(10):
            epochs = killed.epochs.count()
            pid = trainers.start(killed)
            if kill % 2:  # every other one comes further than any before it
                wait_until(lambda: killed.epochs.count() > epochs, seconds=30, what="another epoch")  # noqa: B023
            time.sleep(chance.uniform(0, 0.4))  # the random point
            os.kill(pid, signal.SIGKILL)
            assert trainers.wait() == -signal.SIGKILL, "it ended before the tenth kill: give it more epochs"
            wait_until(lambda: is_free(killed), seconds=5, what="the lease of the killed one ran out")
    epochs_until_then = TrainingEpoch.objects.filter(version=killed).count()
    with nursery(process_environment, tmp_path / "quick") as trainers:
        for version in (killed, whole):
            trainers.start(version)
            assert trainers.wait() == 0

    for version in (killed, whole):
        version.refresh_from_db()
    assert 5 <= epochs_until_then < 60  # it went on from checkpoints, on disks that were empty
    assert (killed.attempts <= 11, whole.attempts) == (True, 1)  # one may be killed before it claims
    assert killed.weights_checksum == whole.weights_checksum != ""
    assert load_bytes(killed.weights, killed.weights_checksum) == load_bytes(whole.weights, whole.weights_checksum)
    losses = [list(version.epochs.order_by("number").values_list("number", "loss")) for version in (killed, whole)]
    assert losses[0] == losses[1]
    assert set(ArtifactChunk.objects.values_list("name", flat=True)) == {killed.weights, whole.weights}


def test_a_killed_gpu_worker_is_followed_by_another_whose_parent_never_loads_torch(
    shop: None, members: Crew, beat: Beat, tmp_path: Path
) -> None:
    version = queue(epochs=25, patience=25)

    def start() -> Worker:
        worker = members.start("gpu", app="config.celery", options=["--max-tasks-per-child=1"])
        worker.wait_until_ready()
        return worker

    first = start()
    beat(lambda: version.epochs.count() >= 2, 60)
    parent_has_torch = has_torch(first.pid)
    first.kill()
    assert ModelVersion.objects.get(pk=version.pk).state == ModelVersion.State.TRAINING
    start()
    beat(lambda: not ModelVersion.objects.unfinished().exists(), 60)

    version.refresh_from_db()
    assert not parent_has_torch
    assert (version.attempts, version.epochs.count(), version.error) == (2, 25, "")
    assert version.state in {ModelVersion.State.PASSED, ModelVersion.State.REJECTED}
