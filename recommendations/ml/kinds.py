"""Kinds of history lines: event types, and levels of those that carry a value, such as a rating."""

# N lines, T kinds. Kind 0 is padding.
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from recommendations.ml.data import Ints

Floats = NDArray[np.float64]
SHARES = (0.2, 0.4, 0.6, 0.8)  # a type with values is cut into fifths of its values, fewer where they tie


@dataclass(frozen=True, kw_only=True, slots=True)
class Kinds:
    """`event_type_ids` [T + 1] ascending from 0; `lows` [T + 1] the least value of a kind: -inf for any, NaN for none.

    `strengths` [T + 1]: how much the kind counts as something to predict; `is_target` [T + 1]: what is ranked for.
    """

    event_type_ids: Ints
    lows: Floats
    strengths: Floats
    is_target: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.event_type_ids) - 1

    def beside(self) -> dict[int, list[int]]:
        """Event type -> its kinds that are predicted beside what is ranked for."""
        found: dict[int, list[int]] = {}
        for number in np.flatnonzero((self.strengths > 0) & ~self.is_target).tolist():
            found.setdefault(int(self.event_type_ids[number]), []).append(number)
        return found

    def numbers(self, event_type_ids: Ints, values: Floats) -> Ints:
        """[N] the kind of each line, 0 for event types that are not known. `values` is NaN where there is none."""
        found = np.zeros(len(event_type_ids), np.int64)
        has_none = set(self.event_type_ids[np.isnan(self.lows)].tolist())  # types whose lines without a value differ
        for number in range(1, len(self.event_type_ids)):  # lows ascend within a type: the last that fits stands
            pk, low = int(self.event_type_ids[number]), self.lows[number]
            if np.isnan(low):
                fits = np.isnan(values)
            else:
                fits = values >= low if pk in has_none else np.ones(len(values), bool)
            found[(event_type_ids == pk) & fits] = number
        return found

    @classmethod
    def of(cls, types: Sequence[tuple[int, float, bool]], edges: Mapping[int, Sequence[float]]) -> Self:
        """From (id, strength, is target) of event types and the `edges` of those that carry values.

        Of a type with values only the upper half of its levels is predicted: a poor rating is nothing to recommend
        by. Raises ValueError where a target has no strength.
        """
        if any(is_target and not strength > 0 for _, strength, is_target in types):
            raise ValueError("An event type that is a target needs a strength above 0. Remedy: set it in the admin.")
        rows: list[tuple[int, float, float, bool]] = [(0, -np.inf, 0.0, False)]
        for pk, strength, is_target in sorted(types):
            rows.append((pk, -np.inf, strength, is_target))
            if edges.get(pk):
                lows = [-np.inf, *edges[pk]]
                rows[-1:] = [
                    (pk, low, strength if level >= len(lows) // 2 else 0.0, is_target) for level, low in enumerate(lows)
                ]
                rows.append((pk, np.nan, strength, is_target))
        ids, lows_, strengths, targets = zip(*rows, strict=True)
        return cls(
            event_type_ids=np.asarray(ids, np.int64),
            lows=np.asarray(lows_, np.float64),
            strengths=np.asarray(strengths, np.float64),
            is_target=np.asarray(targets, bool),
        )


def edges_of(counts: Mapping[float, int]) -> list[float]:
    """The distinct values at which a fifth, two fifths, … of all have been passed; none for a single value.

    `counts`: value -> how often.
    """
    values = np.asarray(sorted(counts), np.float64)
    reached = np.cumsum([counts[value] for value in values.tolist()])
    at = np.searchsorted(reached, np.asarray(SHARES) * (reached[-1] if len(reached) else 0), side="right")
    return sorted({float(values[position]) for position in at if 0 < position < len(values)})
