"""Products that nobody has had yet: ranked by what they are, since nothing else is known of them."""

# I products. Product 0 is padding.
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from recommendations.ml.data import Histories
from recommendations.ml.evaluation import AT, Question, measure
from recommendations.ml.model import Recommender
from recommendations.ml.ranking import in_order, scored, top

LEVELS = tuple(quarter / 4 for quarter in range(21))
RIDGE = 1.0  # chosen on validation baskets of the demo shop; 0.3 to 10 do as well
AT_ONCE = 65_536  # products in memory
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
def place(model: Recommender, validation: Question) -> float | None:
    """Where newcomers stand among products that have a past, which is nothing that training saw; by how much they were
    raised.

    1. Each begins with what products like it have: bias and recent popularity, as their content foretells them.
    2. All are raised alike, to where the NDCG@10 of products that are new to a shopper is best on the validation
    baskets.
    Where nobody bought one of them then, nothing is changed, and the answer is None; ties keep the smaller.
    """
    newcomer_I = newcomers(validation.histories, validation.products)
    if not newcomer_I.numpy()[validation.by_kind["new"].items].any():
        return None
    lift(model, newcomer_I, validation.popularity_I, 0.0)
    level = max(LEVELS, key=_ndcg(model, validation, newcomer_I))
    model.bias.weight[newcomer_I] += level
    return level


@torch.no_grad()
def lift(model: Recommender, newcomer_I: Tensor, popularity_I: Tensor | None, level: float) -> None:
    """Each begins with what products like it have, and is raised by `level`."""
    value_I = model.bias.weight.squeeze(-1).clone()
    if popularity_I is not None:
        value_I += model.popularity_weight * popularity_I
    model.bias.weight[newcomer_I] = foretold(model, newcomer_I, value_I).unsqueeze(1) + level


def foretold(model: Recommender, newcomer_I: Tensor, value_I: Tensor) -> Tensor:
    """[N] what newcomers would have by their content: ridge regression of the values of known products on theirs."""
    width = model.config.width
    squares, products = torch.zeros(width + 1, width + 1).double(), torch.zeros(width + 1).double()
    known = (~newcomer_I[1:]).nonzero().squeeze(1) + 1
    for items in known.split(AT_ONCE):
        content_JD = _content(model, items)
        squares += content_JD.T @ content_JD
        products += content_JD.T @ value_I[items].double()
    shrinking = torch.full((width + 1,), RIDGE).double()
    shrinking[width] = 1e-9  # not the mean
    slope_D = torch.linalg.solve(squares + shrinking.diag(), products)
    parts = newcomer_I.nonzero().squeeze(1).split(AT_ONCE)
    return torch.cat([_content(model, items) @ slope_D for items in parts]).to(value_I.dtype)


def _content(model: Recommender, items: Tensor) -> Tensor:
    """[J, D + 1] the vectors without ids, and 1."""
    content_JD = model.products(items) - model.products.ids(items)
    return torch.cat([content_JD, torch.ones(len(items), 1)], dim=1).double()


def _ndcg(model: Recommender, validation: Question, newcomer_I: Tensor) -> Callable[[float], float]:
    """NDCG@10 with newcomers raised by so much. What can be among the first ten at any level is looked for once."""
    targets = validation.by_kind["new"]
    values_EN = torch.full((len(targets.shoppers), 2 * AT), float("-inf"))
    items_EN = torch.zeros(values_EN.shape, dtype=torch.int64)
    for chosen, scores_BI in scored(
        model,
        validation.histories,
        targets.shoppers,
        now=validation.now,
        popularity_I=validation.popularity_I,
        only="new",
    ):
        for first, out_I in ((0, newcomer_I), (AT, ~newcomer_I)):
            values, items = top(scores_BI.masked_fill(out_I, float("-inf")), AT)
            values_EN[chosen, first : first + values.shape[1]] = values
            items_EN[chosen, first : first + items.shape[1]] = items

    def ndcg(level: float) -> float:
        raised_EN = torch.cat([values_EN[:, :AT], values_EN[:, AT:] + level], dim=1)
        values_EK, items_EK = in_order(raised_EN, items_EN, AT)
        ranked_EK = items_EK.masked_fill(values_EK == float("-inf"), 0).numpy()
        return measure(ranked_EK, targets, validation.products)[0][f"ndcg@{AT}"]

    return ndcg
