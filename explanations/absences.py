""" "Why not?": the true cause that a product does not stand in a shopper's list."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from catalog.models import Category, Interaction, Product, Shopper
from catalog.services import NOT_INTERESTED
from explanations.asking import FAILED, LIST, Answer, about, ask
from explanations.services import SHOWN, Recommendation, Recommendations, recommendations_for, sensitive_ids
from recommendations.models import Placement, Run


class Absence(StrEnum):
    """Why a product is not in the list, the first that holds in this order."""

    NOTHING_PUBLISHED = "nothing_published"  # there is no list at all
    INACTIVE = "inactive"  # taken out of the shop
    OUT_OF_STOCK = "out_of_stock"
    SWITCHED_OFF = "switched_off"  # personalisation is off: the list is everybody's
    NO_HISTORY = "no_history"  # nothing to compute a list from: it is everybody's
    NOT_COMPUTED = "not_computed"  # there is a history, and no list from it yet
    SHOWN = "shown"  # it is in the list
    HIDDEN = "hidden"  # "not interested"
    BOUGHT = "bought"  # the list holds what is new to the shopper
    LESS_OF_GROUP = "less_of_group"  # it would be in the list, but for a wish for less of its group
    NO_REASON = "no_reason"  # it would be in the list, but nothing that may be said passed the check
    NOT_IN_VERSION = "not_in_version"  # the model does not know it yet
    PENDING = "pending"  # only the model can tell, and it has not answered yet
    RANKED_LOWER = "ranked_lower"  # others fit better
    FAILED = "failed"  # the model could not be asked


# These tell what the shopper did or wished.
PERSONAL = frozenset({Absence.HIDDEN, Absence.BOUGHT, Absence.LESS_OF_GROUP})


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranked:
    """Where the model ranks it, and how its score differs from that of the last one shown."""

    rank: int
    candidates: int
    empty_rank: int  # for somebody without a history
    is_candidate: bool  # False: it could not be shown, but would stand at this rank
    last_rank: int | None
    gap: float | None  # its score minus that of the last one shown
    parts: tuple[tuple[str, float], ...]  # of the gap, an exact sum, the largest first


@dataclass(frozen=True, kw_only=True, slots=True)
class WhyNot:
    """The cause, and what the model says once it has answered."""

    product: Product
    absence: Absence
    is_pending: bool  # the model was asked and has not answered yet
    computed_at: datetime | None = None
    recommendation: Recommendation | None = None  # SHOWN: where it stands
    place: int | None = None  # SHOWN: in the list, from 1
    wish: Category | None = None  # LESS_OF_GROUP
    is_wish_named: bool = True  # False: its group is sensitive
    ranked: Ranked | None = None
    last: Recommendation | None = None  # the last one shown


def why_not(*, shopper: Shopper, product: Product, wait: float | None = None) -> WhyNot:
    """Why the product is not among the first of "New for you"; waits for the model, two seconds unless told."""
    found = recommendations_for(shopper=shopper, placement=Placement.HOME, limit=SHOWN)
    cause = _without_model(shopper, product, found)
    if cause is not None:
        return cause
    slate = found.slate
    if slate is None:
        raise ValueError("Without a slate there is another cause.")
    slate.shopper = shopper
    shown = found.items[:LIST]
    last = next((item for item in reversed(shown) if item.product != product), None)
    answer = ask(
        about(slate, "why_not", product_id=product.pk, last_id=last.product.pk if last is not None else 0), wait=wait
    )
    ranked = _ranked(answer) if answer is not None else None
    stated = _from_list(shopper, product, found)
    absence = stated.absence
    if absence is Absence.RANKED_LOWER and ranked is None:
        absence = _unranked(answer, is_in_slate=product.pk in slate.product_ids)
    return WhyNot(
        product=product,
        absence=absence,
        is_pending=answer is None,
        computed_at=slate.computed_at,
        recommendation=stated.recommendation,
        place=stated.place,
        wish=stated.wish,
        is_wish_named=stated.is_wish_named,
        ranked=ranked,
        last=last,
    )


def _unranked(answer: Answer | None, *, is_in_slate: bool) -> Absence:
    """What stands further down in the slate ranks lower, the model need not say it; of the rest nobody else knows."""
    if answer is None:
        return Absence.RANKED_LOWER if is_in_slate else Absence.PENDING
    return Absence.FAILED if FAILED in answer else Absence.NOT_IN_VERSION


def _without_model(shopper: Shopper, product: Product, found: Recommendations) -> WhyNot | None:
    """What holds whatever the model thinks of the product."""
    absence = None
    if not Run.objects.live().exists():
        absence = Absence.NOTHING_PUBLISHED
    elif not product.is_active:
        absence = Absence.INACTIVE
    elif not product.is_available:
        absence = Absence.OUT_OF_STOCK
    elif not shopper.is_personalised:
        absence = Absence.SWITCHED_OFF
    elif not found.is_personal:
        has_history = Interaction.objects.usable().filter(shopper=shopper, event_type__polarity__gte=0).exists()
        absence = Absence.NOT_COMPUTED if has_history else Absence.NO_HISTORY
    return WhyNot(product=product, absence=absence, is_pending=False) if absence is not None else None


def _from_list(shopper: Shopper, product: Product, found: Recommendations) -> WhyNot:
    """What the shopper did, and what the list says."""

    def stated(absence: Absence, **fields: object) -> WhyNot:
        return WhyNot(product=product, absence=absence, is_pending=False, **fields)  # type: ignore[arg-type]

    shown = found.items[:LIST]
    for place, item in enumerate(shown, start=1):
        if item.product == product:
            return stated(Absence.SHOWN, recommendation=item, place=place)
    own = Interaction.objects.visible().filter(shopper=shopper, product=product)
    if own.filter(event_type__code=NOT_INTERESTED, excluded_at=None).exists():
        return stated(Absence.HIDDEN)
    if own.filter(event_type__is_target=True).exists():
        return stated(Absence.BOUGHT)
    listed = next((item for item in found.items if item.product == product), None)
    if listed is not None and listed.less_of is not None and _would_be_shown(listed, found):
        is_named = listed.less_of.pk not in sensitive_ids(found.categories)
        return stated(Absence.LESS_OF_GROUP, recommendation=listed, wish=listed.less_of, is_wish_named=is_named)
    if listed is None and found.slate is not None and product.pk in found.slate.product_ids[: _reach(found)]:
        return stated(Absence.NO_REASON)
    return stated(Absence.RANKED_LOWER, recommendation=listed)


def _would_be_shown(listed: Recommendation, found: Recommendations) -> bool:
    return sum(item.rank < listed.rank for item in found.items) < LIST


def _reach(found: Recommendations) -> int:
    """Up to which rank the list was filled: what stands before and is not in it was left out for its reason."""
    return max((item.rank for item in found.items[:LIST]), default=0)


def _ranked(answer: Answer) -> Ranked | None:
    if not answer.get("is_known"):
        return None
    parts = sorted(answer.get("parts", {}).items(), key=lambda part: -abs(part[1]))
    return Ranked(
        rank=answer["rank"],
        candidates=answer["candidates"],
        empty_rank=answer["empty_rank"],
        is_candidate=answer["is_candidate"],
        last_rank=answer.get("last_rank"),
        gap=answer.get("gap"),
        parts=tuple(parts),
    )
