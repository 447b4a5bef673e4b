"""What every method of attribution is asked and answers, so that all can be compared on one model."""

# B shoppers, K recommended products, U evidence units, L lines, I products of the catalogue, J of the pool, D width.
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from explanations.methods.pools import Pool, pool
from explanations.methods.removal import Cases, states
from recommendations.ml.model import Recommender


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """Which recommendations are to be attributed to which histories, by which model."""

    model: Recommender
    cases: Cases
    items_BK: Tensor
    candidates_BI: Tensor  # what each product competes with, itself included; never product 0
    vectors_ID: Tensor
    offset_I: Tensor  # what a score has without any history

    @property
    def exists_BU(self) -> Tensor:
        return self.cases.unit_item_BU > 0

    @property
    def vectors_BKD(self) -> Tensor:
        return self.vectors_ID[self.items_BK]

    @property
    def offset_BK(self) -> Tensor:
        return self.offset_I[self.items_BK]


class Method(Protocol):
    """Attributes a recommendation to evidence units."""

    def __call__(self, asked: Question) -> Tensor:
        """[B, U, K], higher: the unit carries more of the product; -inf where there is no unit."""


@torch.no_grad()
def competition(asked: Question) -> Pool:
    """The strongest candidates: every method that needs a probability takes it over the same ones."""
    state_BD = states(asked.model, asked.cases, asked.cases.real_BL.unsqueeze(1))[:, 0].clone()
    scores_BI = (state_BD @ asked.vectors_ID.T + asked.offset_I).masked_fill(~asked.candidates_BI, float("-inf"))
    return pool(scores_BI, asked.vectors_ID, asked.offset_I)


def per_unit(cases: Cases, lines_BKL: Tensor) -> Tensor:
    """[B, U, K]: all lines with one product are one unit, which carries the sum of what they carry."""
    batch, products, _ = lines_BKL.shape
    summed = lines_BKL.new_zeros(batch, products, cases.unit_item_BU.shape[1])
    place = cases.unit_BL.clamp(min=0).unsqueeze(1).expand_as(lines_BKL)
    summed.scatter_add_(2, place, lines_BKL.masked_fill(~cases.real_BL.unsqueeze(1), 0.0))
    return only_units(cases, summed.transpose(1, 2))


def only_units(cases: Cases, value_BUK: Tensor) -> Tensor:
    """-inf where a shopper has fewer units than the longest history beside it."""
    return value_BUK.masked_fill((cases.unit_item_BU == 0).unsqueeze(-1), float("-inf"))
