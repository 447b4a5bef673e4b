"""From arrays of findings to contracts: which reasons hold, and which cause is the true one."""

# B shoppers, K products, V variants.
import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from explanations.contract import (
    Cause,
    Contract,
    Counterfactual,
    Evidence,
    Reason,
    ReasonType,
    Shares,
    Split,
    Status,
    Strength,
    Target,
)
from explanations.methods.grouping import StrongestGroup
from explanations.methods.occlusion import Screening
from explanations.methods.removal import Cases
from explanations.services import SHOWN
from explanations.splitting import SplitArrays
from explanations.verification import (
    EMPTY,
    FULL,
    GROUP,
    ONLY_SINGLE,
    OPPOSING,
    PAIR,
    SINGLE,
    TRIPLE,
    Replay,
)
from recommendations.inference import ShopperLines
from recommendations.ml.bundle import Bundle
from recommendations.models import Placement

if TYPE_CHECKING:
    from explanations.engine import Context

CITED = 12  # interactions of one unit that a contract names, the latest
LEAST = math.log(1.05)  # what a reason costs at least, whatever the placebo floor
POPULAR_RANK = 50  # with an empty history, or within the first hundredth of a large catalogue
CHANGES = (SINGLE, PAIR, TRIPLE)  # by size
CUT = math.log(1 / 0.9)  # a tenth of the probability
DAY = 86_400


@dataclass(frozen=True, kw_only=True, slots=True)
class Units:
    """A shopper's evidence units by number, and the number of the unit of each product of the model."""

    evidence: list[Evidence]
    every_days: list[int | None]  # median days between the times of a unit
    by_item: dict[int, int]
    items: list[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """Everything that was computed of one placement for a batch of shoppers."""

    placement: Placement
    items_BK: Tensor
    screening: Screening
    group: StrongestGroup
    replay: Replay
    change_BK: Tensor  # the variant of the smallest change that moves the product away, -1 where none does
    taker_BK: Tensor
    split: SplitArrays
    chances_BK: NDArray[np.float64]


def smallest_change(replayed: Replay) -> Tensor:
    """[B, K] the first of E1, E1 E2, E1 E2 E3 whose removal worsens the rank; -1 where none does."""
    rank = replayed.rank_BKV
    moved = torch.stack([rank[..., variant] > rank[..., FULL] for variant in CHANGES], dim=-1)
    first = torch.tensor(CHANGES)[moved.int().argmax(-1)]
    return torch.where(moved.any(-1), first, -1)


def units(cases: Cases, lines: ShopperLines, bundle: Bundle, codes: dict[int, str]) -> list[Units]:
    """What each unit may cite: the shopper's own interactions, found by the line they belong to."""
    order = np.argsort(lines.line, kind="stable")
    ids = lines.interaction_ids[order]
    bounds = np.searchsorted(lines.line[order], np.arange(len(lines.histories.items) + 1))
    result = []
    unit_BL, unit_items = cases.unit_BL.numpy(), cases.unit_item_BU.tolist()
    times_BL, types_BL = cases.history.times_BL.tolist(), cases.history.types_BL.tolist()
    for row, numbers in enumerate(unit_BL):
        grouped: dict[int, list[int]] = {}
        for position in np.flatnonzero(numbers >= 0).tolist():
            grouped.setdefault(int(numbers[position]), []).append(position)
        evidence, every = [], []
        for number in range(len(grouped)):
            places = grouped[number]
            cited = [i for p in places for i in _ids(ids, bounds, cases.lines_BL[row, p])]
            moments = [times_BL[row][p] for p in places]
            gaps = sorted(later - earlier for earlier, later in itertools.pairwise(moments))
            evidence.append(
                Evidence(
                    product_id=int(bundle.product_ids[unit_items[row][number]]),
                    interaction_ids=tuple(cited[-CITED:]),
                    event_type=codes[int(bundle.event_type_ids[types_BL[row][places[-1]]])],
                    times=len(places),
                    last_at=moments[-1],
                )
            )
            every.append(max(1, round(gaps[len(gaps) // 2] / DAY)) if gaps else None)
        items = unit_items[row][: len(grouped)]
        result.append(
            Units(evidence=evidence, every_days=every, by_item={i: n for n, i in enumerate(items)}, items=items)
        )
    return result


def _ids(ids: NDArray[np.int64], bounds: NDArray[np.int64], line: np.int64) -> list[int]:
    found: list[int] = ids[bounds[line] : bounds[line + 1]].tolist()
    return found


def contracts(shared: "Context", found: Findings, own: Units, row: int, count: int) -> tuple[Contract, ...]:
    """The contracts of one shopper's first `count` products."""
    items = found.items_BK[row].tolist()
    one = _Row(
        shared=shared,
        found=found,
        own=own,
        items=items,
        score=found.replay.score_BKV[row].tolist(),
        log_p=found.replay.log_p_BKV[row].tolist(),
        rank=found.replay.rank_BKV[row].tolist(),
        chosen=found.screening.chosen_BK3[row].tolist(),
        opposing=found.screening.opposing_BK2[row].tolist(),
        category=found.group.category_BK[row].tolist(),
        change=found.change_BK[row].tolist(),
        taker=found.taker_BK[row].tolist(),
        chances=found.chances_BK[row].tolist(),
        parts=found.split.parts_PBK[:, row].tolist(),
        baseline=float(found.split.baseline_B[row]),
    )
    return tuple(one.contract(k, items[k + 1] if k + 1 < count else 0) for k in range(count))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """One shopper's findings as plain lists, by product."""

    shared: "Context"
    found: Findings
    own: Units
    items: list[int]
    score: list[list[float]]
    log_p: list[list[float]]
    rank: list[list[int]]
    chosen: list[list[int]]
    opposing: list[list[int]]
    category: list[int]
    change: list[int]
    taker: list[int]
    chances: list[float]
    parts: list[list[float]]
    baseline: float

    def contract(self, k: int, runner_up: int) -> Contract:
        product = self._id(self.items[k])
        reasons = [self._reason(k, unit, e) for e, unit in enumerate(self.chosen[k]) if unit >= 0]
        group = self._group(k)
        if group is not None and not any(reason.is_verified for reason in reasons) and group.is_verified:
            reasons.append(group)
        cause, status = self._cause(k, reasons)
        if cause is Cause.BUY_AGAIN and status is Status.FALLBACK:
            reasons.append(self._repeat(k))
        target = Target(
            score=self.score[k][FULL],
            log_probability=self.log_p[k][FULL],
            probability=self.chances[k],
            rank=self.rank[k][FULL],
            empty_rank=self.rank[k][EMPTY],
            runner_up_id=self._id(runner_up) if runner_up else None,
        )
        return Contract(
            product_id=product,
            cause=cause,
            status=status,
            target=target,
            reasons=tuple(reasons),
            opposing=self._against(k),
            split=self._split(k),
            shares=self._shares(k),
            counterfactual=self._counterfactual(k),
        )

    def _id(self, item: int) -> int:
        return int(self.shared.model.bundle.product_ids[item])

    def _holds(self, k: int, delta: float, variant: int) -> bool:
        """A reason may be shown: it reaches the floor, and costs a rank or a tenth of the probability."""
        worsens = self.rank[k][variant] > self.rank[k][FULL] or delta >= CUT
        return delta >= self.shared.floor and worsens

    def _reason(self, k: int, unit: int, position: int) -> Reason:
        delta = self.log_p[k][FULL] - self.log_p[k][SINGLE + position]
        is_repeat = self.own.items[unit] == self.items[k]
        return Reason(
            type=ReasonType.REPEAT if is_repeat else ReasonType.INTERACTION,
            evidence=(self.own.evidence[unit],),
            delta=delta,
            rank_without=self.rank[k][SINGLE + position],
            rank_only=self.rank[k][ONLY_SINGLE + position],
            share=self._share(k, position),
            threshold=self.shared.floor,
            is_verified=self._holds(k, delta, SINGLE + position),
            every_days=self.own.every_days[unit] if is_repeat else None,
        )

    def _share(self, k: int, position: int) -> float:
        steps = (FULL, SINGLE, PAIR, TRIPLE)
        return self.score[k][steps[position]] - self.score[k][steps[position + 1]]

    def _shares(self, k: int) -> Shares:
        """Nothing → the rest → +E3 → +E2 → +E1: exact steps, from rows that were replayed anyway."""
        count = sum(unit >= 0 for unit in self.chosen[k])
        last = (FULL, SINGLE, PAIR, TRIPLE)[count]
        return Shares(
            nothing=self.score[k][EMPTY],
            rest=self.score[k][last] - self.score[k][EMPTY],
            reasons=tuple(self._share(k, position) for position in range(count)),
        )

    def _group(self, k: int) -> Reason | None:
        category = self.category[k]
        if not category:
            return None
        members = [
            self.own.evidence[unit]
            for unit, item in enumerate(self.own.items)
            if self.shared.model.bundle.category_ids[item] == category
        ]
        delta = self.log_p[k][FULL] - self.log_p[k][GROUP]
        return Reason(
            type=ReasonType.CATEGORY,
            evidence=tuple(members),
            category_id=category,
            delta=delta,
            rank_without=self.rank[k][GROUP],
            threshold=self.shared.floor,
            is_verified=self._holds(k, delta, GROUP),
        )

    def _repeat(self, k: int) -> Reason:
        """The fact that it was bought before; not claimed to carry the recommendation."""
        unit = self.own.by_item.get(self.items[k])
        evidence = () if unit is None else (self.own.evidence[unit],)
        return Reason(
            type=ReasonType.REPEAT,
            evidence=evidence,
            delta=0.0,
            is_verified=False,
            every_days=None if unit is None else self.own.every_days[unit],
        )

    def _cause(self, k: int, reasons: list[Reason]) -> tuple[Cause, Status]:
        verified = [reason for reason in reasons if reason.is_verified]
        if verified:
            if verified[0].type is ReasonType.REPEAT:
                return Cause.BUY_AGAIN, Status.VERIFIED
            if verified[0].type is ReasonType.CATEGORY:
                return Cause.HISTORY_GROUP, Status.VERIFIED
            return Cause.HISTORY, Status.VERIFIED
        if self.found.placement == Placement.BUY_AGAIN:
            return Cause.BUY_AGAIN, Status.FALLBACK
        if bool(self.shared.new_I[self.items[k]]):
            return Cause.NEW, Status.FALLBACK
        general = self.parts[-1][k] + self.parts[-2][k]  # bias and recent popularity
        if general > 0 and self.rank[k][EMPTY] <= max(POPULAR_RANK, self.shared.model.products // 100):
            return Cause.POPULAR, Status.FALLBACK
        return Cause.POPULAR, Status.WITHHELD

    def _against(self, k: int) -> tuple[Reason, ...]:
        result = []
        for position, unit in enumerate(self.opposing[k]):
            variant = OPPOSING + position
            delta = self.log_p[k][FULL] - self.log_p[k][variant]
            if unit < 0 or delta > -self.shared.floor:
                continue
            result.append(
                Reason(
                    type=ReasonType.INTERACTION,
                    evidence=(self.own.evidence[unit],),
                    delta=delta,
                    rank_without=self.rank[k][variant],
                    threshold=self.shared.floor,
                    is_verified=True,
                )
            )
        return tuple(result)

    def _split(self, k: int) -> Split:
        parts = {name: part[k] for name, part in zip(self.found.split.names, self.parts, strict=True)}
        total = self.baseline + math.fsum(parts.values())
        return Split(baseline=self.baseline, parts=parts, residual=self.score[k][FULL] - total)

    def _counterfactual(self, k: int) -> Counterfactual | None:
        variant = self.change[k]
        if variant < 0 or not self.taker[k]:
            return None
        size = CHANGES.index(variant) + 1
        rank = self.rank[k][variant]
        return Counterfactual(
            strength=Strength.LEAVES_LIST if rank > SHOWN else Strength.LOSES_PLACE,
            removed=tuple(self._id(self.own.items[unit]) for unit in self.chosen[k][:size] if unit >= 0),
            rank=rank,
            replacement_id=self._id(self.taker[k]),
        )
