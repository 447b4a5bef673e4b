"""What a reason may cite: the shopper's own interactions, found by the line of the history they belong to."""

# B shoppers, L lines, U units.
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from explanations.contract import Evidence
from explanations.methods.removal import Cases
from recommendations.inference import ShopperLines
from recommendations.ml.bundle import Bundle

CITED = 12  # interactions of one unit that a contract names, the latest
DAY = 86_400


class Lines(NamedTuple):
    """One shopper's lines as the model reads them, with the places of their interactions among all."""

    units: Sequence[int]
    times: Sequence[int]
    types: Sequence[int]
    starts: Sequence[int]
    ends: Sequence[int]


class Units:
    """A shopper's evidence units. Few of them are ever cited: each is put together when the first reason does."""

    def __init__(self, items: Sequence[int], lines: Lines, found: ShopperLines, bundle: Bundle, codes: dict[int, str]):
        self.items = items
        self._lines, self._found, self._bundle, self._codes = lines, found, bundle, codes
        self._cited: dict[int, Evidence] = {}

    def number_of(self, item: int) -> int | None:
        """The unit of a product, if the shopper has one."""
        return self.items.index(item) if item in self.items else None

    def evidence(self, unit: int) -> Evidence:
        if unit not in self._cited:
            self._cited[unit] = self._evidence(unit)
        return self._cited[unit]

    def evidence_of(self, lines: Sequence[int]) -> list[Evidence]:
        """Of each unit that has one of the lines, by unit."""
        return [self.evidence(unit) for unit in sorted({self._lines.units[line] for line in lines})]

    def every_days(self, unit: int) -> int | None:
        """The median of the days between its times."""
        moments = [self._lines.times[place] for place in self._places(unit)]
        gaps = sorted(later - earlier for earlier, later in itertools.pairwise(moments))
        return max(1, round(gaps[len(gaps) // 2] / DAY)) if gaps else None

    def _places(self, unit: int) -> list[int]:
        return [place for place, number in enumerate(self._lines.units) if number == unit]

    def _evidence(self, unit: int) -> Evidence:
        places = self._places(unit)
        ids = self._found.interaction_ids
        cited = [int(pk) for p in places for pk in ids[self._lines.starts[p] : self._lines.ends[p]]]
        return Evidence(
            product_id=int(self._bundle.product_ids[self.items[unit]]),
            interaction_ids=tuple(cited[-CITED:]),
            event_type=self._codes[int(self._bundle.event_type_ids[self._lines.types[places[-1]]])],
            times=len(places),
            last_at=self._lines.times[places[-1]],
        )


def units(cases: Cases, found: ShopperLines, bundle: Bundle, codes: dict[int, str]) -> list[Units]:
    """The units of each shopper. `found.line` ascends, as `shopper_lines` makes it."""
    columns = zip(
        cases.unit_item_BU.tolist(),
        cases.unit_BL.tolist(),
        cases.history.times_BL.tolist(),
        cases.history.types_BL.tolist(),
        np.searchsorted(found.line, cases.lines_BL).tolist(),
        np.searchsorted(found.line, cases.lines_BL + 1).tolist(),
        strict=True,
    )
    return [Units([item for item in items if item], Lines(*lines), found, bundle, codes) for items, *lines in columns]
