""" "Less of this group", obeyed when recommendations are shown: in the same request, and by a rule that is bounded.

Each product of such a group stands ten places lower among the explained ones than the model ranks it. None is
hidden, no score changes, so every contract stays true; where nothing else is near, the order stays as it is.
"""

from collections.abc import Mapping, Sequence

from catalog.models import Category, LessOfGroup, Shopper
from explanations.contract import Contract

LOWERED_BY = 10


def wished_less(shopper: Shopper) -> frozenset[int]:
    """Of which groups the shopper wishes less."""
    return frozenset(LessOfGroup.objects.filter(shopper=shopper).values_list("category_id", flat=True))


def wish_for(category_id: int | None, wishes: frozenset[int], categories: Mapping[int, Category]) -> Category | None:
    """The group, of this one and those above it, of which less is wished."""
    while category_id is not None and (category := categories.get(category_id)) is not None:
        if category_id in wishes:
            return category
        category_id = category.parent_id
    return None


Ranked = tuple[int, Contract, Category | None]  # rank, contract, the wish it falls under


def in_wished_order(ranked: Sequence[Ranked]) -> list[Ranked]:
    """Those with a wish ten places lower; all others keep their order."""
    return sorted(ranked, key=lambda one: one[0] + (LOWERED_BY + 0.5 if one[2] is not None else 0))
