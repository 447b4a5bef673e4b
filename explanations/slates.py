"""What the engine hands to the writer: slates with the contracts of their first products."""

from dataclasses import dataclass

from explanations.contract import Contract, Provenance
from recommendations.models import Placement

LONGEST_SLATE = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class ExplainedSlate:
    """One slate and its explanation, before they are rows. The arrays are parallel, best first."""

    placement: Placement
    shopper_id: int | None
    context_product_id: int | None
    product_ids: tuple[int, ...]  # at most 30
    scores: tuple[float, ...]
    probabilities: tuple[float, ...]
    history_hash: str
    contracts: tuple[Contract, ...]  # of the first products, at most 20, in the order of `product_ids`
    provenance: Provenance
