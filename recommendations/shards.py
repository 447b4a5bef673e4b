"""The worker's side of a run: cut it into shards, send them, claim one, count it once."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q

from catalog.models import Interaction, Product, Shopper
from recommendations import leases
from recommendations.models import Run, Shard
from recommendations.sending import send

SHOPPERS_PER_SHARD = 200
PRODUCTS_PER_SHARD = 500
WINDOW = 32  # messages of one run that wait in the queue: what may have to be sent again after a loss
NO_LEASE = {"lease_token": None, "leased_until": None}


def plan(run: Run) -> int:
    """Cut the run into shards of about equal work: everybody's slates, then shoppers, then products. How many."""
    histories = Interaction.objects.usable().filter(shopper=OuterRef("pk"), occurred_at__lte=run.as_of)
    shoppers = Shopper.objects.filter(Exists(histories), is_personalised=True)
    ranges = [
        (Shard.Kind.NON_PERSONAL, (0, 0)),
        *((Shard.Kind.SHOPPERS, ids) for ids in _ranges(_ids(shoppers), SHOPPERS_PER_SHARD)),
        *((Shard.Kind.PRODUCTS, ids) for ids in _ranges(_ids(Product.objects.recommendable()), PRODUCTS_PER_SHARD)),
    ]
    Shard.objects.bulk_create(
        [
            Shard(run=run, number=number, kind=kind, first_id=first, last_id=last)
            for number, (kind, (first, last)) in enumerate(ranges)
        ],
        batch_size=1000,
    )
    return len(ranges)


def _ids(rows: Any) -> Iterator[int]:
    ids: Iterator[int] = rows.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=10_000)
    return ids


def _ranges(ids: Iterator[int], size: int) -> Iterator[tuple[int, int]]:
    while part := list(islice(ids, size)):
        yield part[0], part[-1]


def send_due(*, run: Run, at: datetime, resend: bool) -> int:
    """Enqueue shards whose worker died, and a window of those never sent or whose message got lost. How many."""
    is_lost = Q(sent_at__lt=at - leases.duration())
    if not resend or Shard.objects.held(at).exists():  # they wait for the workers that are busy
        is_lost = Q(pk__in=[])
    claimable = run.shards.claimable(at).order_by("number").values_list("pk", flat=True)
    pending = Q(state=Shard.State.PENDING)
    waiting = claimable.filter(pending & ~is_lost, sent_at__isnull=False).count()
    ids = [
        *claimable.filter(~pending & (Q(sent_at__lt=F("leased_until")) | is_lost)),
        *claimable.filter(pending & (Q(sent_at=None) | is_lost))[: max(WINDOW - waiting, 0)],
    ]
    Shard.objects.filter(pk__in=ids).update(sent_at=at)
    for pk in ids:
        send(settings.SHARD_TASK, queue=settings.SHARD_QUEUE, shard_id=pk)
    return len(ids)


def claim(*, shard_id: int, at: datetime) -> leases.Lease[Shard] | None:
    """Hold a shard that nobody holds, of a run that is still computing."""
    return leases.claim(
        Shard.objects.claimable(at),
        pk=shard_id,
        at=at,
        state=Shard.State.LEASED,
        attempts=F("attempts") + 1,
    )


def finish(*, shard: Shard, token: UUID, slates: int, summary: Mapping[str, Any], seconds: float) -> None:
    """Count the shard, once: call it in the transaction that writes its slates. Raises LeaseLost."""
    held = Shard.objects.filter(pk=shard.pk, state=Shard.State.LEASED, lease_token=token)
    done = held.update(
        state=Shard.State.DONE, slates=slates, summary=dict(summary), seconds=seconds, error="", **NO_LEASE
    )
    if done != 1:
        raise leases.LeaseLost(shard.pk)


def give_back(*, lease: leases.Lease[Shard], error: str) -> None:
    """The shard raised: the reaper sends it again, or gives it up. Nothing happens to one that is lost already."""
    lease.held().update(state=Shard.State.PENDING, sent_at=None, error=error, **NO_LEASE)


def give_up(*, run: Run, at: datetime) -> Shard | None:
    """End the shards that were tried too often; one of them, which says why."""
    rows = run.shards.filter(
        Q(state=Shard.State.PENDING) | Q(state=Shard.State.LEASED, leased_until__lt=at),
        attempts__gte=Shard.MAX_ATTEMPTS,
    )
    if not rows.update(state=Shard.State.FAILED, **NO_LEASE):
        return None
    return run.shards.filter(state=Shard.State.FAILED).order_by("number").first()


def summarise(run: Run) -> dict[str, Any]:
    """What the shards counted, added up."""
    total: dict[str, Any] = {"shards": 0, "slates": 0, "seconds": 0.0}
    for slates, seconds, summary in run.shards.values_list("slates", "seconds", "summary"):
        part = {"shards": 1, "slates": slates, "seconds": seconds or 0.0} | summary
        total = added(total, part)
    total["seconds"] = round(total["seconds"], 3)
    return total


def added(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Two trees of counts as one."""
    result = dict(one)
    for key, value in other.items():
        if isinstance(value, Mapping):
            result[key] = added(result.get(key, {}), value)
        else:
            result[key] = result.get(key, 0) + value
    return result
