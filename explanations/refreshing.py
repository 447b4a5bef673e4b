"""What changed for a shopper is followed by new slates, soon."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice

from django.db.models import Exists, F, OuterRef, QuerySet

from catalog.models import Shopper
from explanations.slates import ExplainedSlate
from explanations.writing import write_refresh
from recommendations.models import Run, Slate
from recommendations.sending import send

TASK = "explanations.tasks.refresh_shoppers"
STALE_QUEUE = "default"  # what is stale since long gives way to what happens now
SHOPPERS_AT_ONCE = 50
MOST_STALE = 50_000  # of one sending; the rest follows with the next, or with the nightly run

Compute = Callable[[Sequence[int]], Iterable[ExplainedSlate]]


def stale(run: Run) -> QuerySet[Shopper]:
    """Personalised shoppers of whom something is known that their slates of this run do not know."""
    current = Slate.objects.filter(run=run, shopper=OuterRef("pk"), superseded_at=None)
    return Shopper.objects.filter(
        ~Exists(current.filter(computed_at__gte=OuterRef("changed_at"))),
        is_personalised=True,
        changed_at__gt=run.as_of,
    )


def refresh(*, shopper_ids: Iterable[int], compute: Compute, at: datetime) -> int:
    """Renew the slates of those who are stale; who was refreshed since is skipped. How many slates were written."""
    run = Run.objects.live().first()
    if run is None:
        return 0
    changed = dict(stale(run).filter(pk__in=list(shopper_ids)).values_list("pk", "changed_at"))
    if not changed:
        return 0
    # Read before the histories are: what was changed by then is in them, whatever the clocks of two machines say.
    computed_at = max([at, *(moment for moment in changed.values() if moment is not None)])
    ids = sorted(changed)
    return write_refresh(run=run, shopper_ids=ids, slates=compute(ids), at=computed_at)


def send_stale() -> int:
    """Ask for a refresh of all who are stale under the live run, the latest changes first. How many shoppers."""
    run = Run.objects.live().first()
    if run is None:
        return 0
    newest_first = stale(run).order_by(F("changed_at").desc(), "pk").values_list("pk", flat=True)[:MOST_STALE]
    ids: Iterator[int] = iter(newest_first)
    count = 0
    while part := list(islice(ids, SHOPPERS_AT_ONCE)):
        send(TASK, queue=STALE_QUEUE, shopper_ids=part)
        count += len(part)
    return count
