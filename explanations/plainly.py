"""One shopper's ranking under any change of the history, by the plain forward."""

# I products.
import math

import numpy as np

from explanations.known import Known
from explanations.plain import Flags, Floats
from explanations.tally import TIE, Frame


class Replayed:
    """What is asked twice is computed once."""

    def __init__(self, frame: Frame, found: Known, candidates_I: Flags):
        self.frame, self.past, self.next_basket, self.candidates_I = frame, found.past, found.next_basket, candidates_I
        self._scores: dict[bytes, Floats] = {}

    def scores(self, kept: Flags) -> Floats:
        key = kept.tobytes()
        if key not in self._scores:
            self._scores[key] = self.scores_once(kept)
        return self._scores[key]

    def scores_once(self, kept: Flags) -> Floats:
        """Not kept for later: of many parts that are left out, one is in memory at a time."""
        if (known := self._scores.get(kept.tobytes())) is not None:
            return known
        found = self.frame.plain.scores(self.past.only(kept), self.next_basket, self.frame.offset_I)
        scores_I: Floats = np.where(self.candidates_I, found, -np.inf)
        return scores_I

    def everything(self) -> Flags:
        return self.past.items > 0

    def without(self, items: set[int]) -> Flags:
        return self.everything() & ~np.isin(self.past.items, list(items))

    def log_p(self, item: int, kept: Flags) -> float:
        scores = self.scores(kept)
        most = scores.max()
        return float(scores[item] - most - math.log(np.exp(scores - most).sum()))

    def could_stand_at(self, item: int, rank: int, kept: Flags) -> bool:
        """Nearly equal scores may stand either way."""
        scores = self.scores(kept)
        return int((scores > scores[item] + TIE).sum()) < rank <= int((scores >= scores[item] - TIE).sum())

    def rank(self, item: int, kept: Flags) -> int:
        scores = self.scores(kept)
        return 1 + int((scores > scores[item]).sum())
