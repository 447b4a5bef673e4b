"""How far an import is."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """One step of one phase; `total` is None where the end is not known."""

    phase: str
    done: int
    total: int | None = None


Report = Callable[[Progress], None]


def silent(_progress: Progress) -> None:
    """Nobody is looking."""
