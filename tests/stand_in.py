"""Instead of the engine and the training, for tests of what is around them: small, deterministic, slow on demand."""

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from catalog.models import Interaction, Product
from explanations.contract import Cause, ReasonType
from explanations.slates import ExplainedSlate
from recommendations.models import Placement, Run, Shard
from tests.worlds import contract, evidence, provenance, reason

LENGTH = 24  # more than are explained


def compute(shard: Shard) -> Iterator[ExplainedSlate]:
    """Every slate of a shard, each taking STAND_IN_SECONDS."""
    if "STAND_IN_RAISES" in os.environ:
        raise ZeroDivisionError("the stand-in was told to")
    products = list(Product.objects.order_by("pk").values_list("pk", flat=True))
    if shard.kind == Shard.Kind.SHOPPERS:
        theirs = Interaction.objects.filter(shopper__gte=shard.first_id, shopper__lte=shard.last_id)
        for shopper in theirs.order_by("shopper").values_list("shopper", flat=True).distinct():
            assert shopper is not None
            yield from _personal(shard.run, shopper, products)
    elif shard.kind == Shard.Kind.PRODUCTS:
        for product in products:
            if shard.first_id <= product <= shard.last_id:
                yield _similar(shard.run, product, products)
    else:
        for placement in (Placement.HOME, Placement.BUY_AGAIN):
            yield _slate(shard.run, placement, products, cause=Cause.NOT_PERSONAL)


def refresh(shopper_ids: Sequence[int]) -> Iterator[ExplainedSlate]:
    run = Run.objects.live().get()
    products = list(Product.objects.order_by("pk").values_list("pk", flat=True))
    for shopper in shopper_ids:
        yield from _personal(run, shopper, products)


def _personal(run: Run, shopper: int, products: Sequence[int]) -> Iterator[ExplainedSlate]:
    history = list(Interaction.objects.usable().filter(shopper=shopper).order_by("pk"))
    if not history:
        return
    digest = hashlib.md5(repr([row.pk for row in history]).encode(), usedforsecurity=False).hexdigest()
    unit = evidence(history[-1].product_id, [history[-1]])
    for placement, cause in ((Placement.HOME, Cause.HISTORY), (Placement.BUY_AGAIN, Cause.BUY_AGAIN)):
        turned = _turned(products, shopper + len(history))
        slate = _slate(run, placement, turned, cause=cause, reasons=(reason(unit),))
        yield replace(slate, shopper_id=shopper, history_hash=digest)


def _similar(run: Run, product: int, products: Sequence[int]) -> ExplainedSlate:
    others = [other for other in _turned(products, product) if other != product]
    unit = evidence(product, last_at=None)
    because = reason(unit, type=ReasonType.CONTEXT_PRODUCT)
    slate = _slate(run, Placement.PRODUCT, others, cause=Cause.VIEWED_PRODUCT, reasons=(because,))
    return replace(slate, context_product_id=product)


def _turned(products: Sequence[int], by: int) -> list[int]:
    start = by % len(products)
    return [*products[start:], *products[:start]]


def _slate(run: Run, placement: Placement, products: Sequence[int], **fields: object) -> ExplainedSlate:
    time.sleep(float(os.environ.get("STAND_IN_SECONDS", "0")))  # the time that a model takes
    ranked = tuple(products[:LENGTH])
    return ExplainedSlate(
        placement=placement,
        shopper_id=None,
        context_product_id=None,
        product_ids=ranked,
        scores=tuple(10.0 - rank for rank in range(len(ranked))),
        probabilities=tuple(0.2 / (rank + 1) for rank in range(len(ranked))),
        history_hash="",
        contracts=tuple(
            contract(product, rank=rank, **fields)  # type: ignore[arg-type]
            for rank, product in enumerate(ranked[:20], start=1)
        ),
        provenance=provenance(run.pk, run.version_id),
    )
