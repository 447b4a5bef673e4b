"""A batch of shoppers in one placement, without the database: rank, screen, verify."""

# B shoppers, K recommended products, J columns (the products that may be ranked, 0 first), N leading ones, U units,
# V variants, D width.
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from explanations.methods import grouping, occlusion, pools
from explanations.methods.grouping import Groups, StrongestGroup
from explanations.methods.moving import Moving, smallest
from explanations.methods.occlusion import Screening
from explanations.methods.own import sight
from explanations.methods.partition import log_partition
from explanations.methods.pools import Pool
from explanations.methods.reading import Reading
from explanations.methods.removal import NOTHING, Cases
from explanations.methods.rows import distinct
from explanations.verification import (
    EMPTY,
    FULL,
    GROUP,
    LARGER,
    ONLY_SINGLE,
    OPPOSING,
    OTHER,
    REASONS_ALONE,
    REMOVED,
    SINGLE,
    Asked,
    Candidates,
    Replay,
    answered,
    holds,
    variants,
)
from recommendations.ml.model import Recommender
from recommendations.ml.ranking import in_order

# What a counterfactual removes: the unit that comes first, another one, two units, three, a group.
CHANGES = (SINGLE, OTHER, REMOVED, REMOVED + 1, LARGER)
PLAUSIBLE = 0.5  # of the floor: what screening finds below that does not reach it on the whole catalogue
LEADERS = 64


class Ranked(NamedTuple):
    """Everybody's best products: columns and scores, best first; -inf where there are no more."""

    candidates: Candidates
    column_BK: Tensor
    score_BK: Tensor
    log_p_BK: NDArray[np.float64]
    pool: Pool
    pool_BN: Tensor  # columns

    @property
    def exists_BK(self) -> Tensor:
        return self.score_BK > float("-inf")


@torch.inference_mode()
def ranked(state_BD: Tensor, candidates: Candidates, count: int) -> Ranked:
    """Ties by product number."""
    everybody = torch.arange(len(state_BD))
    all_BU = None if candidates.own is None else candidates.own.exists_BU
    scores_BJ = candidates.scores(state_BD, everybody, all_BU)
    order_BJ = pools.ordered(scores_BJ)
    column_BN = order_BJ[:, :LEADERS]
    score_BK, column_BK = in_order(scores_BJ.gather(1, column_BN), column_BN, count)
    pool, pool_BN = pools.sampled(scores_BJ, order_BJ, candidates.lot_I, candidates.vectors_ID, candidates.offset_I)
    return Ranked(
        candidates=candidates,
        column_BK=column_BK,
        score_BK=score_BK,
        log_p_BK=(score_BK - log_partition(scores_BJ).unsqueeze(1)).double().numpy(),
        pool=pool,
        pool_BN=pool_BN,
    )


class Screened(NamedTuple):
    screening: Screening
    group: StrongestGroup
    moving: Moving


@torch.inference_mode()
def screened(
    model: Recommender, cases: Cases, groups: Groups, found: Ranked, shared: Reading | None, *, shown: int
) -> Screened:
    """What may carry each of the first products."""
    column_BK = found.column_BK[:, :shown]
    vectors, offset = found.candidates.vectors_ID[column_BK], found.candidates.offset_I[column_BK]
    seen = sight(found.candidates.own, found.pool_BN, column_BK)
    screening = occlusion.screen(model, cases, found.pool, vectors, offset, shared, seen)
    group = grouping.strongest(model, cases, groups, found.pool, vectors, offset, shared, seen)
    moving = smallest(cases, groups, screening.chosen_BK3[..., 0], screening.rank_BUK, group.rank_BGK)
    return Screened(screening, group, moving)


class Verified(NamedTuple):
    """What holds on the whole catalogue.

    `change_BK`: the variant of the smallest change that moves the product away, -1 where none does; `taker_BK`: the
    column of the product that then stands in its place.
    """

    replay: Replay
    change_BK: Tensor
    taker_BK: Tensor


@torch.inference_mode()
def verified(
    model: Recommender, cases: Cases, found: Ranked, screen: Screened, shared: Reading | None, *, floor: float
) -> Verified:
    """1. What may become a claim: each reason alone, what speaks against. 2. Only where that leaves a question open:
    the group, where no reason holds, and another unit, two, three or a group, where the first moves nothing.
    """
    chosen_BK3, opposing_BK2 = screen.screening.chosen_BK3, screen.screening.opposing_BK2
    visible = variants(cases, screen.screening, screen.group.lines_BKL, screen.moving)
    batch, shown = chosen_BK3.shape[:2]
    column_BK, real_BK = found.column_BK[:, :shown], found.exists_BK[:, :shown]
    place_BK = torch.arange(1, shown + 1).expand(batch, -1)
    rows = distinct(model, cases, visible.flatten(1, 2), shared)

    reason_BK3 = (chosen_BK3 != NOTHING) & real_BK.unsqueeze(-1)
    against = screen.screening.delta_BUK.transpose(1, 2).gather(2, opposing_BK2.clamp(min=0))
    opposing_BK2 = (opposing_BK2 != NOTHING) & (against <= -PLAUSIBLE * floor) & real_BK.unsqueeze(-1)
    asked = Asked.nothing(visible.shape[:3])
    asked.log_p_BKV[..., FULL] = asked.rank_BKV[..., FULL] = asked.rank_BKV[..., EMPTY] = real_BK
    asked.log_p_BKV[..., REASONS_ALONE] = asked.rank_BKV[..., REASONS_ALONE] = reason_BK3
    asked.rank_BKV[..., ONLY_SINGLE : ONLY_SINGLE + 3] = reason_BK3
    asked.log_p_BKV[..., OPPOSING : OPPOSING + 2] = asked.rank_BKV[..., OPPOSING : OPPOSING + 2] = opposing_BK2
    asked.place_BKV[..., SINGLE] = place_BK
    first = answered(rows, column_BK, found.candidates, asked, found.pool_BN[:, :LEADERS])

    stays_BK = first.rank_BKV[..., SINGLE] <= first.rank_BKV[..., FULL]
    open_BK = ~holds(first, REASONS_ALONE, floor).any(-1) & (screen.group.group_BK != NOTHING) & real_BK
    asked = Asked.nothing(visible.shape[:3])
    stays_BK = stays_BK & real_BK
    asked.rank_BKV[..., OTHER] = is_other_BK = stays_BK & (screen.moving.unit_BK != NOTHING)
    tried_BK3 = (screen.screening.removed_BK3 != NOTHING) & (stays_BK & ~is_other_BK).unsqueeze(-1)
    asked.rank_BKV[..., REMOVED : REMOVED + 2] = tried_BK3[..., 1:]
    asked.rank_BKV[..., LARGER] = stays_BK & (screen.moving.category_BK > 0)
    asked.place_BKV[..., REMOVED : LARGER + 1] = place_BK.unsqueeze(-1)
    asked.log_p_BKV[..., GROUP] = asked.rank_BKV[..., GROUP] = open_BK
    second = answered(rows, column_BK, found.candidates, asked, found.pool_BN[:, :LEADERS])
    replay = Replay(
        first.score_BKV,
        torch.where(asked.log_p_BKV, second.log_p_BKV, first.log_p_BKV),
        torch.where(asked.rank_BKV, second.rank_BKV, first.rank_BKV),
        torch.where(asked.rank_BKV, second.taker_BKV, first.taker_BKV),
    )
    change_BK = smallest_change(replay)
    taker_BK = replay.taker_BKV.gather(2, change_BK.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return Verified(replay, change_BK, taker_BK)


def smallest_change(replayed: Replay) -> Tensor:
    """[B, K] the first of those changes that worsens the rank; -1 where none does."""
    rank = replayed.rank_BKV
    moved = torch.stack([rank[..., variant] > rank[..., FULL] for variant in CHANGES], dim=-1)
    first = torch.tensor(CHANGES)[moved.int().argmax(-1)]
    return torch.where(moved.any(-1), first, -1)
