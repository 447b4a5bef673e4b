"""A learned mask in the style of LXR: a small network, trained on the model's own behaviour, names what carries it.

After Barkan, Bogina, Gurevitch, Asher, Koenigstein: "A Counterfactual Framework for Learning and Evaluating
Explanations for Recommender Systems" (WWW 2024). As there, the network sees a history and a product and gives each
unit a degree between 0 and 1, trained so that what it keeps keeps the product, what it leaves does not, and it keeps
little. Unlike there, a unit is masked by degree as in `soft_removal`, so that it is trained with the operator by which
the model itself forgets, and no labels of shoppers are used.
"""

# B shoppers, U units, K products, L lines, D width.
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from explanations.methods.pools import Pool, log_p
from explanations.methods.protocol import Question, competition, only_units
from explanations.methods.recency import recency
from explanations.methods.soft_removal import soft_states

HIDDEN = 64
EPOCHS = 40
SPARSITY = 0.5  # what it costs to keep the whole history, in log p
LEARNING_RATE = 3e-3


class LearnedMask(nn.Module):
    """Degrees from the unit's and the product's vectors, their product, and how recent the unit is."""

    def __init__(self, width: int):
        super().__init__()
        self.network = nn.Sequential(
            nn.Linear(3 * width + 2, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, 1)
        )

    def forward(self, asked: Question) -> Tensor:
        """[B, U, K] log-odds of being kept."""
        units, products = asked.cases.unit_item_BU.shape[1], asked.items_BK.shape[1]
        unit_BUKD = asked.vectors_ID[asked.cases.unit_item_BU].unsqueeze(2).expand(-1, -1, products, -1)
        product_BUKD = asked.vectors_BKD.unsqueeze(1).expand(-1, units, -1, -1)
        place_BUK1 = recency(asked).clamp(min=0).unsqueeze(-1)
        behind_BUK1 = place_BUK1.amax(1, keepdim=True) - place_BUK1
        recent = torch.cat([torch.log1p(behind_BUK1), (behind_BUK1 == 0).float()], -1)
        features = torch.cat([unit_BUKD, product_BUKD, unit_BUKD * product_BUKD, recent], -1)
        return self.network(features).squeeze(-1)

    @torch.no_grad()
    def attribute(self, asked: Question) -> Tensor:
        return only_units(asked.cases, self(asked))


def train(examples: Sequence[Question], *, epochs: int = EPOCHS, seed: int = 0) -> LearnedMask:
    """Batches of other shoppers, as many products each. Raises ValueError without any."""
    if not examples:
        raise ValueError("The learned mask needs examples to learn from: pass histories of some shoppers.")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        mask = LearnedMask(examples[0].vectors_ID.shape[1])
    pools = [competition(example) for example in examples]
    optimizer = torch.optim.Adam(mask.parameters(), lr=LEARNING_RATE)
    for _ in range(epochs):
        for asked, pool in zip(examples, pools, strict=True):
            optimizer.zero_grad()
            loss(mask, asked, pool).backward()
            optimizer.step()
    return mask.eval()


def loss(mask: LearnedMask, asked: Question, pool: Pool) -> Tensor:
    """- log p with what is kept + log p with what is left + the share of the history that is kept."""
    exists_BUK = asked.exists_BU.unsqueeze(-1)
    degree_BUK = torch.sigmoid(mask(asked))
    place_BLK = asked.cases.unit_BL.clamp(min=0).unsqueeze(-1).expand(-1, -1, degree_BUK.shape[-1])
    degree_BKL = degree_BUK.gather(1, place_BLK).transpose(1, 2)
    kept = _log_p(asked, pool, degree_BKL)
    left = _log_p(asked, pool, 1 - degree_BKL)
    size = (degree_BUK * exists_BUK).sum(1) / exists_BUK.sum(1).clamp(min=1)
    return (left - kept + SPARSITY * size).mean()


def _log_p(asked: Question, pool: Pool, degree_BKL: Tensor) -> Tensor:
    state_BKD = soft_states(asked.model, asked.cases, degree_BKL)
    return log_p(state_BKD, pool, asked.vectors_BKD, asked.offset_BK).diagonal(dim1=1, dim2=2)
