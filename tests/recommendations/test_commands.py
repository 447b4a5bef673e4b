import sys
from datetime import datetime
from io import StringIO
from types import ModuleType
from typing import Any

import pytest
from celery import current_app
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

import explanations
import recommendations
from recommendations import artifacts, leases, trainings
from recommendations.models import ModelVersion, Run, Snapshot
from tests import stand_in
from tests.factories import InteractionFactory, ModelVersionFactory, ProductFactory, RunFactory, SnapshotFactory
from tests.worlds import contract, explained_slate, publish


@pytest.fixture(autouse=True)
def _stand_ins(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of the engine, the training and the broker."""
    training = ModuleType("recommendations.training")
    vars(training)["run"] = _train
    for package, name, module in ((explanations, "engine", stand_in), (recommendations, "training", training)):
        monkeypatch.setitem(sys.modules, f"{package.__name__}.{name}", module)
        monkeypatch.setattr(package, name, module, raising=False)
    monkeypatch.setattr(current_app, "send_task", lambda task, kwargs, queue: None)


def _train(version: ModelVersion, lease: leases.Lease[ModelVersion], at: datetime) -> None:
    if version.config == {"model": {"width": 16}}:
        raise ValueError("no luck with 16")
    version.epochs.create(number=1, loss=4.5, validation_ndcg=0.05, seconds=1.0)
    ModelVersion.objects.filter(pk=version.pk).update(snapshot=SnapshotFactory())
    name = artifacts.weights_name(version.pk)
    checksum = artifacts.save_bytes(name, b"weights")
    trainings.finish(lease=lease, is_passed=True, at=at, weights=name, weights_checksum=checksum)


def run_command(name: str, *arguments: object, **options: object) -> list[str]:
    output = StringIO()
    call_command(name, *map(str, arguments), stdout=output, **options)
    return output.getvalue().splitlines()


def test_train_inline_then_precompute_inline_then_the_run_is_live() -> None:
    InteractionFactory.create_batch(3)

    lines = run_command("train", inline=True, config={"model": {"width": 32}}, seed=5)

    version = ModelVersion.objects.get()
    assert (version.state, version.config, version.seed) == ("passed", {"model": {"width": 32}}, 5)
    assert lines[-1] == f"v{version.pk} passed the gate: epoch 1, loss 4.5000, validation NDCG@10 0.0500"

    lines = run_command("precompute", inline=True, publish=True)

    run = Run.objects.get()
    assert (run.state, run.version) == ("live", version)
    assert lines[0] == f"run {run.pk} computing: 1 of 3 shards"
    assert lines[-1] == f"run {run.pk} live: 3 of 3 shards"


def test_train_says_why_it_failed() -> None:
    with pytest.raises(ValueError, match="no luck with 16"):
        run_command("train", inline=True, config={"model": {"width": 16}})

    assert ModelVersion.objects.get().state == "failed"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"width": 32}, r'--config: width is not a part of a configuration. Remedy: write .*"model"'),
        ({"size": "huge"}, "--config: size 'huge' is not one of small, base, large"),
        ({"model": {"width": 65}}, "--config: width 65 cannot be divided among 2 heads"),
        ({"model": {"depth": 2}}, "--config: .*depth"),
    ],
)
def test_train_refuses_a_configuration_that_cannot_be(config: dict[str, Any], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run_command("train", config=config)

    assert not ModelVersion.objects.exists()


def test_train_with_seeds_queues_versions_of_one_snapshot_and_publishes_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def freeze(*, at: datetime) -> Snapshot:
        return SnapshotFactory(cutoff_at=at)

    monkeypatch.setattr("recommendations.snapshots.freeze", freeze)

    lines = run_command("train", no_wait=True, publish=True, seed=4, seeds=3)

    versions = ModelVersion.objects.order_by("pk")
    assert lines == [f"{version} queued" for version in versions]
    assert [(version.seed, version.is_publish_wanted) for version in versions] == [(4, True), (5, False), (6, False)]
    assert len({version.snapshot_id for version in versions}) == 1
    with pytest.raises(CommandError, match="--seeds must be at least 1"):
        run_command("train", seeds=0)


def test_train_goes_on_from_an_earlier_version_and_says_what_it_cannot() -> None:
    earlier = ModelVersionFactory()

    run_command("train", no_wait=True, started_from=str(earlier.pk), incremental=14.0)

    version = ModelVersion.objects.latest("pk")
    assert (version.started_from, version.config) == (earlier, {"training": {"fresh_days": 14.0}})
    with pytest.raises(CommandError, match=r"--from: no trained version live, and no file\. Remedy"):
        run_command("train", started_from="live")
    with pytest.raises(CommandError, match="--incremental needs --from: there is nothing"):
        run_command("train", incremental=7.0)
    theirs = ModelVersionFactory(state="foreign", snapshot=None, origin={"shop": "Teas"})
    with pytest.raises(CommandError, match="--incremental needs --from an own version"):
        run_command("train", started_from=str(theirs.pk), incremental=7.0)


def test_a_training_cannot_begin_with_vectors_of_another_width() -> None:
    earlier = ModelVersionFactory()

    with pytest.raises(
        CommandError, match=r"width 32 cannot begin with v\d+, which has width 64\. Remedy.*\"width\": 64"
    ):
        run_command("train", no_wait=True, started_from=str(earlier.pk), config={"model": {"width": 32}})

    assert ModelVersion.objects.get() == earlier


def test_train_takes_its_configuration_from_the_environment(settings: Settings) -> None:
    settings.TRAINING_CONFIG = {"size": "base"}

    run_command("train", no_wait=True)

    assert ModelVersion.objects.get().config == {"size": "base"}


def test_train_and_precompute_can_leave_the_work_to_the_workers() -> None:
    assert run_command("train", no_wait=True) == [f"v{ModelVersion.objects.get().pk} queued"]
    passed = ModelVersionFactory()
    ProductFactory()

    lines = run_command("precompute", no_wait=True, version_id=passed.pk)

    assert lines == [f"run {Run.objects.get().pk} computing: 0 of 2 shards"]


def test_precompute_needs_a_version_that_passed() -> None:
    with pytest.raises(CommandError, match=r"Remedy: manage\.py train"):
        run_command("precompute")


def test_publish_takes_the_latest_ready_run_and_rollback_takes_it_back() -> None:
    first, second = RunFactory(), RunFactory()
    for run in (first, second):
        explained_slate(run=run, contracts=[contract(ProductFactory())])
    publish(first)

    assert run_command("publish") == [f"run {second.pk} is live"]
    assert run_command("rollback") == [f"run {first.pk} is live"]
    with pytest.raises(CommandError, match=r"No earlier run is kept\."):
        run_command("rollback")
    assert run_command("publish", second.pk) == [f"run {second.pk} is live"]


def test_publish_says_why_not() -> None:
    with pytest.raises(CommandError, match=r"Remedy: manage\.py precompute"):
        run_command("publish")
    run = RunFactory(state="failed")
    with pytest.raises(CommandError, match="is failed: only a run that is ready and fully explained"):
        run_command("publish", run.pk)
