"""The second pass: what screening chose is replayed on the whole catalogue before anything is claimed."""

# B shoppers, K recommended products, D width, I products, V variants of a product's history, X variants of a shopper's,
# F distinct rows, R some of them, L lines.
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from explanations.methods.occlusion import REASONS
from explanations.methods.removal import Cases, only, states, without
from recommendations.ml.model import Recommender
from recommendations.ml.ranking import top

# The variants that are replayed for each product, in this order.
FULL, EMPTY = 0, 1
SINGLE = 2  # three: without E1, without E2, without E3
ONLY_SINGLE = 5  # three: only E1, only E2, only E3
PAIR, TRIPLE, ONLY_TRIPLE = 8, 9, 10  # without E1 E2; without E1 E2 E3; with nothing but them
OPPOSING = 11  # two: without O1, without O2
GROUP = 13  # without the category that carries most
VARIANTS = 14


class Replay(NamedTuple):
    """Exact values over all candidates: `score`, `log_p` and `rank` (from 1), each [B, K, V]."""

    score_BKV: Tensor
    log_p_BKV: Tensor
    rank_BKV: Tensor


def variants(cases: Cases, chosen_BK3: Tensor, opposing_BK2: Tensor, group_BKL: Tensor) -> Tensor:
    """[B, K, V, L] what each variant of a product's history leaves visible."""
    products = chosen_BK3.shape[1]
    real = cases.real_BL.unsqueeze(1).expand(-1, products, -1)
    one = [chosen_BK3[..., k : k + 1] for k in range(REASONS)]
    views = [real, torch.zeros_like(real)]
    views += [without(cases, unit) for unit in one]
    views += [only(cases, unit) for unit in one]
    views += [without(cases, chosen_BK3[..., :2]), without(cases, chosen_BK3), only(cases, chosen_BK3)]
    views += [without(cases, opposing_BK2[..., k : k + 1]) for k in range(2)]
    views += [real & ~group_BKL]
    return torch.stack(views, dim=2)


class Rows(NamedTuple):
    """The distinct histories among many variants: shopper, state, and which row each variant is."""

    owner_F: Tensor
    state_FD: Tensor
    row_BX: Tensor


@torch.inference_mode()
def distinct(model: Recommender, cases: Cases, visible_BXL: Tensor) -> Rows:
    """Plain masked forwards, each distinct variant of a shopper's history once."""
    batch, count, length = visible_BXL.shape
    random = torch.Generator().manual_seed(7)
    salt = torch.randint(-(2**62), 2**62, (length,), generator=random)
    key = (visible_BXL.long() * salt).sum(-1) * 1_000_003 + torch.arange(batch).view(-1, 1)
    _, row = torch.unique(key.reshape(-1), return_inverse=True)
    everywhere = torch.arange(len(row))
    first = torch.full((int(row.max()) + 1,), len(row)).scatter_reduce(0, row, everywhere, "amin")
    owner = first // count
    # Each shopper gets as many places as the one with most: a rectangle again, for one forward.
    order = torch.argsort(owner, stable=True)
    sizes = torch.bincount(owner, minlength=batch)
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order)) - (torch.cumsum(sizes, 0) - sizes)[owner[order]]
    visible_BRL = torch.zeros(batch, int(sizes.max()), length, dtype=torch.bool)
    visible_BRL[owner, place] = visible_BXL.reshape(-1, length)[first]
    state_BRD = states(model, cases, visible_BRL)
    return Rows(owner, state_BRD[owner, place], row.view(batch, count))


def candidate_scores(rows: Rows, chosen: slice, candidates_BI: Tensor, vectors_ID: Tensor, offset_I: Tensor) -> Tensor:
    """[R, I] scores of some rows; -inf outside the shopper's candidates.

    Candidates stay those of the full history: masking a purchase does not make its product eligible.
    """
    scores_RI = torch.nn.functional.linear(rows.state_FD[chosen], vectors_ID, offset_I)
    return scores_RI.masked_fill(~candidates_BI[rows.owner_F[chosen]], float("-inf"))


@torch.inference_mode()
def replay(
    model: Recommender,
    cases: Cases,
    visible_BKVL: Tensor,
    items_BK: Tensor,
    candidates_BI: Tensor,
    vectors_ID: Tensor,
    offset_I: Tensor,
    *,
    rows_at_once: int = 32,
) -> Replay:
    """Score, log p and rank of each product in each variant, over every candidate; ties rank by product number."""
    batch, products, count, _ = visible_BKVL.shape
    rows = distinct(model, cases, visible_BKVL.flatten(1, 2))
    cell_row = rows.row_BX.reshape(-1)
    cell_item = items_BK.repeat_interleave(count, dim=1).reshape(-1)
    by_row = torch.argsort(cell_row, stable=True)
    bounds = torch.searchsorted(cell_row[by_row], torch.arange(0, len(rows.owner_F) + rows_at_once, rows_at_once))
    score, log_p = torch.empty(len(cell_row)), torch.empty(len(cell_row))
    rank = torch.empty(len(cell_row), dtype=torch.int64)
    for step in range(len(bounds) - 1):
        first = step * rows_at_once
        scores_RI = candidate_scores(rows, slice(first, first + rows_at_once), candidates_BI, vectors_ID, offset_I)
        partition_R = torch.logsumexp(scores_RI, dim=1)
        asking = by_row[bounds[step] : bounds[step + 1]]
        row, item = cell_row[asking] - first, cell_item[asking]
        asked = scores_RI[row]
        own = asked.gather(1, item.unsqueeze(1))
        score[asking] = own.squeeze(1)
        log_p[asking] = own.squeeze(1) - partition_R[row]
        rank[asking] = 1 + _ahead(asked, own, item)
    shape = (batch, products, count)
    return Replay(score.view(shape), log_p.view(shape), rank.view(shape))


def _ahead(scores_XI: Tensor, own_X1: Tensor, item_X: Tensor) -> Tensor:
    """[X] how many products stand before each one. Ties, which are rare, are looked at again: the lower number wins."""
    scores, own = scores_XI.numpy(), own_X1.numpy()  # counting in numpy takes a fifth of torch's time
    higher = np.count_nonzero(scores > own, axis=1)
    for tied in np.flatnonzero(np.count_nonzero(scores >= own, axis=1) - higher > 1):
        higher[tied] += np.count_nonzero(scores[tied, : int(item_X[tied])] == own[tied])
    return torch.from_numpy(higher)


@torch.inference_mode()
def takers(
    model: Recommender,
    cases: Cases,
    visible_BKL: Tensor,
    candidates_BI: Tensor,
    vectors_ID: Tensor,
    offset_I: Tensor,
    *,
    rows_at_once: int = 256,
) -> Tensor:
    """[B, K]: in one variant for each product, the product that stands at the place (k + 1) it had, 0 for none."""
    batch, products, _ = visible_BKL.shape
    rows = distinct(model, cases, visible_BKL)
    ranked = torch.zeros(len(rows.owner_F), products, dtype=torch.int64)
    for first in range(0, len(rows.owner_F), rows_at_once):
        chosen = slice(first, first + rows_at_once)
        values, items = top(candidate_scores(rows, chosen, candidates_BI, vectors_ID, offset_I), products)
        ranked[chosen, : items.shape[1]] = items.masked_fill(values == float("-inf"), 0)
    place = torch.arange(products).expand(batch, -1)
    return ranked[rows.row_BX, place]
