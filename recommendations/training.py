"""One training from its row to its weights: snapshot, epochs, evaluation, calibration, gate."""

import logging
import platform
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime
from typing import IO, Any

import torch
from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string

from catalog.models import EventType
from recommendations import artifacts, foreign, gates, inference, leases, measuring, ranks, snapshots, trainings
from recommendations.ml import balance, catching_up, finishing, transfer
from recommendations.ml import bundle as bundles
from recommendations.ml.config import ModelConfig, TrainingConfig, from_json, to_json
from recommendations.ml.data import Catalogue
from recommendations.ml.exported import Exported
from recommendations.ml.loop import Epoch, train
from recommendations.ml.model import Recommender
from recommendations.ml.parallel import Group
from recommendations.models import ModelVersion, Snapshot, TrainingEpoch
from recommendations.snapshots import Arrays
from recommendations.splits import Split

logger = logging.getLogger(__name__)


def run(version: ModelVersion, lease: leases.Lease[ModelVersion], at: datetime) -> None:
    """Train, measure and store `version`; resumes from its last checkpoint wherever that was written.

    1. Freeze a snapshot (once) and build its arrays. 2. Train on what lies before validation, stop early there; choose
    there what is chosen after the training; calibrate there. 3. Catch up with the validation period. 4. Measure on the
    test period against the baselines and the live version, same snapshot, full ranking; check the calibration there.
    5. Store the weights that were measured: those are served. 6. Gate.
    """

    def check() -> None:
        lease.renew(timezone.now())
        if lease.is_cancelled():
            raise leases.Cancelled(version.pk)

    device = choose_device(settings.TRAINING_DEVICE)
    snapshot = version.snapshot or _freeze(version, at)
    model_config, config = _chosen(version)
    arrays = snapshots.build(snapshot)
    split = Split(arrays, snapshot)
    _describe(version, config=to_json(model_config, config), device=device)

    taken_over: dict[str, int] = {}
    with ranks.started(version_id=version.pk, device=device) as group:
        chosen, model = _train(
            version,
            split,
            group,
            device=device,
            began=taken_over.update,
            save=lambda file: _save(version, file),
            report=_reporter(version),
            check=check,
        )
    check()
    unseen = split.unseen(_known_until(version))
    finish = finishing.choose(chosen, unseen)
    finishing.carry_over(finish, model, split.before_test, split.test.popularity_I)
    metrics, calibrations, calibration, companions = measuring.measure(chosen, model, split, unseen, check)
    if taken_over:
        metrics["taken_over"] = taken_over
    metrics["balance"] = asdict(finish.balance) | {"newcomers": finish.newcomers}
    live = measuring.live_metrics(arrays, split.test)
    gate = gates.judge(metrics=metrics, calibration=calibration, live=live)
    data = bundles.dump(
        bundles.Bundle(
            model=model,
            catalogue=arrays.catalogue,
            product_ids=arrays.product_ids,
            category_ids=arrays.category_ids,
            kinds=arrays.kinds,
            companions=companions.items,
            companion_log_p=companions.log_p,
            popularity_log_p=companions.popularity_log_p,
            companion_people=companions.people,
            companion_buyers=companions.buyers,
            repeat_buyers=measuring.repeat_buyers(arrays.histories, arrays.catalogue.products),
            calibrations=calibrations,
        )
    )
    name = artifacts.weights_name(version.pk)
    version.weights, version.weights_checksum = name, artifacts.save_bytes(name, data)
    gate = _guarded(gate, version)
    check()
    trainings.finish(
        lease=lease,
        is_passed=gate["passed"],
        at=timezone.now(),
        weights=version.weights,
        weights_checksum=version.weights_checksum,
        metrics=metrics,
        calibration=calibration,
        gate=gate,
    )
    artifacts.delete(artifacts.checkpoint_name(version.pk))


def _guarded(gate: dict[str, Any], version: ModelVersion) -> dict[str, Any]:
    """The gate with the checks of `settings.VERSION_GUARDS`, if it is passed so far: they know what this app must not
    know, such as how true the explanations are."""
    if not gate["passed"]:
        return gate
    more = [entry for guard in settings.VERSION_GUARDS for entry in import_string(guard)(version)]
    return {"passed": all(entry["passed"] for entry in more), "checks": [*gate["checks"], *more]}


def _beginning(
    version: ModelVersion, arrays: Arrays, report: Callable[[dict[str, int]], None]
) -> Callable[[Recommender], None]:
    """The earlier version's weights, or random ones; a checkpoint overrides either. `report` gets what came over."""

    def prepare(model: Recommender) -> None:
        earlier = version.started_from
        if earlier is None:
            return
        if earlier.state == ModelVersion.State.FOREIGN:
            found = _begin_abroad(model, version, arrays, foreign.load(earlier))
        else:
            bundle = inference.loaded(earlier).bundle
            kinds = transfer.places(transfer.kind_keys(arrays.kinds), transfer.kind_keys(bundle.kinds))
            found = transfer.warm_start(model, arrays.catalogue, bundle.model.state_dict(), bundle.catalogue, kinds)
            if stored := earlier.metrics.get("balance"):
                balance.take_out(model, balance.of(stored))
        logger.info("started from", extra={"version": version.pk, "earlier": earlier.pk, **found})
        report(found)

    return prepare


def _begin_abroad(model: Recommender, version: ModelVersion, arrays: Arrays, theirs: Exported) -> dict[str, int]:
    """With another shop's weights: products only where the operator said that equal ids are the same product."""
    codes = dict(EventType.objects.values_list("pk", "code"))
    catalogue = Catalogue(
        products=len(theirs.keys),
        attributes={},
        sizes={},
        keys=theirs.keys if version.shares_product_ids else (),
        labels=theirs.labels,
        encoder=theirs.encoder,
    )
    return transfer.warm_start(
        model,
        arrays.catalogue,
        {name: torch.from_numpy(value) for name, value in theirs.weights.items()},
        catalogue,
        transfer.places(transfer.kind_keys(arrays.kinds, codes), theirs.kinds),
    )


def _known_until(version: ModelVersion) -> int:
    """Until when what it began with had learnt this shop's baskets; 0 where it began with nothing of this shop."""
    until = version.started_from.trained_until if version.started_from is not None else None
    return int(until.timestamp()) if until is not None else 0


def _chosen(version: ModelVersion) -> tuple[ModelConfig, TrainingConfig]:
    model_config, config = from_json(version.config)
    return model_config, replace(config, seed=version.seed)


def _train(
    version: ModelVersion,
    split: Split,
    group: Group,
    *,
    device: str,
    began: Callable[[dict[str, int]], None] = lambda _: None,
    check: Callable[[], None] = lambda: None,
    **leading: Any,
) -> tuple[Recommender, Recommender]:
    """One process's share of the training: the best epoch, and what it became with the validation period.

    `began`, `check` and `leading` are what the leader alone does besides.
    """
    model_config, config = _chosen(version)
    model, _ = train(
        model_config,
        config,
        split.training(),
        device=device,
        group=group,
        checkpoint=_checkpoint(version),
        prepare=_beginning(version, split.arrays, began),
        check=check,
        **leading,
    )
    kinds = split.arrays.kinds
    return model, catching_up.catch_up(model, config, kinds, split.newest(), device=device, group=group, check=check)


def run_beside(version: ModelVersion, group: Group, *, device: str) -> None:
    """Another process's share of a training; the leader saves, reports, measures and says when it is over."""
    if version.snapshot is None:
        raise ValueError(f"{version} has no snapshot yet")
    _train(version, Split(snapshots.build(version.snapshot), version.snapshot), group, device=device)


def choose_device(wanted: str) -> str:
    """ "auto" takes a GPU where there is one."""
    return ("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else wanted


def _freeze(version: ModelVersion, at: datetime) -> Snapshot:
    snapshot = snapshots.freeze(at=at)
    ModelVersion.objects.filter(pk=version.pk).update(snapshot=snapshot)
    version.snapshot = snapshot
    return snapshot


def _describe(version: ModelVersion, *, config: dict[str, Any], device: str) -> None:
    name = torch.cuda.get_device_name() if device == "cuda" else f"cpu {platform.machine()}"
    ModelVersion.objects.filter(pk=version.pk).update(
        config=config, device=name, torch_version=torch.__version__, code_revision=settings.CODE_REVISION
    )


def _checkpoint(version: ModelVersion) -> IO[bytes] | None:
    return artifacts.open_file(artifacts.checkpoint_name(version.pk))


def _save(version: ModelVersion, file: IO[bytes]) -> None:
    artifacts.save_file(artifacts.checkpoint_name(version.pk), file)


def _reporter(version: ModelVersion) -> Callable[[Epoch], None]:
    def report(epoch: Epoch) -> None:
        logger.info("epoch", extra={"version": version.pk, "epoch": epoch.number, "ndcg": round(epoch.ndcg, 5)})
        TrainingEpoch.objects.update_or_create(
            version=version,
            number=epoch.number,
            defaults={"loss": epoch.loss, "validation_ndcg": epoch.ndcg, "seconds": epoch.seconds},
        )

    return report
