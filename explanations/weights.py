"""How much each part of a product weighs in what is recommended: summed while a run is written, read by everybody."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from explanations.contract import Contract

FIRST = 10
GENERAL = frozenset({"bias", "recent_popularity"})  # the same for everybody, whatever the history


@dataclass(frozen=True, kw_only=True, slots=True)
class Weight:
    """The mean size of one part of the score, as a share of all parts."""

    code: str
    share: float

    @property
    def depends_on_history(self) -> bool:
        return self.code not in GENERAL


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """Over every personal recommendation of a run; heaviest part first."""

    recommendations: int
    parts: tuple[Weight, ...]
    anyway: float | None  # of the first ten of everybody: how many would be there without a history too

    @property
    def history(self) -> float:
        return sum(part.share for part in self.parts if part.depends_on_history)

    @property
    def general(self) -> float:
        return sum(part.share for part in self.parts if not part.depends_on_history)


def weights_of(contracts: Sequence[Contract]) -> dict[str, Any]:
    """What adds up over slates: sizes of the parts, each measured from the catalogue's mean, and two counts."""
    sizes: dict[str, float] = {}
    split = [contract for contract in contracts if contract.split is not None]
    for contract in split:
        for code, value in contract.split.parts.items():  # type: ignore[union-attr]
            sizes[code] = sizes.get(code, 0.0) + abs(value)
    first = [contract.target.empty_rank for contract in contracts[:FIRST] if contract.target.empty_rank is not None]
    return {
        "recommendations": len(split),
        "sizes": {code: round(size, 6) for code, size in sizes.items()},
        "first": len(first),
        "anyway": sum(rank <= FIRST for rank in first),
    }


def weights_in(summary: Mapping[str, Any]) -> Weights | None:
    """What a run's summary holds of it; None for runs that did not count it."""
    counted = summary.get("weights") or {}
    sizes: dict[str, float] = counted.get("sizes") or {}
    total = sum(sizes.values())
    if not total:
        return None
    parts = [Weight(code=code, share=size / total) for code, size in sizes.items()]
    return Weights(
        recommendations=counted["recommendations"],
        parts=tuple(sorted(parts, key=lambda part: (-part.share, part.code))),
        anyway=counted["anyway"] / counted["first"] if counted.get("first") else None,
    )
