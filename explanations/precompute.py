"""A worker computes one shard under its lease."""

import logging
from collections.abc import Callable, Iterable, Iterator

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from explanations.slates import ExplainedSlate
from explanations.writing import write_shard
from recommendations import leases, shards
from recommendations.models import Shard

logger = logging.getLogger(__name__)

Compute = Callable[[Shard], Iterable[ExplainedSlate]]


def work(*, shard_id: int, compute: Compute) -> bool:
    """Compute, explain and write the shard; False when somebody else holds it or it is done.

    A shard that raises is given back and tried again, a limited number of times. A lost lease or a restart of the
    database needs nothing: the rows say that the shard is not done, and the reaper sends it again.
    """
    lease = shards.claim(shard_id=shard_id, at=timezone.now())
    if lease is None:
        return False
    shard = Shard.objects.select_related("run__version__snapshot").get(pk=shard_id)
    try:
        with leases.kept(lease):
            write_shard(shard=shard, token=lease.token, slates=_leased(compute(shard), lease), at=timezone.now())
    except leases.LeaseLost:
        logger.warning("shard is computed elsewhere", extra={"shard": shard_id})
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        shards.give_back(lease=lease, error=f"{type(error).__name__}: {error}")
        raise
    return True


def _leased(slates: Iterable[ExplainedSlate], lease: leases.Lease[Shard]) -> Iterator[ExplainedSlate]:
    """Stop early when the lease is lost."""
    for slate in slates:
        lease.renew(timezone.now())
        yield slate
