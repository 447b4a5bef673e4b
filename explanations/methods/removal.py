"""The one removal operator: an interaction is masked, its neighbours keep their places and times.

Explaining, measuring and obeying ("don't use this purchase") all remove in this way.
"""

# B shoppers, R rows (variants of one history), L lines, U units, D width, J products of a pool, I products.
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from explanations.methods.reading import Reading, read_out, reading
from recommendations.ml.batches import latest_history
from recommendations.ml.data import Histories, Ints
from recommendations.ml.history import History
from recommendations.ml.model import Recommender

NOTHING = -1


@dataclass(frozen=True, kw_only=True, slots=True)
class Cases:
    """The histories of some shoppers, cut into evidence units: all lines with one product are one unit.

    `unit_BL` numbers the units of each shopper by product number; padding is -1. `unit_item_BU` names them.
    """

    history: History
    next_basket_B: Tensor
    now: int
    unit_BL: Tensor
    unit_item_BU: Tensor  # 0 where a shopper has fewer units
    lines_BL: NDArray[np.int64]  # into the arrays of all histories, -1 for padding

    @property
    def real_BL(self) -> Tensor:
        return self.unit_BL >= 0


def cases(model: Recommender, histories: Histories, shoppers: Ints, *, now: int, padded_to: int = 1) -> Cases:
    """The most recent lines before `now`, as the model reads them."""
    history, next_basket_B, lines_BL = latest_history(histories, shoppers, model.config, now=now, padded_to=padded_to)
    items = history.items_BL.numpy()
    unit = np.full(items.shape, NOTHING, np.int64)
    order = np.argsort(items, axis=1, kind="stable")
    ordered = np.take_along_axis(items, order, axis=1)
    new = (ordered > 0) & (np.diff(ordered, axis=1, prepend=0) != 0)
    np.put_along_axis(unit, order, np.where(ordered > 0, np.cumsum(new, axis=1) - 1, NOTHING), axis=1)
    units = max(1, int(new.sum(axis=1).max())) if items.size else 1
    unit_item = np.zeros((len(items), units), np.int64)
    rows, columns = np.nonzero(unit >= 0)
    unit_item[rows, unit[rows, columns]] = items[rows, columns]
    return Cases(
        history=history,
        next_basket_B=next_basket_B,
        now=now,
        unit_BL=torch.from_numpy(unit),
        unit_item_BU=torch.from_numpy(unit_item),
        lines_BL=lines_BL,
    )


def without(cases: Cases, sets_BRS: Tensor) -> Tensor:
    """[B, R, L] what is visible when the units of each set [B, R, S] (-1: none) are masked."""
    hit_BRL = (cases.unit_BL[:, None, None, :] == sets_BRS.unsqueeze(-1)).any(2)
    return cases.real_BL.unsqueeze(1) & ~hit_BRL


def only(cases: Cases, sets_BRS: Tensor) -> Tensor:
    """[B, R, L] what is visible when nothing but the units of each set is left."""
    hit_BRL = (cases.unit_BL[:, None, None, :] == sets_BRS.unsqueeze(-1)).any(2)
    return cases.real_BL.unsqueeze(1) & hit_BRL


def read(model: Recommender, cases: Cases) -> Reading | None:
    """What `states` may share between all variants of these histories: nothing where the model is deeper."""
    if len(model.blocks) > 1:
        return None
    return reading(model, cases.history, cases.next_basket_B, cases.now)


@torch.inference_mode()
def states(model: Recommender, cases: Cases, visible_BRL: Tensor, shared: Reading | None = None) -> Tensor:
    """[B, R, D]: the state that each variant of the history leads to; with what `read` gave, several times as fast.

    With one block the tokens do not depend on the mask and are shared; deeper models compute them for every row.
    """
    if shared is not None:
        return read_out(model, shared, visible_BRL)
    history = cases.history
    rows = visible_BRL.shape[1]
    basket_BR = cases.next_basket_B.unsqueeze(1).expand(-1, rows)
    now_BR = torch.full_like(basket_BR, cases.now)
    if len(model.blocks) == 1:
        return model.read_out(model.tokens_BLD(history), history, visible_BRL, basket_BR, now_BR)
    flat = History(*(field.repeat_interleave(rows, 0) for field in history))
    visible_FL = visible_BRL.flatten(0, 1)
    state = model.read_out(
        model.tokens_BLD(flat, visible_FL),
        flat,
        visible_FL.unsqueeze(1),
        basket_BR.reshape(-1, 1),
        now_BR.reshape(-1, 1),
    )
    return state.view(len(visible_BRL), rows, -1)
