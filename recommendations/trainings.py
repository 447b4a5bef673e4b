"""The worker's side of a training: claim it, keep it, end it once."""

import logging
from collections.abc import Callable
from datetime import datetime

from django.db import InterfaceError, OperationalError
from django.db.models import F, Q
from django.utils import timezone

from recommendations import leases
from recommendations.models import ModelVersion
from recommendations.sending import send

logger = logging.getLogger(__name__)

TASK = "recommendations.tasks.train"
QUEUE = "gpu"
NO_LEASE = {"lease_token": None, "leased_until": None}

Train = Callable[[ModelVersion, leases.Lease[ModelVersion], datetime], None]


def work(*, version_id: int, train: Train) -> bool:
    """Run `train` on the version under a lease; False when somebody else holds it or it has ended.

    `train` ends with `finish`. A cancelled training ends as cancelled, one that raises as failed. A lost lease
    or a restart of the database ends nothing: the rows say that the work is not done, and the reaper sends it again.
    """
    lease = claim(version_id=version_id, at=timezone.now())
    if lease is None:
        return False
    try:
        with leases.kept(lease):
            train(
                ModelVersion.objects.select_related("snapshot", "started_from").get(pk=version_id),
                lease,
                timezone.now(),
            )
    except leases.Cancelled:
        cancel(lease=lease, at=timezone.now())
    except leases.LeaseLost:
        logger.warning("training goes on elsewhere", extra={"version": version_id})
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        fail(lease=lease, error=f"{type(error).__name__}: {error}", at=timezone.now())
        raise
    return True


def claim(*, version_id: int, at: datetime) -> leases.Lease[ModelVersion] | None:
    """Hold a queued or abandoned training."""
    lease = leases.claim(
        ModelVersion.objects.claimable(at),
        pk=version_id,
        at=at,
        state=ModelVersion.State.TRAINING,
        attempts=F("attempts") + 1,
        error="",
    )
    if lease is not None:
        ModelVersion.objects.filter(pk=version_id, started_at=None).update(started_at=at)
    return lease


def finish(*, lease: leases.Lease[ModelVersion], is_passed: bool, at: datetime, **fields: object) -> ModelVersion:
    """The training's result, once: `fields` are those of the version (weights, metrics, …). Raises LeaseLost."""
    state = ModelVersion.State.PASSED if is_passed else ModelVersion.State.REJECTED
    _end(lease, state=state, at=at, **fields)
    return ModelVersion.objects.get(pk=lease.pk)


def cancel(*, lease: leases.Lease[ModelVersion], at: datetime) -> None:
    """The worker obeyed a request to stop. Raises LeaseLost."""
    _end(lease, state=ModelVersion.State.CANCELLED, at=at)


def fail(*, lease: leases.Lease[ModelVersion], error: str, at: datetime) -> None:
    """The training cannot go on. Raises LeaseLost."""
    _end(lease, state=ModelVersion.State.FAILED, at=at, error=error)


def _end(lease: leases.Lease[ModelVersion], *, state: ModelVersion.State, at: datetime, **fields: object) -> None:
    if lease.held().update(state=state, finished_at=at, **NO_LEASE, **fields) != 1:
        raise leases.LeaseLost(lease.pk)


def give_up(*, at: datetime) -> int:
    """End what no worker holds and none shall: asked to stop, or tried too often. Returns how many."""
    abandoned = ModelVersion.objects.unfinished().filter(Q(leased_until=None) | Q(leased_until__lt=at))
    cancelled = abandoned.filter(cancel_requested_at__isnull=False).update(
        state=ModelVersion.State.CANCELLED, finished_at=at, **NO_LEASE
    )
    failed = abandoned.filter(attempts__gte=ModelVersion.MAX_ATTEMPTS).update(
        state=ModelVersion.State.FAILED,
        finished_at=at,
        error=f"Given up: {ModelVersion.MAX_ATTEMPTS} workers died or lost it. Look at their logs for the cause.",
        **NO_LEASE,
    )
    return cancelled + failed


def send_due(*, at: datetime, resend: bool) -> int:
    """Enqueue trainings that were never sent, whose worker died, or whose message got lost. Returns how many."""
    due = Q(sent_at=None) | Q(sent_at__lt=F("leased_until"))
    if resend and not ModelVersion.objects.held(at).exists():  # else the others wait for the worker that is busy
        due |= Q(sent_at__lt=at - leases.duration())
    ids = list(ModelVersion.objects.claimable(at).filter(due).order_by("pk").values_list("pk", flat=True))
    ModelVersion.objects.filter(pk__in=ids).update(sent_at=at)
    for pk in ids:
        send(TASK, queue=QUEUE, version_id=pk)
    return len(ids)
