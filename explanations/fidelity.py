"""Faithfulness: what really happens to a recommendation when its reasons go, and when nothing else stays."""

# B shoppers, K products, S units of a set, I products of the catalogue.
from typing import NamedTuple

import torch
from torch import Tensor

from explanations.methods.own import own
from explanations.methods.removal import NOTHING, Cases, only, read, without
from explanations.verification import Asked, Candidates, replay
from recommendations.ml.model import Recommender


class Fidelity(NamedTuple):
    """DEL and INS [B, K]: f(x∖E)/f(x) and f(x∩E)/f(x), f the softmax over the candidates."""

    deletion_BK: Tensor
    insertion_BK: Tensor


@torch.inference_mode()
def measure(
    model: Recommender,
    cases: Cases,
    sets_BKS: Tensor,
    items_BK: Tensor,
    candidates_BI: Tensor,
    vectors_ID: Tensor,
    offset_I: Tensor,
) -> Fidelity:
    """Lower deletion and higher insertion are better; compare methods on one model, never models by them."""
    full = cases.real_BL.unsqueeze(1).expand(-1, sets_BKS.shape[1], -1)
    visible = torch.stack([full, without(cases, sets_BKS), only(cases, sets_BKS)], dim=2)
    yes = torch.ones(visible.shape[:3], dtype=torch.bool)
    asked = Asked(log_p_BKV=yes, rank_BKV=~yes, place_BKV=torch.zeros(yes.shape, dtype=torch.int64))
    candidates = Candidates.of(candidates_BI, vectors_ID, offset_I, own(model, cases))
    log_p = replay(model, cases, visible, items_BK, candidates, asked=asked, shared=read(model, cases)).log_p_BKV
    return Fidelity((log_p[..., 1] - log_p[..., 0]).exp(), (log_p[..., 2] - log_p[..., 0]).exp())


def most_recent(cases: Cases, products: int, size: int) -> Tensor:
    """[B, K, S] the control "recency": units of the latest lines, the same for every product."""
    last_BU = torch.full(cases.unit_item_BU.shape, -1, dtype=torch.int64)
    position = torch.arange(cases.unit_BL.shape[1]).expand_as(cases.unit_BL)
    last_BU.scatter_reduce_(1, cases.unit_BL.clamp(min=0), position.where(cases.real_BL, -1), "amax")
    return _taken(last_BU, cases, products, size)


def random_units(cases: Cases, products: int, size: int, *, seed: int) -> Tensor:
    """[B, K, S] the control "random"."""
    noise = torch.rand(cases.unit_item_BU.shape, generator=torch.Generator().manual_seed(seed))
    return _taken(noise.masked_fill(cases.unit_item_BU == 0, -1.0), cases, products, size)


def _taken(order_BU: Tensor, cases: Cases, products: int, size: int) -> Tensor:
    units = torch.topk(order_BU, min(size, order_BU.shape[1]), dim=1).indices
    units = units.masked_fill(cases.unit_item_BU.gather(1, units) == 0, NOTHING)
    return units.unsqueeze(1).expand(-1, products, -1)
