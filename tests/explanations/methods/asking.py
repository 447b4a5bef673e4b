"""Small questions to methods of attribution."""

import numpy as np
import torch

from explanations.methods.protocol import Question
from explanations.methods.removal import cases
from recommendations.ml.model import Recommender
from recommendations.ml.ranking import owned_mask, top
from tests.recommendations.ml.made import NOW, Line, histories_of, random_model, random_shoppers


def ask(model: Recommender, shoppers: list[list[Line]], *, products: int = 3) -> Question:
    """About the first products among those that each shopper has not met."""
    histories, rows = histories_of(shoppers), np.arange(len(shoppers))
    found = cases(model, histories, rows, now=NOW)
    count = model.bias.num_embeddings - 1
    with torch.no_grad():
        vectors, offset = model.products(torch.arange(count + 1)), model.bias.weight.squeeze(-1).clone()
        state = model.read_out(
            model.tokens_BLD(found.history),
            found.history,
            found.real_BL.unsqueeze(1),
            found.next_basket_B.unsqueeze(1),
            torch.full((len(rows), 1), NOW),
        )[:, 0]
    candidates = ~owned_mask(histories, rows, count)
    candidates[:, 0] = False
    scores = (state @ vectors.T + offset).masked_fill(~candidates, float("-inf"))
    return Question(
        model=model,
        cases=found,
        items_BK=top(scores, products)[1],
        candidates_BI=candidates,
        vectors_ID=vectors,
        offset_I=offset,
    )


def random_question(seed: int, *, blocks: int = 1, baskets: int = 5) -> Question:
    """Some shoppers, one of them without any history."""
    model = random_model(seed, blocks=blocks, products=40)
    return ask(model, [*random_shoppers(seed, products=20, baskets=baskets), []])
