"""What staff, the schedule and the pipeline ask for: train, precompute, publish, roll back, clean up."""

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Q, QuerySet
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from catalog import impressions
from catalog.models import User
from recommendations import artifacts, shards, trainings
from recommendations.ml.config import ModelConfig, from_json
from recommendations.models import ModelVersion, Run, Slate, Snapshot
from recommendations.sending import send

logger = logging.getLogger(__name__)

SHAPE = ("width", "heads", "blocks", "feed_forward", "uses_times")  # what blocks must have in common
ADVANCE_LOCK = 0x62656361  # any number that nobody else uses
DELETED_AT_ONCE = 500  # slates a transaction: short locks, whatever the size of a run
RETIRED_RUNS_KEPT = 2  # what one can roll back to
SUPERSEDED_SLATES_KEPT = timedelta(days=7)  # feedback may still name their recommendations
FAILED_RUN_KEPT = timedelta(days=7)


class BadConfiguration(Exception):
    """No training can be configured so; the message names what and the remedy."""


class NotCancellable(Exception):
    """The training has ended."""


class NotRunnable(Exception):
    """Only a version that passed its gate may be precomputed."""


class NotPublishable(Exception):
    """Not ready, live already, a slate has no explanation, or a guard of `settings.PUBLISH_GUARDS` has an objection."""

    def __init__(self, run: Run, objections: Sequence[str] = ()) -> None:
        super().__init__(" ".join(objections) or str(run))
        self.objections = tuple(objections)


class NothingToRollBackTo(Exception):
    """No run that was live before the present one is kept."""


@transaction.atomic
def request_training(
    *,
    config: Mapping[str, Any],
    seed: int,
    by: User | None,
    at: datetime,
    publish_when_ready: bool,
    is_sent: bool = True,
    snapshot: Snapshot | None = None,
    started_from: ModelVersion | None = None,
    shares_product_ids: bool = False,
) -> ModelVersion:
    """Queue a training. Without `is_sent` the caller trains it itself; if it dies, a worker takes over.

    Without `snapshot` it freezes what is known when it starts; trainings that are to be compared share one.
    `shares_product_ids`: a product id of the other shop that it begins with is that of the same product here.
    Raises BadConfiguration, and then nothing is queued.
    """
    try:
        model, _training = from_json(dict(config))
    except (TypeError, ValueError) as error:
        raise BadConfiguration(str(error)) from error
    if started_from is not None:
        _check_beginning(model, started_from)
    if shares_product_ids and (started_from is None or started_from.state != ModelVersion.State.FOREIGN):
        raise BadConfiguration(
            _(
                "Only with a version from another shop it is a question whether product ids are the same. "
                "Remedy: leave it out, or begin with such a version."
            )
        )
    version = ModelVersion.objects.create(
        config=dict(config),
        seed=seed,
        snapshot=snapshot,
        started_from=started_from,
        shares_product_ids=shares_product_ids,
        created_by=by,
        is_publish_wanted=publish_when_ready,
        sent_at=at,
    )
    if is_sent:
        send(trainings.TASK, queue=trainings.QUEUE, version_id=version.pk)
    return version


def _check_beginning(model: ModelConfig, earlier: ModelVersion) -> None:
    """Vectors of another width and blocks of another shape mean nothing to a model, and would be left out without a
    word."""
    if not ModelVersion.objects.beginnings().filter(pk=earlier.pk).exists():
        raise BadConfiguration(
            _("%(version)s is %(state)s and has no weights. Remedy: begin with one that is trained.")
            % {"version": earlier, "state": earlier.get_state_display()}
        )
    theirs, _training = from_json(earlier.config)
    wrong = {name: (getattr(model, name), getattr(theirs, name)) for name in SHAPE}
    wrong = {name: values for name, values in wrong.items() if values[0] != values[1]}
    if wrong:
        raise BadConfiguration(
            _(
                "A model with %(mine)s cannot begin with %(version)s, which has %(theirs)s. Remedy: choose the same "
                "(%(config)s), or train from scratch."
            )
            % {
                "mine": ", ".join(f"{name} {mine}" for name, (mine, _theirs) in wrong.items()),
                "version": earlier,
                "theirs": ", ".join(f"{name} {theirs}" for name, (_mine, theirs) in wrong.items()),
                "config": json.dumps({"model": {name: theirs for name, (_mine, theirs) in wrong.items()}}),
            }
        )


@transaction.atomic
def retrain(*, by: User | None, at: datetime, publish_when_ready: bool) -> ModelVersion | None:
    """Queue a training on what is known now; None while another one goes on.

    Configured by TRAINING_CONFIG, or like the last that passed its gate.
    """
    if ModelVersion.objects.unfinished().exists():
        return None
    last = ModelVersion.objects.passed().order_by("-finished_at", "-pk").first()
    return request_training(
        config=settings.TRAINING_CONFIG or (_from_scratch(last.config) if last else {}),
        seed=last.seed if last else 1,
        by=by,
        at=at,
        publish_when_ready=publish_when_ready,
    )


def _from_scratch(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration without what is meant for going on with an earlier version."""
    if "training" not in config:
        return config
    left_out = {"fresh_days", "replay"}
    return {**config, "training": {name: value for name, value in config["training"].items() if name not in left_out}}


@transaction.atomic
def cancel_training(*, version: ModelVersion, at: datetime) -> ModelVersion:
    """Stop a training: at once when it waits, at its next step when a worker has it. Raises NotCancellable."""
    asked = ModelVersion.objects.unfinished().filter(pk=version.pk, cancel_requested_at=None)
    if asked.update(cancel_requested_at=at) != 1:
        raise NotCancellable(version)
    trainings.give_up(at=at)
    return ModelVersion.objects.get(pk=version.pk)


@transaction.atomic
def start_run(
    *, version: ModelVersion, by: User | None, at: datetime, publish_when_ready: bool, is_sent: bool = True
) -> Run:
    """Plan a precomputation of every slate and send its first shards. Raises NotRunnable."""
    if not ModelVersion.objects.passed().filter(pk=version.pk).exists():
        raise NotRunnable(version)
    run = Run.objects.create(version=version, as_of=at, created_by=by, is_publish_wanted=publish_when_ready)
    shards.plan(run)
    if is_sent:
        shards.send_due(run=run, at=at, resend=False)
    return run


@transaction.atomic
def advance(*, at: datetime, resend: bool = True) -> None:
    """Take every step that is due; safe to call at any time, from many processes.

    A worker that has just ended its work calls it without `resend`: in that moment nobody holds anything, and all
    that waits in the queue would look lost.

    1. Give up trainings and shards that were tried too often; send again what was lost.
    2. Start the run of each version that passed and is to be published.
    3. Complete each run whose shards are done, and publish it where that is wanted.
    """
    with connection.cursor() as cursor:  # one at a time, so that nothing is sent or started twice
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADVANCE_LOCK])
    trainings.give_up(at=at)
    trainings.send_due(at=at, resend=resend)
    for version in ModelVersion.objects.passed().filter(is_publish_wanted=True, runs=None).order_by("pk"):
        start_run(version=version, by=version.created_by, at=at, publish_when_ready=True)
    for run in Run.objects.filter(state=Run.State.COMPUTING).order_by("pk"):
        if not complete_run_if_done(run=run, at=at):
            shards.send_due(run=run, at=at, resend=resend)


@transaction.atomic
def complete_run_if_done(*, run: Run, at: datetime) -> bool:
    """End a run whose shards have all ended: ready, published where that is wanted, or failed."""
    lost = shards.give_up(run=run, at=at)
    if lost is not None:
        fail_run(run=run, error=f"Shard {lost.number} was tried {lost.attempts} times: {lost.error or 'worker died'}")
        return True
    if run.shards.exclude(state="done").exists():
        return False
    computing = Run.objects.filter(pk=run.pk, state=Run.State.COMPUTING)
    if computing.update(state=Run.State.READY, ready_at=at, summary=shards.summarise(run)) != 1:
        return True
    if run.is_publish_wanted:
        try:
            publish(run=run, by=run.created_by, at=at)
        except (NotPublishable, IntegrityError) as error:  # it stays ready, and says why it is not live
            Run.objects.filter(pk=run.pk).update(error=f"Not published: {type(error).__name__}: {error}")
    return True


def fail_run(*, run: Run, error: str) -> bool:
    """End a run that cannot be completed; False when it has ended otherwise."""
    return Run.objects.filter(pk=run.pk, state=Run.State.COMPUTING).update(state=Run.State.FAILED, error=error) == 1


@transaction.atomic
def publish(*, run: Run, by: User | None, at: datetime, is_guarded: bool = True) -> Run:
    """Make `run` the live one. Raises NotPublishable unless it is ready, fully explained and no guard objects.

    Guards know what this app must not know, such as how true the explanations are; each gives its objections. To go
    back to what was live before needs none: it is the remedy for what they object to.
    """
    guards = settings.PUBLISH_GUARDS if is_guarded else ()
    if objections := [objection for guard in guards for objection in import_string(guard)(run)]:
        raise NotPublishable(run, objections)
    Run.objects.live().exclude(pk=run.pk).update(state=Run.State.RETIRED, retired_at=at)
    claimed = (
        Run.objects.ready()
        .fully_explained()
        .filter(pk=run.pk)
        .update(state=Run.State.LIVE, published_at=at, published_by=by, retired_at=None, error="")
    )
    if claimed != 1:  # already published, never ready, or a slate is unexplained; the retirement rolls back too
        raise NotPublishable(run)
    import_string(settings.RUN_PUBLISHED)(run=run)
    send(settings.RUN_PUBLISHED_TASK, queue=settings.RUN_PUBLISHED_QUEUE)  # who changed since `as_of` is refreshed
    return Run.objects.get(pk=run.pk)


@transaction.atomic
def roll_back(*, by: User | None, at: datetime) -> Run:
    """Make the run live that was before the present one; again, and it goes one further back."""
    live = Run.objects.live().first()
    if live is None:
        raise NothingToRollBackTo
    is_earlier = Q(ready_at__lt=live.ready_at) | Q(ready_at=live.ready_at, pk__lt=live.pk)
    previous = Run.objects.filter(is_earlier, state=Run.State.RETIRED).order_by("-ready_at", "-pk").first()
    if previous is None:
        raise NothingToRollBackTo
    return publish(run=previous, by=by, at=at, is_guarded=False)


def clean_up(*, at: datetime) -> None:
    """What the nightly housekeeping deletes."""
    runs = delete_old_runs(keep=RETIRED_RUNS_KEPT, at=at)
    slates = delete_superseded_slates(before=at - SUPERSEDED_SLATES_KEPT)
    orphans = delete_orphan_artifacts()
    days = impressions.forget_before(at=at)
    logger.info("cleaned up", extra={"runs": runs, "slates": slates, "artifacts": orphans, "impressions": days})


def delete_old_runs(*, keep: int, at: datetime) -> int:
    """Delete all but the `keep` latest retired runs, and failed or forgotten ones after a week. How many.

    A run is first made unpublishable, then emptied batch by batch: nobody can go live half of it.
    """
    retired = Run.objects.filter(state=Run.State.RETIRED).order_by("-ready_at", "-pk")
    others = Run.objects.filter(state__in=[Run.State.READY, Run.State.FAILED], created_at__lt=at - FAILED_RUN_KEPT)
    ids = [*retired.values_list("pk", flat=True)[keep:], *others.order_by("pk").values_list("pk", flat=True)]
    deleted = 0
    for pk in ids:
        ended = Q(state__in=[Run.State.RETIRED, Run.State.READY, Run.State.FAILED])
        if Run.objects.filter(ended, pk=pk).update(state=Run.State.FAILED, error="Deleted.") == 1:
            _delete_slates(Slate.objects.filter(run=pk))
            Run.objects.filter(pk=pk).delete()
            deleted += 1
    return deleted


def delete_superseded_slates(*, before: datetime) -> int:
    """Delete slates that a refresh replaced before that time, and their explanations. How many."""
    return _delete_slates(Slate.objects.filter(superseded_at__lt=before))


def _delete_slates(slates: QuerySet[Slate]) -> int:
    ids = slates.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=DELETED_AT_ONCE)
    deleted = 0
    while part := list(islice(ids, DELETED_AT_ONCE)):  # one scan, many short transactions
        Slate.objects.filter(pk__in=part).delete()
        deleted += len(part)
    return deleted


def delete_orphan_artifacts() -> int:
    """Delete checkpoints of trainings that have ended, and everything of versions that are gone. How many."""
    versions = {str(pk): state for pk, state in ModelVersion.objects.values_list("pk", "state")}
    unfinished = {ModelVersion.State.QUEUED, ModelVersion.State.TRAINING}
    orphans = [
        name
        for folder, names in artifacts.by_version().items()
        for name in names
        if folder not in versions
        or (name == artifacts.checkpoint_name(int(folder)) and versions[folder] not in unfinished)
    ]
    for name in orphans:
        artifacts.delete(name)
    return len(orphans)
