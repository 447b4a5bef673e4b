"""Histories cut into windows and gathered into batches of like length, without a loop over shoppers."""

# B windows, L lines, Q queries (one a target basket), T targets in the batch, P pairs of a query and a product.
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recommendations.ml.config import ModelConfig, TrainingConfig
from recommendations.ml.data import DAY, Histories, Ignored, Ints, Unwanted, lines_in
from recommendations.ml.history import History
from recommendations.ml.kinds import Kinds

Pairs = tuple[Ints, Ints, NDArray[np.float32]]

FIRST = 0.5  # the share of moments of a shopper's first basket
LEAST = 0.01  # and of one that follows at once


class Batch(NamedTuple):
    history: History
    visible_BQL: (
        Tensor  # what each query may see: earlier baskets, the most recent lines; of its own basket what is given
    )
    basket_BQ: Tensor  # number of the target basket
    now_BQ: Tensor  # a moment between the basket before and the target basket
    query_T: Tensor  # flat index into B × Q
    kind_T: Tensor  # 0 for what is ranked for, else the kind of line
    item_T: Tensor
    weight_T: Tensor
    unwanted_query_P: Tensor  # what the shopper of a query does not want, or was shown in vain
    unwanted_item_P: Tensor
    unwanted_weight_P: Tensor  # how often it stands among the negatives

    def to(self, device: torch.device) -> "Batch":
        if device.type == "cpu":
            return self
        history, *rest = self
        return Batch(History(*(t.to(device) for t in history)), *(t.to(device) for t in rest))


@dataclass(frozen=True, kw_only=True, slots=True)
class Baskets:
    """Where baskets lie: `number` [N] of each line within its shopper, `first` [G + 1] line and `time` [G] of each
    basket, `offsets` [S + 1] baskets of each shopper."""

    number: Ints
    first: Ints
    time: Ints
    offsets: Ints

    @classmethod
    def of(cls, histories: Histories) -> "Baskets":
        lines = len(histories.items)
        times = np.asarray(histories.times)
        starts = np.zeros(lines, bool)
        starts[1:] = times[1:] != times[:-1]
        nonempty = histories.offsets[:-1][np.diff(histories.offsets) > 0]
        starts[nonempty] = True
        basket = np.cumsum(starts) - 1  # number of each line's basket among all
        first = np.append(np.flatnonzero(starts), lines)
        offsets = (
            np.append(basket, first.size - 1)[np.minimum(histories.offsets, lines)] if lines else histories.offsets
        )
        number = basket - np.repeat(offsets[:-1], np.diff(histories.offsets))
        return cls(number=number, first=first, time=times[first[:-1]], offsets=offsets)


class Windows(NamedTuple):
    """Stretches of histories: lines [first, last), of which baskets [query, end) are predicted."""

    first: Ints
    last: Ints
    query: Ints  # among all baskets
    end: Ints


def windows(histories: Histories, baskets: Baskets, length: int) -> Windows:
    """Cut every history into stretches in which each basket is predicted once, with up to `length` lines before it.

    1. A shopper with at most 2 · length lines is one window.
    2. A longer one is cut by target baskets: those whose first line lies in the k-th stretch of `length` lines are
       predicted in window k, which starts `length` lines earlier.
    """
    shopper = np.repeat(np.arange(len(histories)), np.diff(baskets.offsets))
    position = baskets.first[:-1] - histories.offsets[shopper]  # of each basket's first line in its history
    total = np.diff(histories.offsets)[shopper]
    stretch = np.where(total <= 2 * length, 0, np.maximum(position // length - 1, 0))
    new = np.ones(len(shopper), bool)
    new[1:] = (shopper[1:] != shopper[:-1]) | (stretch[1:] != stretch[:-1])
    query = np.flatnonzero(new)
    end = np.append(query[1:], len(shopper))
    earliest = np.maximum(histories.offsets[shopper[query]], baskets.first[query] - length)
    return Windows(first=earliest, last=baskets.first[end], query=query, end=end)


def _repeats(histories: Histories) -> NDArray[np.bool_]:
    """[N]: whether the shopper met the line's product at an earlier time."""
    items, times = np.asarray(histories.items), np.asarray(histories.times)
    shopper = np.repeat(np.arange(len(histories)), np.diff(histories.offsets))
    order = np.lexsort((times, items, shopper))
    pair = shopper[order].astype(np.int64) * (int(items.max(initial=0)) + 1) + items[order]
    first = np.ones(len(items), bool)
    first[1:] = pair[1:] != pair[:-1]
    begun = times[order][first][np.cumsum(first) - 1]
    result = np.empty(len(items), bool)
    result[order] = times[order] > begun
    return result


def moments(baskets: Baskets, has_target_G: NDArray[np.bool_], days: float) -> NDArray[np.float64]:
    """[G] the share of `days` in which a basket was the shopper's next one, of mean 1: from the basket before, or so
    many days ahead.

    Somebody who comes by at any time, and buys within so many days, finds the baskets in these proportions: the one
    that follows a long pause oftener than three on one day, and no shopper much oftener than another. Counted among
    baskets with something that is ranked for, whatever was viewed between; a shopper's first one has none before it and
    counts half. Lines of one order with times of their own are baskets of their own: all but the first weigh next to
    nothing.
    """
    counted = np.flatnonzero(has_target_G)
    shopper = np.repeat(np.arange(len(baskets.offsets) - 1), np.diff(baskets.offsets))[counted]
    share = np.full(len(counted), FIRST)
    again = np.flatnonzero(shopper[1:] == shopper[:-1]) + 1
    time = baskets.time[counted]
    share[again] = np.clip((time[again] - time[again - 1]) / (days * DAY), LEAST, 1.0)
    result = np.ones(len(has_target_G))
    result[counted] = share / share.mean() if len(share) else share
    return result


class BatchMaker:
    """Batches of one epoch, a function of (seed, epoch) alone."""

    def __init__(
        self,
        histories: Histories,
        kinds: Kinds,
        model: ModelConfig,
        training: TrainingConfig,
        unwanted: Unwanted | None = None,
        ignored: Ignored | None = None,
    ):
        self.histories, self.model, self.training = histories, model, training
        self.kind_of = np.where(kinds.is_target, 0, np.arange(len(kinds) + 1))
        self.weight_of = kinds.strengths * np.where(kinds.is_target, 1.0, training.auxiliary * model.predicts_types)
        self.weight_of[0] = 0.0
        self.unwanted, self.ignored = unwanted, ignored
        self.baskets = Baskets.of(histories)
        self.windows = windows(histories, self.baskets, model.history)
        self.has_sets = bool((np.diff(self.baskets.first) > 1).any())
        self.is_repeat = _repeats(histories)
        self.shopper = np.repeat(np.arange(len(histories)), np.diff(self.baskets.offsets))  # of each basket
        self.latest = int(self.baskets.time.max()) if len(self.baskets.time) else 0
        self.ahead = round(training.moment_days * DAY) if model.uses_times else 0
        self.moments: NDArray[np.float64] | None = None
        if self.ahead and len(self.baskets.time):
            is_target = kinds.is_target[np.asarray(histories.types)]
            has_target_G = np.logical_or.reduceat(is_target, self.baskets.first[:-1])
            self.moments = moments(self.baskets, has_target_G, training.moment_days)

    def epoch(self, number: int) -> Iterator[Batch]:
        """1. Shuffle. 2. Sort by length, ties as shuffled. 3. Cut where the padded size is full. 4. Shuffle."""
        random = np.random.default_rng((self.training.seed, number))
        lengths = self.windows.last - self.windows.first
        order = random.permutation(self._asked(random))
        order = order[np.argsort(lengths[order], kind="stable")]
        cuts = self._cuts(lengths[order])
        for k in random.permutation(len(cuts) - 1):
            yield self.batch(np.sort(order[cuts[k] : cuts[k + 1]]), random)

    def _asked(self, random: np.random.Generator) -> Ints:
        """Windows of this epoch: all, or those with a fresh basket and a sample of the others (experience replay)."""
        everything = np.arange(len(self.windows.first))
        if not self.training.fresh_days:
            return everything
        newest = self.baskets.time[self.windows.end - 1]
        fresh = newest > self.latest - self.training.fresh_days * DAY
        older = everything[~fresh]
        count = min(len(older), round(self.training.replay * int(fresh.sum())))
        return np.concatenate([everything[fresh], np.sort(random.choice(older, count, replace=False))])

    def _cuts(self, lengths: Ints) -> list[int]:
        cuts, start = [0], 0
        while start < len(lengths):
            # lengths ascend, so the last one is the padded one: the largest n with n * lengths[start + n - 1] in bound
            reach = np.arange(1, len(lengths) - start + 1)[: self.training.batch_lines]
            fits = reach * lengths[start : start + len(reach)] <= self.training.batch_lines
            start += max(1, int(fits.sum()))
            cuts.append(start)
        return cuts

    def batch(self, numbers: Ints, random: np.random.Generator) -> Batch:
        histories, baskets = self.histories, self.baskets
        first, last, query, end = (column[numbers] for column in self.windows)
        length, queries = int((last - first).max()), int((end - query).max())
        line_BL = first[:, None] + np.arange(length)
        real_BL = line_BL < last[:, None]
        line_BL = np.minimum(line_BL, last[:, None] - 1)
        items_BL = np.where(real_BL, histories.items[line_BL], 0)
        types_BL = np.where(real_BL, histories.types[line_BL], 0)
        number_BL = baskets.number[line_BL]
        basket_BQ = np.minimum(query[:, None] + np.arange(queries), end[:, None] - 1)
        target_BQ = baskets.number[baskets.first[basket_BQ]]
        place_BL = number_BL - target_BQ[:, :1]  # of each line's basket among those that are asked, below 0: earlier

        before_BQ = baskets.time[np.maximum(basket_BQ - 1, 0)]
        time_BQ = baskets.time[basket_BQ]
        before_BQ = np.where(target_BQ > 0, before_BQ, time_BQ)
        if self.ahead:
            before_BQ = np.maximum(before_BQ, time_BQ - self.ahead)
        now_BQ = before_BQ + (random.random(before_BQ.shape) * (time_BQ - before_BQ)).astype(np.int64)

        visible_BQL = real_BL[:, None] & (number_BL[:, None] < target_BQ[..., None])
        visible_BQL &= line_BL[:, None] >= baskets.first[basket_BQ][..., None] - self.model.history
        given_BL = np.zeros_like(real_BL)
        if self.training.completion and self.has_sets:
            sizes_BQ = baskets.first[basket_BQ + 1] - baskets.first[basket_BQ]
            given_BL = real_BL & self._given(items_BL, place_BL, sizes_BQ, random)
            given_BQL = given_BL[:, None] & (number_BL[:, None] == target_BQ[..., None])
            visible_BQL |= given_BQL
            now_BQ = np.where(given_BQL.any(-1), time_BQ, now_BQ)
        hidden_BL = self._hidden(items_BL, random) if self.training.masking else np.zeros_like(real_BL)
        visible_BQL &= ~hidden_BL[:, None]

        # A product that was masked is asked only where it is really new: it must not look new because it was hidden.
        is_repeat_BL = hidden_BL & self.is_repeat[line_BL]
        target = real_BL & ~given_BL & ~is_repeat_BL & (place_BL >= 0) & (self.weight_of[types_BL] > 0)
        rows, columns = np.nonzero(target)
        query_T = rows * queries + place_BL[rows, columns]
        kind_T = self.kind_of[types_BL[rows, columns]]
        _, asked_T, sizes = np.unique(query_T * len(self.kind_of) + kind_T, return_inverse=True, return_counts=True)
        weight_T = sizes[asked_T] ** (self.training.basket_power - 1) * self.weight_of[types_BL[rows, columns]]
        if self.moments is not None:
            weight_T = weight_T * np.where(kind_T == 0, self.moments[basket_BQ.reshape(-1)[query_T]], 1.0)
        if self.training.half_life_days:
            age = (self.latest - time_BQ.reshape(-1)[query_T]) / 86_400
            weight_T = weight_T * 0.5 ** (age / self.training.half_life_days)
        unwanted = self._unwanted(self.shopper[query], query, end, queries)
        return Batch(
            history=History(
                items_BL=torch.from_numpy(items_BL.astype(np.int64)),
                types_BL=torch.from_numpy(types_BL.astype(np.int64)),
                times_BL=torch.from_numpy(histories.times[line_BL]),
                baskets_BL=torch.from_numpy(number_BL),
            ),
            visible_BQL=torch.from_numpy(visible_BQL),
            basket_BQ=torch.from_numpy(target_BQ),
            now_BQ=torch.from_numpy(now_BQ),
            query_T=torch.from_numpy(query_T),
            kind_T=torch.from_numpy(kind_T),
            item_T=torch.from_numpy(items_BL[rows, columns].astype(np.int64)),
            weight_T=torch.from_numpy(weight_T.astype(np.float32)),
            unwanted_query_P=torch.from_numpy(unwanted[0]),
            unwanted_item_P=torch.from_numpy(unwanted[1]),
            unwanted_weight_P=torch.from_numpy(unwanted[2]),
        )

    def _unwanted(self, shopper_B: Ints, query_B: Ints, end_B: Ints, queries: int) -> Pairs:
        """Pairs of a query (flat index into B × Q) and a product, each with how often it stands among the negatives.

        What its shopper does not want, for every query; what it was shown in vain, for the last query of all alone:
        that is the state nearest to the days on which it was shown, and a little is meant.
        """
        found = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))]
        if self.unwanted is not None and self.training.unwanted:
            window_P, line_P = lines_in(self.unwanted.offsets, shopper_B)
            pair_P = np.repeat(np.arange(len(window_P)), (end_B - query_B)[window_P])  # once for each of its queries
            place_P = np.arange(len(pair_P)) - np.searchsorted(pair_P, pair_P)
            line_P, window_P = line_P[pair_P], window_P[pair_P]
            weight_P = np.float32(self.training.unwanted) * self.unwanted.weights[line_P].astype(np.float32)
            found.append((window_P * queries + place_P, self.unwanted.items[line_P].astype(np.int64), weight_P))
        if self.ignored is not None and self.training.ignored:
            window_P, line_P = lines_in(self.ignored.offsets, shopper_B)
            is_last_P = (end_B == self.baskets.offsets[shopper_B + 1])[window_P]
            window_P, line_P = window_P[is_last_P], line_P[is_last_P]
            weight_P = np.full(len(line_P), self.training.ignored, np.float32)
            query_P = window_P * queries + (end_B - query_B - 1)[window_P]
            found.append((query_P, self.ignored.items[line_P].astype(np.int64), weight_P))
        queries_P, items_P, weights_P = (np.concatenate(column) for column in zip(*found, strict=True))
        return queries_P, items_P, weights_P

    def _given(
        self, items_BL: NDArray[np.int32], place_BL: Ints, sizes_BQ: Ints, random: np.random.Generator
    ) -> NDArray[np.bool_]:
        """[B, L]: of a share of the target baskets (number `place` in the window), a random share of the products.

        They are seen, the rest of the basket is what is asked: so what is bought together is learnt to belong together.
        A basket of one line has no rest.
        """
        asked_BQ = (random.random(sizes_BQ.shape) < self.training.completion) & (sizes_BQ > 1)
        share_BQ = np.where(asked_BQ, random.random(sizes_BQ.shape), 0.0)
        share_BL = np.take_along_axis(share_BQ, place_BL.clip(0, sizes_BQ.shape[1] - 1), axis=1)
        return (place_BL >= 0) & (_lots(items_BL, random) < share_BL)

    def _hidden(self, items_BL: NDArray[np.int32], random: np.random.Generator) -> NDArray[np.bool_]:
        """[B, L]: in a share of the windows, a random share of the *products* is masked, all their lines together."""
        chosen = random.random(len(items_BL)) < self.training.masking
        share = np.where(chosen, random.random(len(items_BL)), 0.0)
        return _lots(items_BL, random) < share[:, None]


def _lots(items_BL: NDArray[np.int32], random: np.random.Generator) -> NDArray[np.float64]:
    """[B, L] evenly spread in [0, 1): drawn for each window and product, the same for all lines of the product."""
    salt = random.integers(1, 1 << 31, len(items_BL))
    mixed = (items_BL.astype(np.uint64) + salt[:, None].astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
    return np.asarray((mixed >> np.uint64(40)).astype(np.float64) / (1 << 24))


def latest_history(
    histories: Histories, shoppers: Ints, model: ModelConfig, *, now: int, padded_to: int = 1
) -> tuple[History, Tensor, NDArray[np.int64]]:
    """The most recent lines before `now` of each shopper: the history, the number of the next basket [B], line numbers.

    The histories must end before `now`. They are padded to `padded_to`, or to the longest of them.
    """
    start, end = histories.offsets[shoppers], histories.offsets[shoppers + 1]
    first = np.maximum(start, end - model.history)
    length = max(padded_to, int((end - first).max())) if len(shoppers) else padded_to
    line_BL = first[:, None] + np.arange(length)
    real_BL = line_BL < end[:, None]
    clipped = np.minimum(line_BL, np.maximum(end[:, None] - 1, 0))
    if not len(histories.items):
        clipped, real_BL = np.zeros_like(clipped), np.zeros_like(real_BL)
    times_BL = np.where(real_BL, histories.times[clipped], now) if len(histories.items) else np.full(clipped.shape, now)
    changes = np.zeros_like(times_BL)
    changes[:, 1:] = (times_BL[:, 1:] != times_BL[:, :-1]) & real_BL[:, 1:]
    baskets_BL = np.cumsum(changes, axis=1)
    items = np.where(real_BL, histories.items[clipped], 0) if len(histories.items) else np.zeros_like(clipped)
    types = np.where(real_BL, histories.types[clipped], 0) if len(histories.items) else np.zeros_like(clipped)
    next_B = np.where(end > first, baskets_BL.max(axis=1) + 1, 0)
    history = History(
        items_BL=torch.from_numpy(items.astype(np.int64)),
        types_BL=torch.from_numpy(types.astype(np.int64)),
        times_BL=torch.from_numpy(times_BL.astype(np.int64)),
        baskets_BL=torch.from_numpy(baskets_BL.astype(np.int64)),
    )
    return history, torch.from_numpy(next_B.astype(np.int64)), np.where(real_BL, line_BL, -1)
