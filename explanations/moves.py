"""Two lists of products, before and after: what enters, what leaves, what moves."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Moves:
    """By product id, in the order of the later list; what leaves in the order of the earlier one."""

    enters: tuple[tuple[int, int], ...]  # product, place
    leaves: tuple[tuple[int, int], ...]  # product, the place it had
    moves: tuple[tuple[int, int, int], ...]  # product, place before, place after

    def __bool__(self) -> bool:
        return bool(self.enters or self.leaves or self.moves)

    @property
    def products(self) -> set[int]:
        return {one[0] for one in (*self.enters, *self.leaves, *self.moves)}


def moves(before: Sequence[int], after: Sequence[int]) -> Moves:
    """Places count from 1."""
    was = {product: place for place, product in enumerate(before, start=1)}
    stands = {product: place for place, product in enumerate(after, start=1)}
    return Moves(
        enters=tuple((product, place) for product, place in stands.items() if product not in was),
        leaves=tuple((product, place) for product, place in was.items() if product not in stands),
        moves=tuple(
            (product, was[product], place)
            for product, place in stands.items()
            if product in was and was[product] != place
        ),
    )
