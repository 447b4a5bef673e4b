"""What stands beside a product tells of many people or is not shown: erasing somebody may leave too few.

Counts were frozen with the version, so they do not know. In the transaction that erases, the products that were bought
are marked, and nothing is shown beside them; then a worker counts again and withdraws what too few are left of.
"""

import logging
from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime

from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from catalog.models import EventType, Import, Interaction
from explanations.contract import Status
from explanations.models import Explanation, Recount
from recommendations.models import ModelVersion, Run
from recommendations.sending import send

logger = logging.getLogger(__name__)

FEWEST_BUYERS = 20  # counts of others are named only above, and rounded; nor is told what fewer bought together
FEWEST_TOGETHER = 5  # different shoppers who bought both in one basket: below, a reason would tell of one of them
TASK, QUEUE = "explanations.tasks.recount", "default"

TOGETHER = """
SELECT other.product_id, count(DISTINCT own.shopper_id)
FROM catalog_interaction own JOIN catalog_interaction other ON other.shopper_id = own.shopper_id
    AND other.occurred_at >= date_trunc('second', own.occurred_at)
    AND other.occurred_at < date_trunc('second', own.occurred_at) + interval '1 second'
WHERE own.product_id = %(product)s AND other.product_id = ANY(%(products)s)
    AND own.event_type_id = ANY(%(types)s) AND other.event_type_id = ANY(%(types)s)
    AND coalesce(own.source_id, 0) <> ALL(%(unfinished)s) AND coalesce(other.source_id, 0) <> ALL(%(unfinished)s)
GROUP BY other.product_id
"""


def ask(*, shopper_id: int) -> None:
    """Before a shopper is erased, in the same transaction: what was bought is to be counted again."""
    bought = Interaction.objects.filter(shopper=shopper_id, event_type__is_target=True).order_by("product")
    at = timezone.now()
    rows = [Recount(product_id=pk, asked_at=at) for pk in bought.values_list("product", flat=True).distinct()]
    if rows:
        Recount.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["product"],
            update_fields=["asked_at", "counted_at"],
            batch_size=1_000,
        )
        send(TASK, queue=QUEUE)


def settle(*, at: datetime) -> int:
    """Count what was asked for. How many products; those that another worker counts are left to it."""
    count = 0
    for product_id in Recount.objects.pending().order_by("pk").values_list("pk", flat=True):
        try:
            count += _settle(product_id, at=at)
        except DatabaseError:  # nothing is shown beside it until the next time; the others do not wait for it
            logger.exception("not counted again", extra={"product": product_id})
    return count


def reopen(*, run: Run) -> None:
    """A run that is published was written from frozen counts, perhaps before somebody was erased: what was asked for
    since its version's counts is counted again, with what now stands beside each product."""
    rows = Recount.objects.all()
    if run.version.snapshot is not None:
        rows = rows.filter(asked_at__gte=run.version.snapshot.created_at)
    rows.update(counted_at=None)


def _settle(product_id: int, *, at: datetime) -> bool:
    """Counts before it locks anything, since that takes long; what changed meanwhile is left for the next time."""
    seen = Recount.objects.pending().filter(pk=product_id).first()
    if seen is None:
        return False
    counted = _listed(_beside(product_id)) | set(seen.companions) | {product_id}
    people = _people(product_id, counted)
    with transaction.atomic():
        return _withdrawn(seen, people, counted, at=at)


def _beside(product_id: int) -> "QuerySet[Explanation]":
    return Explanation.objects.filter(slate__context_product=product_id, slate__shopper=None).order_by("pk")


def _listed(explanations: Iterable[Explanation]) -> set[int]:
    return {packed["p"] for one in explanations for packed in one.contracts["contracts"]}


def _withdrawn(seen: Recount, people: Counter[int], counted: set[int], *, at: datetime) -> bool:
    same = Recount.objects.pending().filter(pk=seen.pk, asked_at=seen.asked_at)
    row = same.select_for_update(skip_locked=True).first()
    if row is None:
        return False
    explanations = list(_beside(seen.pk).select_for_update(of=("self",)))
    listed = _listed(explanations)
    if not listed <= counted:
        return False
    row.is_too_few = people[seen.pk] <= FEWEST_BUYERS
    row.companions = sorted(pk for pk in listed | set(row.companions) if people[pk] < FEWEST_TOGETHER)
    for explanation in explanations:
        _withdraw(explanation, None if row.is_too_few else set(row.companions))
    row.counted_at = at
    row.save(update_fields=["counted_at", "is_too_few", "companions"])
    return True


def _people(product_id: int, products: Collection[int]) -> Counter[int]:
    """How many shoppers have each in one basket with the product; of itself: how many have it at all."""
    values: dict[str, int | list[int]] = {
        "product": product_id,
        "products": sorted(products),
        "types": list(EventType.objects.filter(is_target=True).values_list("pk", flat=True)),
        "unfinished": list(Import.objects.unfinished().values_list("pk", flat=True)),
    }
    with connection.cursor() as cursor:
        cursor.execute(TOGETHER, values)
        return Counter(dict(cursor.fetchall()))


def _withdraw(explanation: Explanation, companions: Collection[int] | None) -> None:
    """None: all of them. Ranks and ids keep their meaning."""
    contracts = explanation.contracts["contracts"]
    gone = [packed for packed in contracts if companions is None or packed["p"] in companions]
    for packed in gone:
        for field in ("r", "x"):  # reasons, counts
            packed.pop(field, None)
        packed["st"] = Status.WITHHELD.value
    if gone:
        statuses = Counter(packed["st"] for packed in contracts)
        explanation.verified = statuses[Status.VERIFIED.value]
        explanation.fallback = statuses[Status.FALLBACK.value]
        explanation.withheld = statuses[Status.WITHHELD.value]
        explanation.save(update_fields=["contracts", "verified", "fallback", "withheld"])


def too_few(version: ModelVersion) -> dict[int, set[int] | None]:
    """Product -> companions of too few people; None: it has too few itself. As far as the version does not know it."""
    rows = Recount.objects.all()
    if version.snapshot is not None:
        rows = rows.filter(asked_at__gte=version.snapshot.created_at)
    return {row.pk: None if row.is_too_few else set(row.companions) for row in rows.iterator()}
