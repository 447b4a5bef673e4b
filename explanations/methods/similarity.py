"""Embedding similarity, the usual "because it is similar to": cosine of product vectors, blind to the history."""

import torch
from torch import Tensor
from torch.nn import functional

from explanations.methods.protocol import Question, only_units


@torch.no_grad()
def similarity(asked: Question) -> Tensor:
    units_BUD = functional.normalize(asked.vectors_ID[asked.cases.unit_item_BU], dim=-1)
    products_BKD = functional.normalize(asked.vectors_BKD, dim=-1)
    return only_units(asked.cases, units_BUD @ products_BKD.mT)
