""" "Less of this group", obeyed when recommendations are shown: in the same request, and by a rule that is bounded.

For each product of such a group, ten products of other groups go ahead that the model ranks below it, as far as the
explained ones reach. None is hidden and no score changes, so every contract stays true; where all are of such groups,
the order stays as it is.
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
    """Each one with a wish behind the next ten without; those without keep their order, and so do those with."""
    placed: list[tuple[int, int, Ranked]] = []
    others = 0
    for one in ranked:
        others += one[2] is None
        placed.append((others, 0, one) if one[2] is None else (others + LOWERED_BY, 1, one))
    return [one for _, _, one in sorted(placed, key=lambda place: place[:2])]
