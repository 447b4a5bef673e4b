"""Screening: which evidence units carry which recommendation, by leaving each out, and then sets of them."""

# B shoppers, K recommended products, U units, R rows, D width.
from typing import NamedTuple

import torch
from torch import Tensor

from explanations.methods.choosing import SHORT, SUFFICIENCY, TRIED, Worth, chosen, strongest_first
from explanations.methods.own import Sight, seen_units
from explanations.methods.pools import Pool, least_rank, log_p
from explanations.methods.reading import Reading
from explanations.methods.removal import NOTHING, Cases, states, without
from explanations.methods.tiles import filled
from recommendations.ml.model import Recommender


class Screening(NamedTuple):
    """`delta_BUK`: log p lost when a unit is left out, against the pool; -inf where there is no unit.

    `chosen_BK3`: units that are named together, the one whose removal costs most first, -1 where none helps.
    `removed_BK3`: units that are tried when it is asked what would move a product away, the same one first.
    `opposing_BK2`: units whose removal helps the product most, -1 where there is none.
    """

    delta_BUK: Tensor
    chosen_BK3: Tensor
    removed_BK3: Tensor
    opposing_BK2: Tensor
    rank_BUK: Tensor  # at least, when the unit is left out


class LeftOut(NamedTuple):
    """log p with everything and with nothing, and what of it is lost when a unit is left out, -inf where there is none.

    One pass answers for all K products, which enter only by the last dot product.
    """

    full_BK: Tensor
    empty_BK: Tensor
    delta_BUK: Tensor
    rank_BUK: Tensor


@torch.inference_mode()
def leave_one_out(
    model: Recommender,
    cases: Cases,
    pool: Pool,
    vectors_BKD: Tensor,
    offset_BK: Tensor,
    shared: Reading | None = None,
    sight: Sight | None = None,
) -> LeftOut:
    batch, units = cases.unit_item_BU.shape
    each_BU1 = torch.arange(units).view(1, -1, 1).expand(batch, -1, -1)
    visible = without(cases, torch.cat([torch.full((batch, 2, 1), NOTHING), each_BU1], dim=1))
    visible[:, 1] = False
    visible = filled(visible, 1)
    seen = None if sight is None else seen_units(cases, visible)
    state_BRD = states(model, cases, visible, shared)
    reached = log_p(state_BRD, pool, vectors_BKD, offset_BK, sight, seen)
    rank = least_rank(state_BRD, pool, vectors_BKD, offset_BK, sight, seen)
    lost = (reached[:, :1] - reached[:, 2 : 2 + units]).masked_fill(
        (cases.unit_item_BU == 0).unsqueeze(-1), float("-inf")
    )
    return LeftOut(reached[:, 0], reached[:, 1], lost, rank[:, 2 : 2 + units])


@torch.inference_mode()
def screen(
    model: Recommender,
    cases: Cases,
    pool: Pool,
    vectors_BKD: Tensor,
    offset_BK: Tensor,
    shared: Reading | None = None,
    sight: Sight | None = None,
    *,
    sufficiency: float = SUFFICIENCY,
    tried: int = TRIED,
    short: int = SHORT,
) -> Screening:
    """Leave out each unit, then choose what is named together."""
    left = leave_one_out(model, cases, pool, vectors_BKD, offset_BK, shared, sight)
    worth = Worth(model, cases, pool, vectors_BKD, offset_BK, shared, sight, left.full_BK, left.empty_BK, sufficiency)
    found = chosen(worth, left.delta_BUK, tried=tried, short=short)
    return Screening(
        left.delta_BUK,
        strongest_first(found.named_BK3, left.delta_BUK),
        found.removed_BK3,
        _opposing(cases, left.delta_BUK),
        left.rank_BUK,
    )


def _opposing(cases: Cases, delta_BUK: Tensor) -> Tensor:
    missing = (cases.unit_item_BU == 0).unsqueeze(-1)
    found = delta_BUK.masked_fill(missing, float("inf")).transpose(1, 2)
    values, indices = (part[..., :2] for part in torch.sort(found, dim=-1, stable=True))
    opposing = torch.where(values < 0, indices, NOTHING)
    return torch.nn.functional.pad(opposing, (0, 2 - opposing.shape[-1]), value=NOTHING)
