"""From arrays of findings to contracts: which reasons hold, and which cause is the true one."""

# B shoppers, K products, V variants.
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from explanations.contract import (
    Cause,
    Contract,
    Counterfactual,
    Reason,
    ReasonType,
    Shares,
    Split,
    Status,
    Strength,
    Target,
)
from explanations.evidence import Units
from explanations.explaining import Screened, Verified
from explanations.methods.grouping import Groups, Kind
from explanations.services import SHOWN
from explanations.splitting import BIAS, POPULARITY, SplitArrays
from explanations.verification import (
    CUT,
    EMPTY,
    FULL,
    GROUP,
    LARGER,
    ONLY_SINGLE,
    OPPOSING,
    OTHER,
    PAIR,
    REMOVED,
    SINGLE,
    TRIPLE,
)
from recommendations.models import Placement

if TYPE_CHECKING:
    from explanations.engine import Context

LEAST = math.log(1.05)  # what a reason costs at least, whatever the placebo floor
GROUP_TYPES = {
    Kind.CATEGORY: ReasonType.CATEGORY,
    Kind.BASKET: ReasonType.BASKET,
    Kind.ALIKE: ReasonType.ALIKE,
}
STEPS = (FULL, SINGLE, PAIR, TRIPLE)  # from everything to nothing but the rest
POPULAR_RANK = 50  # with an empty history, or within the first hundredth of a large catalogue


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """Everything that was computed of one placement for a batch of shoppers."""

    placement: Placement
    items_BK: Tensor
    groups: Groups
    screened: Screened
    verified: Verified
    holds_BK3: Tensor  # which reasons may be shown
    taker_BK: Tensor  # product numbers
    split: SplitArrays
    chances_BK: NDArray[np.float64]
    by_type: dict[str, NDArray[np.float64]]  # [B, K] each, by the code of the event type


def contracts(shared: "Context", found: Findings, units: list[Units]) -> list[tuple[Contract, ...]]:
    """The contracts of each shopper's products, as many as there are places; what is no candidate is nonsense."""
    replayed, screened = found.verified.replay, found.screened
    types = _by_product(found.by_type, found.items_BK.shape)
    general = found.split.part(BIAS) + found.split.part(POPULARITY)
    columns = zip(
        units,
        found.items_BK.tolist(),
        shared.model.bundle.product_ids[found.items_BK.numpy()].tolist(),
        replayed.score_BKV.tolist(),
        replayed.log_p_BKV.tolist(),
        replayed.rank_BKV.tolist(),
        found.holds_BK3.tolist(),
        screened.screening.chosen_BK3.tolist(),
        screened.screening.removed_BK3.tolist(),
        screened.screening.opposing_BK2.tolist(),
        screened.group.group_BK.tolist(),
        _groups(found.groups),
        screened.moving.unit_BK.tolist(),
        screened.moving.category_BK.tolist(),
        found.verified.change_BK.tolist(),
        found.taker_BK.tolist(),
        found.chances_BK.tolist(),
        types,
        general.tolist(),
        found.split.parts_PBK.transpose(1, 2, 0).tolist(),
        found.split.baseline_B.tolist(),
        strict=True,
    )
    return [_Row(shared, found, *row).contracts() for row in columns]


def _groups(groups: Groups) -> list[list[tuple[Kind, int, list[int]]]]:
    """[B][G] kind, key and lines."""
    count, size = groups.kind_BG.shape
    lines: list[list[list[int]]] = [[[] for _ in range(size)] for _ in range(count)]
    for row, group, line in groups.lines_BGL.nonzero().tolist():
        lines[row][group].append(line)
    columns = zip(groups.kind_BG.tolist(), groups.key_BG.tolist(), lines, strict=True)
    return [[(Kind(kind), key, own) for kind, key, own in zip(*row, strict=True)] for row in columns]


def _by_product(by_type: dict[str, NDArray[np.float64]], shape: Sequence[int]) -> list[list[dict[str, float]]]:
    """[B][K] code of the event type -> chance."""
    table = np.stack([*by_type.values()], axis=-1) if by_type else np.empty((*shape, 0))
    return [[dict(zip(by_type, chances, strict=True)) for chances in row] for row in table.tolist()]


class _Row(NamedTuple):
    """One shopper's findings as plain lists, by product."""

    shared: "Context"
    found: Findings
    own: Units
    items: list[int]
    ids: list[int]
    score: list[list[float]]
    log_p: list[list[float]]
    rank: list[list[int]]
    holds: list[list[bool]]
    chosen: list[list[int]]
    removed: list[list[int]]
    opposing: list[list[int]]
    group: list[int]
    groups: list[tuple[Kind, int, list[int]]]
    moving_unit: list[int]
    moving_category: list[int]
    change: list[int]
    taker: list[int]
    chances: list[float]
    by_type: list[dict[str, float]]
    general: list[float]
    parts: list[list[float]]
    baseline: float

    def contracts(self) -> tuple[Contract, ...]:
        count = sum(rank[FULL] > 0 for rank in self.rank)
        return tuple(self.contract(k, self.ids[k + 1] if k + 1 < count else None) for k in range(count))

    def contract(self, k: int, runner_up: int | None) -> Contract:
        reasons = [self._reason(k, unit, e) for e, unit in enumerate(self.chosen[k]) if unit >= 0]
        if self.group[k] >= 0 and not any(self.holds[k]):
            group = self._group(k)
            if group.is_verified:
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
            runner_up_id=runner_up,
        )
        return Contract(
            product_id=self.ids[k],
            cause=cause,
            status=status,
            target=target,
            reasons=tuple(reasons),
            opposing=self._against(k),
            split=self._split(k),
            shares=self._shares(k),
            counterfactual=self._counterfactual(k),
            chances=self.by_type[k],
        )

    def _id(self, item: int) -> int:
        return int(self.shared.model.bundle.product_ids[item])

    def _reason(self, k: int, unit: int, position: int) -> Reason:
        log_p, rank = self.log_p[k], self.rank[k]
        is_repeat = self.own.items[unit] == self.items[k]
        return Reason(
            type=ReasonType.REPEAT if is_repeat else ReasonType.INTERACTION,
            evidence=(self.own.evidence(unit),),
            delta=log_p[FULL] - log_p[SINGLE + position],
            rank_without=rank[SINGLE + position],
            rank_only=rank[ONLY_SINGLE + position],
            share=self._share(k, position),
            threshold=self.shared.floor,
            is_verified=self.holds[k][position],
            every_days=self.own.every_days(unit) if is_repeat else None,
        )

    def _share(self, k: int, position: int) -> float:
        return self.score[k][STEPS[position]] - self.score[k][STEPS[position + 1]]

    def _shares(self, k: int) -> Shares:
        """Nothing → the rest → +E3 → +E2 → +E1: exact steps, from rows that were replayed anyway."""
        score, count = self.score[k], sum(unit >= 0 for unit in self.chosen[k])
        steps = [score[variant] for variant in STEPS[: count + 1]]
        return Shares(
            nothing=score[EMPTY],
            rest=steps[-1] - score[EMPTY],
            reasons=tuple(more - less for more, less in itertools.pairwise(steps)),
        )

    def _group(self, k: int) -> Reason:
        kind, key, lines = self.groups[self.group[k]]
        members = self.own.evidence_of(lines)
        if kind is Kind.ALIKE:  # the one that the others are like comes first
            first = self._id(key)
            members.sort(key=lambda unit: unit.product_id != first)
        delta = self.log_p[k][FULL] - self.log_p[k][GROUP]
        return Reason(
            type=GROUP_TYPES[kind],
            evidence=tuple(members),
            category_id=key if kind is Kind.CATEGORY else None,
            delta=delta,
            rank_without=self.rank[k][GROUP],
            threshold=self.shared.floor,
            is_verified=delta >= self.shared.floor and (self.rank[k][GROUP] > self.rank[k][FULL] or delta >= CUT),
        )

    def _repeat(self, k: int) -> Reason:
        """The fact that it was bought before; not claimed to carry the recommendation."""
        unit = self.own.number_of(self.items[k])
        evidence = () if unit is None else (self.own.evidence(unit),)
        return Reason(
            type=ReasonType.REPEAT,
            evidence=evidence,
            delta=0.0,
            is_verified=False,
            every_days=None if unit is None else self.own.every_days(unit),
        )

    def _cause(self, k: int, reasons: list[Reason]) -> tuple[Cause, Status]:
        verified = [reason for reason in reasons if reason.is_verified]
        if verified:
            if verified[0].type is ReasonType.REPEAT:
                return Cause.BUY_AGAIN, Status.VERIFIED
            if verified[0].type in GROUP_TYPES.values():
                return Cause.HISTORY_GROUP, Status.VERIFIED
            return Cause.HISTORY, Status.VERIFIED
        if self.found.placement == Placement.BUY_AGAIN:
            return Cause.BUY_AGAIN, Status.FALLBACK
        if bool(self.shared.new_I[self.items[k]]):
            return Cause.NEW, Status.FALLBACK
        if self.general[k] > 0 and self.rank[k][EMPTY] <= max(POPULAR_RANK, self.shared.model.products // 100):
            return Cause.POPULAR, Status.FALLBACK
        return Cause.POPULAR, Status.WITHHELD

    def _against(self, k: int) -> tuple[Reason, ...]:
        result = []
        for position, unit in enumerate(self.opposing[k]):
            variant = OPPOSING + position
            delta = self.log_p[k][FULL] - self.log_p[k][variant]
            if not delta <= -self.shared.floor or self.rank[k][variant] > self.rank[k][FULL]:
                continue  # likelier, but behind what gains even more: "drops without it" would not speak against it
            result.append(
                Reason(
                    type=ReasonType.INTERACTION,
                    evidence=(self.own.evidence(unit),),
                    delta=delta,
                    rank_without=self.rank[k][variant],
                    threshold=self.shared.floor,
                    is_verified=True,
                )
            )
        return tuple(result)

    def _split(self, k: int) -> Split:
        parts = dict(zip(self.found.split.names, self.parts[k], strict=True))
        total = self.baseline + math.fsum(parts.values())
        return Split(baseline=self.baseline, parts=parts, residual=self.score[k][FULL] - total)

    def _counterfactual(self, k: int) -> Counterfactual | None:
        variant = self.change[k]
        if variant < 0 or not self.taker[k]:
            return None
        rank = self.rank[k][variant]
        return Counterfactual(
            strength=Strength.LEAVES_LIST if rank > SHOWN else Strength.LOSES_PLACE,
            removed=tuple(self._id(item) for item in self._removed(k, variant)),
            rank=rank,
            replacement_id=self._id(self.taker[k]),
            category_id=self.moving_category[k] if variant == LARGER else None,
        )

    def _removed(self, k: int, variant: int) -> list[int]:
        if variant == LARGER:
            return self._members(self.moving_category[k])
        if variant == OTHER:
            return [self.own.items[self.moving_unit[k]]]
        count = {SINGLE: 1, REMOVED: 2, REMOVED + 1: 3}[variant]
        return [self.own.items[unit] for unit in self.removed[k][:count] if unit >= 0]

    def _members(self, category_id: int) -> list[int]:
        """What the shopper has of a category, as product numbers."""
        category_ids = self.shared.model.bundle.category_ids
        return [item for item in self.own.items if category_ids[item] == category_id]
