"""A snapshot cut in time: what is learnt, what chooses, what measures."""

# I products.
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recommendations.ml import catching_up, evaluation
from recommendations.ml.data import Histories, next_baskets, recent_popularity
from recommendations.ml.loop import TrainingData
from recommendations.ml.ranking import period_of
from recommendations.models import Snapshot
from recommendations.snapshots import Arrays

FEWEST_SHOPPERS = 100  # below, nothing is chosen or calibrated by their baskets


class Split:
    """The snapshot's histories cut in time: train | validation | test."""

    def __init__(self, arrays: Arrays, snapshot: Snapshot):
        self.arrays = arrays
        self.validation_from = int(snapshot.validation_from.timestamp())
        self.test_from = int(snapshot.test_from.timestamp())
        self.end = int(snapshot.cutoff_at.timestamp())
        self.before_validation = arrays.histories.before(self.validation_from)
        self.before_test = arrays.histories.before(self.test_from)
        self.is_target_line = arrays.kinds.is_target[np.asarray(arrays.histories.types)]

    def training(self) -> TrainingData:
        return TrainingData(
            histories=self.before_validation,
            catalogue=self.arrays.catalogue,
            kinds=self.arrays.kinds,
            validation=self.validation.by_kind["new"],
            unwanted=self.arrays.unwanted.before(self.validation_from),
            ignored=self.arrays.ignored.before(self.validation_from),
        )

    def newest(self) -> catching_up.Newest:
        return catching_up.Newest(
            histories=self.before_test,
            since=self.validation_from,
            now=self.test_from,
            unwanted=self.arrays.unwanted.before(self.test_from),
            ignored=self.arrays.ignored.before(self.test_from),
        )

    @cached_property
    def validation(self) -> evaluation.Question:
        return self.question(self.before_validation, self.validation_from, self.test_from)

    def unseen(self, since: int) -> evaluation.Question:
        """What of validation a model that knows all before `since` has not learnt: the later part, or all of it where
        nothing was, or where the rest is too little to choose by."""
        if since <= self.validation_from:
            return self.validation
        later = self.question(self.arrays.histories.before(since), since, self.test_from)
        return later if len(later.by_kind["all"].shoppers) >= FEWEST_SHOPPERS else self.validation

    @cached_property
    def test(self) -> evaluation.Question:
        return self.question(self.before_test, self.test_from, self.end + 1)

    def question(
        self, histories: Histories, start: int, end: int, lines: NDArray[np.bool_] | None = None
    ) -> evaluation.Question:
        """What is asked of [start, end): the next basket of targets, or the next of other lines."""
        asked = self.is_target_line if lines is None else lines
        targets = next_baskets(self.arrays.histories, asked, start=start, end=end)
        return evaluation.question(
            histories, targets, self.arrays.catalogue.products, self.popularity(histories, start)
        )

    def popularity(self, histories: Histories, now: int) -> Tensor:
        """[I + 1] recent popularity at `now`."""
        start = int(np.asarray(histories.times).min()) if len(histories.times) else now
        table = recent_popularity(histories, self.arrays.catalogue.products, start=start, end=now)
        return torch.from_numpy(table[int(period_of(torch.tensor(now), start, len(table)))])
