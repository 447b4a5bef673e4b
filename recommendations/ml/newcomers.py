"""Products that nobody has had yet: ranked by what they are, since nothing else is known of them."""

# I products. Product 0 is padding.
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from recommendations.ml.data import Histories
from recommendations.ml.evaluation import AT, Question, measured
from recommendations.ml.model import Recommender

LEVELS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0)
OUT = -1e4  # a bias with which a product has no part in a softmax


def newcomers(histories: Histories, products: int) -> Tensor:
    """[I + 1] True for products of the catalogue that are in no history."""
    unmet = np.ones(products + 1, bool)
    unmet[np.asarray(histories.items)] = False
    unmet[0] = False
    return torch.from_numpy(unmet)


@torch.no_grad()
def forget(model: Recommender, newcomer_I: Tensor) -> None:
    """Their ids say nothing."""
    model.products.ids.weight[newcomer_I] = 0.0


@contextmanager
def held(model: Recommender, newcomer_I: Tensor) -> Iterator[None]:
    """They have no part in training: all that could be learnt is that they were never the right one."""
    weights = (model.products.ids.weight, model.bias.weight)
    newcomer_I = newcomer_I.to(weights[0].device)
    with torch.no_grad():
        model.bias.weight[newcomer_I] = OUT
    hooks = [w.register_hook(lambda slope: slope.masked_fill(newcomer_I.unsqueeze(1), 0.0)) for w in weights]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def settle(model: Recommender, newcomer_I: Tensor) -> None:
    """They begin as the average product does: with the mean bias of those that are known."""
    newcomer_I = newcomer_I.to(model.bias.weight.device)
    known_I = ~newcomer_I
    known_I[0] = False
    if known_I.any() and newcomer_I.any():
        model.bias.weight[newcomer_I] = model.bias.weight[known_I].mean()


@torch.no_grad()
def place(model: Recommender, validation: Question) -> float:
    """Raise the newcomers of the validation period to where the NDCG@10 of all products that are new to a shopper is
    best; by how much. Scores of newcomers among themselves stay; how they compare with products that have a past is
    nothing that training saw. Where nobody bought one of them then, nothing is changed; ties keep the smaller.
    """
    newcomer_I = newcomers(validation.histories, validation.products)
    if not newcomer_I.numpy()[validation.by_kind["new"].items].any():
        return 0.0
    start = model.bias.weight[newcomer_I].clone()

    def ndcg(level: float) -> float:
        model.bias.weight[newcomer_I] = start + level
        return measured(model, validation, kinds=("new",))["new"][f"ndcg@{AT}"]

    level = max(LEVELS, key=ndcg)
    model.bias.weight[newcomer_I] = start + level
    return level
