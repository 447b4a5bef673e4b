""" "My interests": what the model uses about a shopper, strongest first, by measured influence."""

from dataclasses import dataclass
from datetime import datetime

from catalog.histories import HistoryLine, history_of
from catalog.models import Product, Shopper
from explanations.asking import FAILED, LIST, about, ask
from explanations.moves import Moves, moves
from recommendations.models import Placement, Slate


@dataclass(frozen=True, kw_only=True, slots=True)
class Interest:
    """Everything that the shopper did with one product, and what it does to the first ten."""

    line: HistoryLine
    influence: float  # mean change of log p of the first ten without it
    percent: int  # of the strongest
    carries: int  # how many of the ten it speaks for
    without: Moves  # the ten as they are, and as they would be without it


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What the last change of the list was."""

    at: datetime
    moves: Moves


@dataclass(frozen=True, kw_only=True, slots=True)
class Interests:
    """Measured ones strongest first, then what is known and not used by the model, then what was left out."""

    measured: tuple[Interest, ...]
    unused: tuple[HistoryLine, ...]  # too old for the model's window, or of a product that it does not know
    left_out: tuple[HistoryLine, ...]
    is_pending: bool
    is_failed: bool
    change: Change | None
    products: dict[int, Product]  # everything that moves

    def __bool__(self) -> bool:
        return bool(self.measured or self.unused or self.left_out)


def interests_of(*, shopper: Shopper, wait: float | None = None) -> Interests:
    """Asks the model about the shopper's current list; waits for it, two seconds unless told."""
    lines = history_of(shopper=shopper).lines
    slate = Slate.objects.for_shopper(shopper, Placement.HOME).first() if shopper.is_personalised else None
    is_stale = slate is not None and shopper.changed_at is not None and shopper.changed_at > slate.computed_at
    answer = None
    if slate is not None and not is_stale:
        slate.shopper = shopper
        answer = ask(about(slate, "interests"), wait=wait)
    used = {line.product.pk: line for line in lines if line.is_used}
    found = [unit for unit in answer.get("units", ()) if unit["product"] in used] if answer is not None else []
    found.sort(key=lambda unit: (-unit["influence"], unit["product"]))
    strongest = max((unit["influence"] for unit in found), default=0.0) or 1.0
    measured = tuple(
        Interest(
            line=used[unit["product"]],
            influence=unit["influence"],
            percent=max(1, round(unit["influence"] / strongest * 100)),
            carries=unit["carries"],
            without=moves(answer["first"] if answer is not None else (), unit["without"]),
        )
        for unit in found
    )
    named = {interest.line.product.pk for interest in measured}
    change = _last_change(slate) if slate is not None else None
    moving = {pk for interest in measured for pk in interest.without.products}
    return Interests(
        measured=measured,
        unused=tuple(line for pk, line in used.items() if pk not in named),
        left_out=tuple(line for line in lines if not line.is_used),
        is_pending=slate is not None and answer is None,
        is_failed=answer is not None and FAILED in answer,
        change=change,
        products=Product.objects.in_bulk(moving | (change.moves.products if change is not None else set())),
    )


def _last_change(slate: Slate) -> Change | None:
    """From the list before to the current one, of the same run; None where it did not change."""
    earlier = (
        Slate.objects.filter(
            run=slate.run_id, shopper=slate.shopper_id, placement=slate.placement, superseded_at__isnull=False
        )
        .order_by("-superseded_at", "-pk")
        .first()
    )
    if earlier is None or earlier.superseded_at is None:
        return None
    found = moves(earlier.product_ids[:LIST], slate.product_ids[:LIST])
    return Change(at=earlier.superseded_at, moves=found) if found else None
