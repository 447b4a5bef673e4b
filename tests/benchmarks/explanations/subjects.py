"""A model with its shoppers, as the benchmark asks about them, wherever it comes from."""

# B shoppers, K recommended products, I products.
import copy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from explanations.methods.protocol import Question
from explanations.methods.removal import cases, states
from recommendations.ml.data import Histories, Ints
from recommendations.ml.model import Recommender
from recommendations.ml.ranking import owned_mask, top

PRODUCTS = 5  # recommendations of a shopper that are explained
FEWEST_UNITS = 5
SHOPPERS = 512
LEARNERS = 512  # other shoppers, on whom the learned mask is trained
BATCH = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """`shoppers` are asked about, `learners` are others; `shown_I` may be recommended; `facts` go into the report."""

    name: str
    model: Recommender
    histories: Histories
    now: int
    vectors_ID: Tensor
    offset_I: Tensor
    shown_I: Tensor
    shoppers: Ints
    learners: Ints
    facts: dict[str, Any] = field(default_factory=dict)

    def question(self, rows: Ints) -> Question:
        """About the first products among those new to each shopper."""
        candidates_BI = self.candidates(rows)
        found = cases(self.model, self.histories, rows, now=self.now)
        state_BD = states(self.model, found, found.real_BL.unsqueeze(1))[:, 0]
        scores_BI = (state_BD @ self.vectors_ID.T + self.offset_I).masked_fill(~candidates_BI, float("-inf"))
        return self.about(rows, top(scores_BI, PRODUCTS)[1].clone(), candidates_BI)

    def about(self, rows: Ints, items_BK: Tensor, candidates_BI: Tensor) -> Question:
        return Question(
            model=self.model,
            cases=cases(self.model, self.histories, rows, now=self.now),
            items_BK=items_BK,
            candidates_BI=candidates_BI,
            vectors_ID=self.vectors_ID,
            offset_I=self.offset_I,
        )

    def candidates(self, rows: Ints) -> Tensor:
        return self.shown_I & ~owned_mask(self.histories, rows, len(self.shown_I) - 1)


def drawn(model: Recommender, histories: Histories) -> tuple[Ints, Ints]:
    """Shoppers with enough units in what the model reads, and learners: the same ones every time."""
    enough = []
    for row in np.random.default_rng(0).permutation(len(histories)).tolist():
        read = histories.items[histories.offsets[row] : histories.offsets[row + 1]][-model.config.history :]
        if len(np.unique(read[read > 0])) >= FEWEST_UNITS:
            enough.append(row)
    return np.asarray(enough[:SHOPPERS], np.int64), np.asarray(enough[SHOPPERS : SHOPPERS + LEARNERS], np.int64)


def randomised(subject: Subject, *, seed: int = 0) -> Subject:
    """The same model with its weights shuffled inside each parameter: what it learnt is gone, their sizes are not."""
    generator = torch.Generator().manual_seed(seed)
    model = copy.deepcopy(subject.model)
    with torch.no_grad():
        for parameter in model.parameters():
            order = torch.randperm(parameter.numel(), generator=generator)
            parameter.copy_(parameter.flatten()[order].view_as(parameter))
        for table in model.modules():
            if isinstance(table, torch.nn.Embedding) and table.padding_idx is not None:
                table.weight[table.padding_idx] = 0.0
        vectors = model.products(torch.arange(len(subject.shown_I)))
        offset = model.bias.weight.squeeze(-1).clone()
    offset[0] = float("-inf")
    return replace(subject, model=model, vectors_ID=vectors, offset_I=offset)
