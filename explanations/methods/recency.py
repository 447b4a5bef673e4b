"""Recency, the control that is hard to beat on necessity: what came last carries most."""

import torch
from torch import Tensor

from explanations.methods.protocol import Question, only_units


def recency(asked: Question) -> Tensor:
    """The place of a unit's latest line, the same for every product."""
    cases = asked.cases
    place_BL = torch.arange(cases.unit_BL.shape[1]).expand_as(cases.unit_BL).where(cases.real_BL, -1)
    last_BU = torch.full(cases.unit_item_BU.shape, -1, dtype=torch.int64)
    last_BU.scatter_reduce_(1, cases.unit_BL.clamp(min=0), place_BL, "amax")
    return only_units(cases, last_BU.float().unsqueeze(-1).expand(-1, -1, asked.items_BK.shape[1]))
