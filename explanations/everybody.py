"""What slates without a shopper claim, checked again: for everybody, and beside a product.

From the aggregates that were frozen with the version and the run, by plain code of its own. The thresholds are written
down here once more on purpose: what is changed by mistake where slates are made is seen here.
"""

# I products.
import math
from collections.abc import Iterator

import numpy as np
from django.db import connection

from catalog.models import Import
from explanations.contract import Cause, Contract, Reason, ReasonType, Status
from explanations.models import Recount
from explanations.plain import Flags, Floats, Past
from explanations.tally import CLOSE, TIE, Claim, Frame
from recommendations.models import Placement, Slate

FEWEST_TOGETHER = 5  # people who have both products in one basket
MORE_THAN = 20  # people, before anything is counted aloud or listed beside a product
LEAST = math.log(1.05)
POPULAR = 50  # the rank at large up to which a product is called popular
EXPLAINED, LISTED = 20, 30  # products of a slate

# Everybody who ever had both at one moment and is still known: cleaning may have left some of them out, never more.
PEOPLE = """
SELECT other.product_id, count(DISTINCT own.shopper_id)
FROM catalog_interaction own JOIN catalog_interaction other ON other.shopper_id = own.shopper_id
    AND other.occurred_at >= date_trunc('second', own.occurred_at)
    AND other.occurred_at < date_trunc('second', own.occurred_at) + interval '1 second'
WHERE own.product_id = %(product)s AND own.event_type_id = ANY(%(types)s) AND other.event_type_id = ANY(%(types)s)
    AND other.product_id = ANY(%(products)s)
    AND coalesce(own.source_id, 0) <> ALL(%(unfinished)s) AND coalesce(other.source_id, 0) <> ALL(%(unfinished)s)
GROUP BY other.product_id
"""


def claims(slate: Slate, contracts: list[Contract], frame: Frame, *, counts: bool) -> Iterator[tuple[int, Claim]]:
    """Everything such a slate claims, by rank; `counts`: also whether enough people still bought what it lists."""
    for rank, contract in enumerate(contracts, start=1):
        yield rank, ("cause", not _personal(contract), contract.cause.value, ", ".join(_personal(contract)))
    if not frame.is_kept:
        return
    if slate.context_product_id is not None:
        yield from _beside(slate, contracts, frame)
        if counts:
            yield from _enough_people(slate.context_product_id, contracts, frame)
    elif slate.placement == Placement.BUY_AGAIN:
        yield from _repeated(contracts, frame)
    else:
        yield from _unknown_shopper(contracts, frame)


def _personal(contract: Contract) -> list[str]:
    """What only the history of somebody could give."""
    found = []
    if contract.cause in {Cause.HISTORY, Cause.HISTORY_GROUP, Cause.BUY_AGAIN}:
        found.append(contract.cause.value)
    found += [reason.type.value for reason in contract.reasons if reason.type is not ReasonType.CONTEXT_PRODUCT]
    found += [reason.type.value for reason in contract.opposing]
    if any(unit.interaction_ids for reason in contract.reasons for unit in reason.evidence):
        found.append("interactions")
    if contract.counterfactual is not None or contract.shares is not None:
        found.append("a history that is left out")
    return found


def _unknown_shopper(contracts: list[Contract], frame: Frame) -> Iterator[tuple[int, Claim]]:
    """The ranking of a shopper of whom nothing is known, which names no count."""
    nothing = np.empty(0, np.int64)
    past = Past(items=nothing, types=nothing, times=nothing, baskets=nothing, now=0)
    scores_I = np.where(frame.shown_I, frame.plain.scores(past, 0, frame.offset_I), -np.inf)
    total = float(np.logaddexp.reduce(scores_I[frame.shown_I]))
    for rank, contract in enumerate(contracts, start=1):
        item = frame.model.number_of.get(contract.product_id, 0)
        yield rank, ("cause", _is_plain_fallback(contract, Cause.NOT_PERSONAL), _said(contract), "the same for all")
        yield rank, ("cause", not contract.extra, contract.extra, "no count")
        yield rank, ("rank", contract.target.rank == rank, contract.target.rank, rank)
        yield from ((rank, claim) for claim in _figures(contract, scores_I, total, item, rank))


def _figures(contract: Contract, scores_I: Floats, total: float, item: int, rank: int) -> Iterator[Claim]:
    score, target, split = float(scores_I[item]), contract.target, contract.split
    yield "score", abs(score - target.score) <= CLOSE, target.score, score
    yield "delta", abs(score - total - target.log_probability) <= CLOSE, target.log_probability, score - total
    ahead, level = int((scores_I > score + TIE).sum()), int((scores_I >= score - TIE).sum())
    yield "rank", ahead < rank <= level, rank, 1 + int((scores_I > score).sum())
    if split is not None:
        added = split.baseline + math.fsum(split.parts.values()) + split.residual
        yield "score", abs(added - target.score) <= CLOSE, added, target.score


def _repeated(contracts: list[Contract], frame: Frame) -> Iterator[tuple[int, Claim]]:
    """What most shoppers bought more than once, as the version counted them."""
    buyers = {item: int(frame.model.bundle.repeat_buyers[item]) for item in np.flatnonzero(frame.shown_I).tolist()}
    order = sorted((item for item, count in buyers.items() if count > 0), key=lambda item: (-buyers[item], item))
    expected = [int(frame.model.bundle.product_ids[item]) for item in order[:EXPLAINED]]
    yield 0, ("order", [one.product_id for one in contracts] == expected, len(contracts), expected)
    for rank, contract in enumerate(contracts, start=1):
        count = buyers.get(frame.model.number_of.get(contract.product_id, 0), 0)
        named = {"buyers": spoken(count)} if count > MORE_THAN else {}
        yield rank, ("cause", _is_plain_fallback(contract, Cause.NOT_PERSONAL), _said(contract), "the same for all")
        yield rank, ("count", contract.extra == named, contract.extra, named)


def _beside(slate: Slate, contracts: list[Contract], frame: Frame) -> Iterator[tuple[int, Claim]]:
    """1. Enough people bought the product, and enough of them each companion. 2. The companions are those that were
    counted, in their order. 3. What is said of each follows from how often it is bought, with it and at large.
    """
    bundle, number_of = frame.model.bundle, frame.model.number_of
    context = number_of.get(slate.context_product_id or 0, 0)
    if bundle.companion_people is None or bundle.companion_buyers is None:
        yield 0, ("people", False, len(contracts), "nobody counted people")
        return
    recount = Recount.objects.filter(product=slate.context_product_id).first()
    withdrawn, has_too_few = (set(recount.companions), recount.is_too_few) if recount is not None else (set(), False)
    buyers = int(bundle.companion_buyers[context])
    yield 0, ("people", buyers > MORE_THAN, f"more than {MORE_THAN}", buyers)
    columns = zip(
        bundle.companions[context].tolist(),
        bundle.companion_log_p[context].tolist(),
        bundle.companion_people[context].tolist(),
        strict=True,
    )
    counted = {item: (log_p, people) for item, log_p, people in columns if item}
    kept = [item for item, (_, people) in counted.items() if frame.shown_I[item] and people >= FEWEST_TOGETHER]
    expected = [int(bundle.product_ids[item]) for item in kept[:LISTED]]
    still = [pk for pk in (int(bundle.product_ids[item]) for item in kept) if pk not in withdrawn][:LISTED]
    listed = list(slate.product_ids)  # the second if it was computed after somebody was erased
    yield 0, ("order", listed in (expected, still), listed, expected)
    at_large = _ranks_at_large(np.asarray(bundle.popularity_log_p, np.float64), frame.shown_I)
    for rank, contract in enumerate(contracts, start=1):
        if contract.status is Status.WITHHELD and not contract.reasons:
            is_gone = contract.product_id in withdrawn or has_too_few
            yield rank, ("people", is_gone, "too few are left", contract.product_id)
            continue
        item = number_of.get(contract.product_id, 0)
        log_p, people = counted.get(item, (-math.inf, 0))
        yield rank, ("people", people >= FEWEST_TOGETHER, f"at least {FEWEST_TOGETHER}", people)
        named = {"beside": spoken(buyers)}
        yield rank, ("count", contract.extra == named, contract.extra, named)
        target = contract.target
        yield rank, ("delta", abs(target.log_probability - log_p) <= CLOSE, target.log_probability, log_p)
        yield rank, ("score", abs(target.probability - math.exp(log_p)) <= CLOSE, target.probability, math.exp(log_p))
        gain = log_p - float(bundle.popularity_log_p[item])
        claimed = contract.reasons[0] if len(contract.reasons) == 1 else None
        holds = claimed is not None and _is_of(claimed, slate.context_product_id or 0, gain, at_large[item])
        yield rank, ("companion", holds, claimed, f"Δ {gain:.5f}, rank {at_large[item]}")
        yield rank, ("cause", _is_true_beside(contract, gain, at_large[item], rank), _said(contract), f"Δ {gain:.5f}")


def _is_of(reason: Reason, context_id: int, gain: float, rank: int) -> bool:
    is_named = [unit.product_id for unit in reason.evidence] == [context_id]
    return is_named and abs(reason.delta - gain) <= CLOSE and reason.rank_without == rank


def _is_true_beside(contract: Contract, gain: float, at_large: int, rank: int) -> bool:
    """It goes with the product only if it is bought with it more, and stands higher, than at large."""
    said = contract.cause, contract.status, any(reason.is_verified for reason in contract.reasons)
    if abs(gain - LEAST) <= CLOSE:  # six digits do not tell on which side
        return said[0] in {Cause.VIEWED_PRODUCT, Cause.POPULAR}
    if gain > LEAST and at_large > rank:
        return said == (Cause.VIEWED_PRODUCT, Status.VERIFIED, True)
    return said == (Cause.POPULAR, Status.FALLBACK if at_large <= POPULAR else Status.WITHHELD, False)


def _ranks_at_large(popularity_I: Floats, shown_I: Flags) -> list[int]:
    """[I + 1] the place of each product by how often it is bought, ties by number."""
    order = sorted(range(len(shown_I)), key=lambda item: (not shown_I[item], -popularity_I[item], item))
    places = [0] * len(order)
    for place, item in enumerate(order, start=1):
        places[item] = place
    return places


def _enough_people(context_id: int, contracts: list[Contract], frame: Frame) -> Iterator[tuple[int, Claim]]:
    """Nothing is shown, and so nothing claimed, while they are to be counted again."""
    if Recount.objects.pending().filter(product=context_id).exists():
        return
    people = people_with(context_id, [contract.product_id for contract in contracts], frame)
    buyers = people.get(context_id, 0)
    is_any_shown = any(contract.status is not Status.WITHHELD for contract in contracts)
    yield 0, ("people", buyers > MORE_THAN or not is_any_shown, f"more than {MORE_THAN}", f"{buyers} now")
    for rank, contract in enumerate(contracts, start=1):
        found = people.get(contract.product_id, 0)
        is_shown = contract.status is not Status.WITHHELD
        yield rank, ("people", found >= FEWEST_TOGETHER or not is_shown, f"at least {FEWEST_TOGETHER}", f"{found} now")


def people_with(context_id: int, product_ids: list[int], frame: Frame) -> dict[int, int]:
    """How many shoppers there are now who have each product in one basket with this one, and this one at all."""
    kinds = frame.model.bundle.kinds
    types = {int(pk) for pk, is_target in zip(kinds.event_type_ids, kinds.is_target, strict=True) if is_target}
    values: dict[str, int | list[int]] = {
        "product": context_id,
        "products": [context_id, *product_ids],
        "types": sorted(types),
        "unfinished": list(Import.objects.unfinished().values_list("pk", flat=True)),
    }
    with connection.cursor() as cursor:
        cursor.execute(PEOPLE, values)
        return dict(cursor.fetchall())


def spoken(count: int) -> int:
    """Two leading digits, one below a hundred; never more than there are."""
    digits = str(count)
    kept = digits[: max(1, min(2, len(digits) - 1))]
    return int(kept + "0" * (len(digits) - len(kept)))


def _is_plain_fallback(contract: Contract, cause: Cause) -> bool:
    return contract.cause is cause and contract.status is Status.FALLBACK and not contract.reasons


def _said(contract: Contract) -> str:
    return f"{contract.cause.value}, {contract.status.value}"
