"""What each shopper's recommendations compete with while screening: a few candidates stand for the whole catalogue."""

# B shoppers, K recommended products, U units, R rows, J products of the pool, I products, D width.
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from explanations.methods.own import Sight
from explanations.methods.partition import log_partition

SIZE = 192  # at most; so many candidates or fewer are all taken
CLEARLY = 1e-5  # of a score: not by rounding alone
HEAD = 24  # the strongest, more than are explained, stand for themselves; at rank r there is one of r / HEAD


class Pool(NamedTuple):
    """Some candidates of each shopper, the strongest first."""

    vectors_BJD: Tensor
    # What does not depend on the history: bias, popularity, and the logarithm of how many candidates each one stands
    # for; -inf where there are fewer.
    offset_BJ: Tensor


def lots(numbers: Tensor) -> Tensor:
    """[I] a number from 0 to 1 for each product, evenly spread, that stays its own."""
    mixed = numbers.long() * 0x9E3779B1 & 0xFFFFFFFF
    for shift in (16, 13, 16):  # the finish of MurmurHash3
        mixed = ((mixed ^ (mixed >> shift)) * 0x85EBCA6B) & 0xFFFFFFFF
    return (mixed.double() / 2**32).float()


def ordered(scores_BI: Tensor) -> Tensor:
    """[B, I] numbers, best first; ties by number.

    Each score's bits, as a whole number that rises as the score falls, before its number: sorting those is quicker than
    asking for the order, and leaves no tie open.
    """
    bits_BI = (np.float32(0) - scores_BI.numpy()).view(np.int32)
    bits_BI ^= (bits_BI >> 31) & np.int32(0x7FFFFFFF)
    key_BI = bits_BI.astype(np.int64) << 32 | np.arange(bits_BI.shape[1])
    key_BI.sort(axis=1)
    return torch.from_numpy(key_BI & 0xFFFFFFFF)


def sampled(
    scores_BI: Tensor, order_BI: Tensor, lot_I: Tensor, vectors_ID: Tensor, offset_I: Tensor
) -> tuple[Pool, Tensor]:
    """The pool, and the numbers [B, J] of its products, 0 where there are fewer.

    1. The strongest alone would leave out most of what rises when a purchase is masked. So from all ranks some are
       taken, the fewer the further down, each for as many as it stands for.
    2. Who is taken is drawn by lot, once and for all: a history that is a little different meets the same ones.
    """
    batch, columns = order_BI.shape
    rank_I = np.arange(1, columns + 1)
    share_I = np.minimum(1.0, HEAD / rank_I).astype(np.float32)
    counts_B1 = (scores_BI > float("-inf")).sum(1, keepdim=True).numpy()
    taken_BI = (lot_I.numpy()[order_BI.numpy()] < share_I) | (counts_B1 <= SIZE)
    taken_BI &= rank_I <= counts_B1
    place_BI = np.cumsum(taken_BI, axis=1)
    row, rank = np.nonzero(taken_BI & (place_BI <= SIZE))
    width = min(SIZE, columns)
    number_BJ, standing_BJ = torch.zeros(batch, width, dtype=torch.int64), torch.full((batch, width), float("-inf"))
    place = place_BI[row, rank] - 1
    number_BJ[row, place] = order_BI[row, rank]
    stands_for = np.where(counts_B1[row, 0] <= SIZE, 0.0, -np.log(share_I[rank])).astype(np.float32)
    standing_BJ[row, place] = torch.from_numpy(stands_for)
    offset_BJ = offset_I[number_BJ].masked_fill(standing_BJ == float("-inf"), 0.0) + standing_BJ
    return Pool(vectors_ID[number_BJ], offset_BJ), number_BJ


def pool(scores_BI: Tensor, vectors_ID: Tensor, offset_I: Tensor) -> Pool:
    return sampled(scores_BI, ordered(scores_BI), lots(torch.arange(len(offset_I))), vectors_ID, offset_I)[0]


def log_p(
    state_BRD: Tensor,
    candidates: Pool,
    vectors_BKD: Tensor,
    offset_BK: Tensor,
    sight: Sight | None = None,
    seen_BRU: Tensor | None = None,
) -> Tensor:
    """[B, R, K] log-softmax of K products over the pool; with what their own units add, in rows that see them."""
    logits_BRJ, scores_BRK = _scores(state_BRD, candidates, vectors_BKD, offset_BK, sight, seen_BRU)
    return scores_BRK - log_partition(logits_BRJ).unsqueeze(-1)


def least_rank(
    state_BRD: Tensor,
    candidates: Pool,
    vectors_BKD: Tensor,
    offset_BK: Tensor,
    sight: Sight | None = None,
    seen_BRU: Tensor | None = None,
) -> Tensor:
    """[B, R, K] the rank of K products among the strongest of the pool alone: among all it is this or worse."""
    strongest = Pool(candidates.vectors_BJD[:, :HEAD], candidates.offset_BJ[:, :HEAD])
    if sight is not None:
        sight = sight._replace(pool_BU=sight.pool_BU.masked_fill(sight.pool_BU >= HEAD, -1))
    logits_BRJ, scores_BRK = _scores(state_BRD, strongest, vectors_BKD, offset_BK, sight, seen_BRU)
    return 1 + (logits_BRJ.unsqueeze(2) > scores_BRK.unsqueeze(3) + CLEARLY).sum(3)


def _scores(
    state_BRD: Tensor,
    candidates: Pool,
    vectors_BKD: Tensor,
    offset_BK: Tensor,
    sight: Sight | None,
    seen_BRU: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """[B, R, J] of the pool and [B, R, K] of some products."""
    similar_BRJ, similar_BRK = state_BRD @ candidates.vectors_BJD.mT, state_BRD @ vectors_BKD.mT
    logits_BRJ = similar_BRJ + candidates.offset_BJ.unsqueeze(1)
    scores_BRK = similar_BRK + offset_BK.unsqueeze(1)
    if sight is not None and seen_BRU is not None:
        owner_X = torch.arange(len(state_BRD)).repeat_interleave(state_BRD.shape[1])
        added = sight.own.added(state_BRD.flatten(0, 1), owner_X, seen_BRU.flatten(0, 1)).view(seen_BRU.shape)
        place = sight.pool_BU.unsqueeze(1)
        place_BRU = place.clamp(min=0).expand_as(added)
        added_BRU = added + sight.own.term.doubted(similar_BRJ.gather(2, place_BRU)) * seen_BRU
        logits_BRJ = logits_BRJ.scatter_add(2, place_BRU, added_BRU * (place >= 0))
        scores_BRK = scores_BRK + sight.own.part(added, seen_BRU, similar_BRK, sight.shown_BK)
    return logits_BRJ, scores_BRK
