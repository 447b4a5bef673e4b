"""Whether the cause that a personal slate gives for a product is the true one, told from what was frozen."""

# I products.
from datetime import UTC, datetime, timedelta

import numpy as np

from catalog.models import Product
from explanations.contract import Cause, Contract, Provenance, ReasonType, Status
from explanations.plainly import Replayed
from explanations.tally import CLOSE, Frame
from recommendations.models import Placement, Slate

NEW = timedelta(days=28)  # after its launch a product is called new
POPULAR = 50  # the rank with an empty history up to which it is called popular, in a large catalogue a hundredth
OF_REASON = {
    ReasonType.INTERACTION: Cause.HISTORY,
    ReasonType.CATEGORY: Cause.HISTORY_GROUP,
    ReasonType.BASKET: Cause.HISTORY_GROUP,
    ReasonType.ALIKE: Cause.HISTORY_GROUP,
    ReasonType.REPEAT: Cause.BUY_AGAIN,
}


def is_true(
    contract: Contract, slate: Slate, origin: Provenance, frame: Frame, replayed: Replayed
) -> tuple[bool, object, object]:
    """(whether it holds, what was claimed, what was found). What is withheld claims no cause."""
    said, verified = f"{contract.cause.value}, {contract.status.value}", contract.verified_reasons
    if contract.status is Status.WITHHELD:
        return not verified, said, "verified reasons" if verified else "nothing is said"
    if contract.status is Status.VERIFIED or verified:
        is_verified = contract.status is Status.VERIFIED and bool(verified)
        found = OF_REASON.get(verified[0].type) if verified else None
        return is_verified and found is contract.cause, said, found.value if found is not None else "no verified reason"
    item = frame.model.number_of[contract.product_id]
    match contract.cause:
        case Cause.BUY_AGAIN:
            is_owned = slate.placement == Placement.BUY_AGAIN and bool(replayed.candidates_I[item])
            return is_owned, said, "bought before" if is_owned else "not bought before"
        case Cause.NEW:
            return _is_new(contract.product_id, slate, origin), said, "its launch"
        case Cause.POPULAR:
            weight = float(frame.offset_I[item] - frame.offset_I[1:].mean())
            rank = replayed.rank(item, np.zeros_like(replayed.everything()))
            most = max(POPULAR, frame.model.products // 100)
            is_within = rank <= most or replayed.could_stand_at(item, most, np.zeros_like(replayed.everything()))
            return weight > -CLOSE and is_within, said, f"rank {rank} at large, {weight:+.5f} without a history"
        case _:
            return False, said, "no reason holds"


def _is_new(product_id: int, slate: Slate, origin: Provenance) -> bool:
    """What was edited since is not known as it was then."""
    product = Product.objects.filter(pk=product_id).values("launched_at", "updated_at").first()
    if product is None or product["updated_at"] > slate.explanation.created_at:
        return True
    launched_at, then = product["launched_at"], datetime.fromtimestamp(origin.computed_at, UTC)
    return launched_at is not None and launched_at >= then - NEW
