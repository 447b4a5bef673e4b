"""The second pass: what screening chose is replayed on the whole catalogue before anything is claimed."""

# B shoppers, K recommended products, D width, I products, N leading ones, V variants of a product's history,
# F distinct rows, A questions, L lines.
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from explanations.methods import partition, pools
from explanations.methods.choosing import REASONS
from explanations.methods.moving import Moving
from explanations.methods.occlusion import Screening
from explanations.methods.own import Own, shown_units
from explanations.methods.partition import Floats, Numbers
from explanations.methods.reading import Reading
from explanations.methods.removal import Cases, only, without
from explanations.methods.rows import Rows, distinct
from explanations.methods.tiles import TILE, filled
from recommendations.ml.model import Recommender

# The variants that are replayed for each product, in this order.
FULL, EMPTY = 0, 1
SINGLE = 2  # three: without E1, without E2, without E3
ONLY_SINGLE = 5  # three: only E1, only E2, only E3
PAIR, TRIPLE = 8, 9  # without E1 E2; without E1 E2 E3
OPPOSING = 10  # two: without O1, without O2
GROUP = 12  # without the category that carries most
REMOVED = 13  # two: without the first two, the first three of those whose removal is tried together
OTHER = 15  # without the single unit that moves the product, where the first one does not
LARGER = 16  # without the group that does
VARIANTS = 17
REASONS_ALONE = slice(SINGLE, SINGLE + REASONS)
CUT = math.log(1 / 0.9)  # a tenth of the probability
AT_ONCE = 32  # rows
FEW = 4  # barred products are written one by one while they are fewer than this share of all

Flags = NDArray[np.bool_]


class Candidates(NamedTuple):
    """What each shopper's products are ranked among: those of the full history, whatever is masked.

    Masking a purchase does not make its product eligible. Product 0 is padding: its offset is -inf.
    """

    vectors_ID: Tensor
    offset_I: Tensor
    eligible_BI: Tensor
    barred_BX: Tensor | None  # the others, padded with 0; None where they are many
    own: Own | None  # what products that are units of the shopper's history get for that
    lot_I: Tensor  # by which some are drawn to stand for all of them

    @classmethod
    def of(
        cls,
        eligible_BI: Tensor,
        vectors_ID: Tensor,
        offset_I: Tensor,
        own: Own | None = None,
        number_I: Tensor | None = None,
    ) -> "Candidates":
        """`number_I`: the product of each column, where that is not the column's own number."""
        lot_I = pools.lots(torch.arange(len(offset_I)) if number_I is None else number_I)
        offset_I = offset_I.clone()
        offset_I[0] = float("-inf")
        counts_B = (~eligible_BI).sum(1)
        most = int(counts_B.max())
        if most > eligible_BI.shape[1] / FEW:
            return cls(vectors_ID, offset_I, eligible_BI, None, own, lot_I)
        owner, item = torch.nonzero(~eligible_BI, as_tuple=True)
        barred_BX = torch.zeros(len(eligible_BI), most, dtype=torch.int64)
        barred_BX[owner, torch.arange(len(owner)) - (torch.cumsum(counts_B, 0) - counts_B)[owner]] = item
        return cls(vectors_ID, offset_I, eligible_BI, barred_BX, own, lot_I)

    def scores(
        self, state_RD: Tensor, owner_R: Tensor, seen_RU: Tensor | None = None, out: Tensor | None = None
    ) -> Tensor:
        """[R, I]: -inf for what is not a candidate. `seen_RU`: the units that each row sees."""
        scores_RI = torch.addmm(self.offset_I, filled(state_RD), self.vectors_ID.T, out=out)[: len(state_RD)]
        if self.own is not None and seen_RU is not None:
            column_RU, added_RU = self.own.column_BU[owner_R], self.own.added(state_RD, owner_R, seen_RU)
            similar_RU = scores_RI.gather(1, column_RU) - self.offset_I[column_RU]
            doubted_RU = self.own.term.doubted(similar_RU.where(column_RU > 0, 0))  # the offset of padding is no number
            scores_RI.scatter_add_(1, column_RU, added_RU + doubted_RU * seen_RU)
        if self.barred_BX is None:
            return scores_RI.masked_fill_(~self.eligible_BI[owner_R], float("-inf"))
        return scores_RI.scatter_(1, self.barred_BX[owner_R], float("-inf"))

    @torch.inference_mode()
    def own_part(
        self, state_BRD: Tensor, items_BK: Tensor, seen_BRU: Tensor | None = None, similar_BRK: Tensor | None = None
    ) -> Tensor | None:
        """[B, R, K], or [B, K] of one row that sees all: what products get for being units of the history.

        `similar_BRK`: their h·v, where it is known already.
        """
        if self.own is None:
            return None
        seen = self.own.exists_BU.unsqueeze(1) if seen_BRU is None else seen_BRU
        owner_X = torch.arange(len(state_BRD)).repeat_interleave(state_BRD.shape[1])
        added_BRU = self.own.added(state_BRD.flatten(0, 1), owner_X, seen.flatten(0, 1)).view(seen.shape)
        if similar_BRK is None:
            similar_BRK = state_BRD @ self.vectors_ID[items_BK].mT
        part_BRK = self.own.part(added_BRU, seen, similar_BRK, shown_units(self.own, items_BK))
        return part_BRK[:, 0] if seen_BRU is None else part_BRK


class Replay(NamedTuple):
    """Exact values over all candidates, [B, K, V] each: `score`; `log_p`, nan where it was not asked for; `rank` from
    1, 0 where it was not asked for; `taker`, the product that takes the place that the product loses, or 0.
    """

    score_BKV: Tensor
    log_p_BKV: Tensor
    rank_BKV: Tensor
    taker_BKV: Tensor


class Asked(NamedTuple):
    """What is wanted of each variant, [B, K, V] each: how probable the product is, which rank it has, and who takes
    its place (0: nobody asks) if it falls behind it.
    """

    log_p_BKV: Tensor
    rank_BKV: Tensor
    place_BKV: Tensor

    @classmethod
    def nothing(cls, shape: tuple[int, ...]) -> "Asked":
        no = torch.zeros(shape, dtype=torch.bool)
        return cls(no, no.clone(), torch.zeros(shape, dtype=torch.int64))

    @classmethod
    def everything(cls, shape: tuple[int, ...]) -> "Asked":
        yes = torch.ones(shape, dtype=torch.bool)
        return cls(yes, yes, torch.zeros(shape, dtype=torch.int64))


def holds(replayed: Replay, variants: slice, floor: float) -> Tensor:
    """Whether a reason may be shown: it reaches the floor, and costs a rank or a tenth of the probability."""
    delta = replayed.log_p_BKV[..., FULL].unsqueeze(-1) - replayed.log_p_BKV[..., variants]
    worse = replayed.rank_BKV[..., variants] > replayed.rank_BKV[..., FULL].unsqueeze(-1)
    return (delta >= floor) & (worse | (delta >= CUT))


def variants(cases: Cases, found: Screening, group_BKL: Tensor, moving: Moving) -> Tensor:
    """[B, K, V, L] what each variant of a product's history leaves visible."""
    chosen_BK3, removed_BK3, opposing_BK2 = found.chosen_BK3, found.removed_BK3, found.opposing_BK2
    products = chosen_BK3.shape[1]
    real = cases.real_BL.unsqueeze(1).expand(-1, products, -1)
    one = [chosen_BK3[..., k : k + 1] for k in range(REASONS)]
    views = [real, torch.zeros_like(real)]
    views += [without(cases, unit) for unit in one]
    views += [only(cases, unit) for unit in one]
    views += [without(cases, chosen_BK3[..., :2]), without(cases, chosen_BK3)]
    views += [without(cases, opposing_BK2[..., k : k + 1]) for k in range(2)]
    views += [real & ~group_BKL]
    views += [without(cases, removed_BK3[..., :2]), without(cases, removed_BK3)]
    views += [without(cases, moving.unit_BK.unsqueeze(-1)), real & ~moving.lines_BKL]
    return torch.stack(views, dim=2)


@torch.inference_mode()
def replay(
    model: Recommender,
    cases: Cases,
    visible_BKVL: Tensor,
    items_BK: Tensor,
    candidates: Candidates,
    *,
    asked: Asked | None = None,
    leaders_BN: Tensor | None = None,
    shared: Reading | None = None,
    tile: int = AT_ONCE,
) -> Replay:
    """Score, log p and rank of each product in each variant, over every candidate; ties rank by product number.

    `leaders_BN`, where takers are asked for: products that lead each shopper's ranking, more than there are places.
    """
    shape = visible_BKVL.shape[:3]
    rows = distinct(model, cases, visible_BKVL.flatten(1, 2), shared)
    return answered(rows, items_BK, candidates, asked or Asked.everything(shape), leaders_BN, tile=tile)


@torch.inference_mode()
def answered(
    rows: Rows,
    items_BK: Tensor,
    candidates: Candidates,
    asked: Asked,
    leaders_BN: Tensor | None = None,
    *,
    tile: int = AT_ONCE,
) -> Replay:
    """Scores need no catalogue; each row of which more is asked is scored over it once."""
    batch, products, count = asked.rank_BKV.shape
    vectors_BKD, offset_BK = candidates.vectors_ID[items_BK], candidates.offset_I[items_BK]
    similar_BRK = rows.state_BRD @ vectors_BKD.mT
    scores_BRK = similar_BRK + offset_BK.unsqueeze(1)
    part_BRK = candidates.own_part(rows.state_BRD, items_BK, rows.seen_BRU, similar_BRK)
    if part_BRK is not None:
        scores_BRK = scores_BRK + part_BRK
    place_BKV = rows.place_F[rows.row_BX].view(batch, products, count)
    score_BKV = scores_BRK.transpose(1, 2).gather(2, place_BKV)

    row, item = rows.row_BX.reshape(-1).numpy(), items_BK.repeat_interleave(count, dim=1).reshape(-1).numpy()
    weighed, ranked = asked.log_p_BKV.reshape(-1).numpy(), asked.rank_BKV.reshape(-1).numpy()
    place = asked.place_BKV.reshape(-1).numpy()
    log_p, rank, taker = np.full(row.shape, np.nan, np.float32), np.zeros_like(row), np.zeros_like(row)
    for tile_T, asking, scores_TI in _tiles(rows, candidates, row, weighed, weighed | ranked, tile):
        at, own_A = np.searchsorted(tile_T, row[asking]), item[asking]
        own = scores_TI[at, own_A].copy()
        some = ranked[asking]
        rank[asking[some]] = partition.ranks(scores_TI, at[some], own_A[some])
        falls = (place[asking] > 0) & (rank[asking] > place[asking])
        if leaders_BN is not None and falls.any():
            leaders_TN = leaders_BN[rows.owner_F[tile_T]].numpy()
            taker[asking[falls]] = partition.holders(scores_TI, leaders_TN, at[falls], place[asking][falls])
        if weighed[asking].any():
            log_p[asking] = np.where(weighed[asking], own - partition.exhausted(scores_TI)[at], np.nan)
    shape = (batch, products, count)
    return Replay(
        score_BKV,
        torch.from_numpy(log_p).view(shape),
        torch.from_numpy(rank).view(shape),
        torch.from_numpy(taker).view(shape),
    )


def _tiles(
    rows: Rows, candidates: Candidates, row_A: Numbers, weighed_A: Flags, asked_A: Flags, tile: int
) -> Iterator[tuple[Numbers, Numbers, Floats]]:
    """(rows, what is asked of them, their scores [T, I]), again and again in one piece of memory that stays cached.

    Rows whose scores are to be summed come first: the others need not pay for it.
    """
    weighed_F, asked_F = np.zeros(len(rows.owner_F), bool), np.zeros(len(rows.owner_F), bool)
    weighed_F[row_A[weighed_A]], asked_F[row_A[asked_A]] = True, True
    order = np.concatenate([np.flatnonzero(weighed_F), np.flatnonzero(asked_F & ~weighed_F)])
    turn_F = np.full(len(asked_F), len(order))
    turn_F[order] = np.arange(len(order))
    asking = np.flatnonzero(asked_A)
    asking = asking[np.argsort(turn_F[row_A[asking]], kind="stable")]
    bounds = np.searchsorted(turn_F[row_A[asking]], np.arange(0, len(order) + tile, tile))
    state_FD = rows.state_BRD[rows.owner_F, rows.place_F]
    height = max(tile, TILE)
    state_TD, owner_T = torch.zeros(height, state_FD.shape[1]), torch.zeros(height, dtype=torch.int64)
    scores_TI = torch.empty(height, len(candidates.vectors_ID))
    seen_FU = None if rows.seen_BRU is None else rows.seen_BRU[rows.owner_F, rows.place_F]
    seen_TU = None if seen_FU is None else torch.zeros(height, seen_FU.shape[1], dtype=torch.bool)
    for step, first in enumerate(range(0, len(order), tile)):
        chosen = np.sort(order[first : first + tile])
        state_TD[: len(chosen)], owner_T[: len(chosen)] = state_FD[chosen], rows.owner_F[chosen]
        if seen_FU is not None and seen_TU is not None:
            seen_TU[: len(chosen)] = seen_FU[chosen]
        candidates.scores(state_TD, owner_T, seen_TU, out=scores_TI)
        yield chosen, asking[bounds[step] : bounds[step + 1]], scores_TI.numpy()[: len(chosen)]
