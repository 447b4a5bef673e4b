"""What every surface calls: recommendations joined with their reasons, and the feedback on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from catalog.models import Category, Interaction, Product, Shopper
from explanations.contract import Cause, Contract, Status, unpack, unpack_provenance
from recommendations.models import Placement, Slate

SHOWN = 20  # the first 20 of a slate are explained; `limit` goes no further


@dataclass(frozen=True, kw_only=True, slots=True)
class Recommendation:
    """One product at one rank of a slate, with its contract."""

    id: str  # slate id and rank; never changes its meaning
    rank: int
    product: Product
    score: float
    probability: float
    contract: Contract


@dataclass(frozen=True, kw_only=True, slots=True)
class Recommendations:
    """What one placement shows, and the products and groups that its contracts name."""

    placement: Placement
    is_personal: bool
    slate: Slate | None  # None: nothing is published yet
    items: tuple[Recommendation, ...]
    products: Mapping[int, Product]  # everything that the contracts cite, by id
    categories: Mapping[int, Category]

    def __bool__(self) -> bool:
        return bool(self.items)
