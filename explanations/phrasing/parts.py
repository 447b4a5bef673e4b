"""Names for the parts of a product that a score is made of, and bars of a difference by part."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from explanations.absences import Ranked
from explanations.phrasing.text import clean


@dataclass(frozen=True, kw_only=True, slots=True)
class PartBar:
    """One part of the gap, as a bar from the zero at 101."""

    name: str
    value: str
    percent: int
    is_for: bool

    @property
    def left(self) -> int:
        return 101 - self.percent


def part_name(code: str) -> str:
    """In the active language; an attribute of the shop's own appears under its own name."""
    names = {
        "id": _("the product itself: what it is bought together with"),
        "group": _("its group"),
        "category": _("its group"),
        "department": _("its department"),
        "price_band": _("its price band"),
        "brand": _("its brand"),
        "other": _("its other attributes"),
        "text": _("the words of its title and description"),
        "bias": _("how it sells in general"),
        "recent_popularity": _("how it sells lately"),
        "repeat": _("that you had to do with it before"),
    }
    return names.get(code) or clean(code.replace("_", " "))


def bars_of(ranked: Ranked | None) -> list[PartBar]:
    """The split of the gap to the last one shown, the largest part first."""
    parts = ranked.parts if ranked is not None else ()
    longest = max((abs(value) for _, value in parts), default=0.0) or 1.0
    return [
        PartBar(
            name=part_name(code),
            value=f"{value:+.2f}".replace("-", "−"),
            percent=max(1, round(abs(value) / longest * 100)),
            is_for=value >= 0,
        )
        for code, value in parts
        if abs(value) >= 0.005
    ]
