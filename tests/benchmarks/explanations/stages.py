"""What is measured, a batch of shoppers at a time. Every stage answers with arrays, one row a shopper."""

# B shoppers, M methods, K recommended products, S sizes of a set, V variants, U units.
import itertools
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from explanations.methods.choosing import REASONS
from explanations.methods.protocol import Method, Question
from explanations.methods.removal import NOTHING, only, without
from recommendations.ml.data import Histories, Ints
from tests.benchmarks.explanations.effects import OPERATORS, effects
from tests.benchmarks.explanations.subjects import Subject

Arrays = dict[str, NDArray[Any]]
Methods = Mapping[str, Method]

LARGEST = 5
# Variants of a history for each method: without the first 1 to 5 units, with only them, without each of the first 3.
WITHOUT, ONLY, SINGLE = 0, LARGEST, 2 * LARGEST
VARIANTS = 2 * LARGEST + REASONS
EXHAUSTIVE_UNITS = 20
FEWEST_TO_CORRELATE = 5


def strongest(value_BUK: Tensor, count: int) -> Tensor:
    """[B, K, S] units, strongest first, ties by number; -1 where a shopper has fewer."""
    order = torch.argsort(value_BUK.transpose(1, 2), dim=-1, descending=True, stable=True)[..., :count]
    value = value_BUK.transpose(1, 2).gather(-1, order)
    order = order.masked_fill(value == float("-inf"), NOTHING)
    return torch.nn.functional.pad(order, (0, count - order.shape[-1]), value=NOTHING)


def of_one(asked: Question, subject: Subject, row: int, at: int) -> Question:
    """The question of one shopper in the batch."""
    rows = np.asarray([row], np.int64)
    return subject.about(rows, asked.items_BK[at : at + 1], asked.candidates_BI[at : at + 1])


def faithfulness(subject: Subject, methods: Methods, rows: Ints) -> Arrays:
    """For each operator log p and rank [B, M, K, V] of every variant, and those of the full history [B, K];
    CPU milliseconds of each method per shopper [B, M]."""
    asked = subject.question(rows)
    sets, cost = [], []
    for method in methods.values():
        began = time.process_time()
        value = method(asked)
        cost.append(1000 * (time.process_time() - began) / len(rows))
        sets.append(strongest(value, LARGEST))
    sets_BMKS = torch.stack(sets, 1)
    found: dict[str, list[NDArray[Any]]] = {}
    for at, row in enumerate(rows.tolist()):
        alone = of_one(asked, subject, row, at)
        visible = _variants(alone, sets_BMKS[at : at + 1])  # M K V L
        items = alone.items_BK.view(1, -1, 1).expand(visible.shape[:3])
        full = alone.cases.real_BL.expand(alone.items_BK.shape[1], -1)
        for operator in OPERATORS:
            everything = torch.cat([full, visible.flatten(0, 2)])
            result = effects(alone, everything, torch.cat([alone.items_BK[0], items.flatten()]), operator)
            for name, values in result._asdict().items():
                quantity = name.removesuffix("_X")
                found.setdefault(f"{operator}_full_{quantity}", []).append(values[: len(full)].numpy())
                found.setdefault(f"{operator}_{quantity}", []).append(values[len(full) :].view(items.shape).numpy())
    arrays = {name: np.stack(values) for name, values in found.items()}
    counts = asked.exists_BU.sum(1).numpy()
    return arrays | {"units": counts, "cost_ms": np.tile(cost, (len(rows), 1))}


def _variants(alone: Question, sets_1MKS: Tensor) -> Tensor:
    """[M, K, V, L] of one shopper."""
    flat_1XS = sets_1MKS.flatten(1, 2)
    views = [without(alone.cases, flat_1XS[..., :size]) for size in range(1, LARGEST + 1)]
    views += [only(alone.cases, flat_1XS[..., :size]) for size in range(1, LARGEST + 1)]
    views += [without(alone.cases, flat_1XS[..., place : place + 1]) for place in range(REASONS)]
    visible_XVL = torch.stack(views, dim=2)[0]
    return visible_XVL.view(*sets_1MKS.shape[1:3], *visible_XVL.shape[1:])


def stability(subject: Subject, methods: Methods, rows: Ints) -> Arrays:
    """Jaccard of the three strongest [B, M, K]: when the unit that matters least is masked; when a line comes."""
    asked = subject.question(rows)
    effect_BU = methods["leave_one_out"](asked).abs().amax(-1).masked_fill(~asked.exists_BU, float("inf"))
    neutral = asked.cases.unit_item_BU.gather(1, effect_BU.argmin(1, keepdim=True)).squeeze(1).numpy()
    changed = {
        "neutral_mask": _masked(subject.histories, rows, neutral),
        "one_more": _without_last(subject.histories, rows),
    }
    result: Arrays = {}
    before = {name: _named(asked, method) for name, method in methods.items()}
    for change, histories in changed.items():
        other = Subject(**{name: getattr(subject, name) for name in Subject.__slots__} | {"histories": histories})
        again = other.about(np.arange(len(rows)), asked.items_BK, asked.candidates_BI)
        after = {name: _named(again, method) for name, method in methods.items()}
        result[change] = np.stack([_jaccard(before[name], after[name]) for name in methods], axis=1)
    return result


def _named(asked: Question, method: Method) -> NDArray[np.int64]:
    """[B, K, 3] product numbers of the three strongest units, 0 for none."""
    units = strongest(method(asked), REASONS)
    item = asked.cases.unit_item_BU.unsqueeze(1).expand(-1, units.shape[1], -1).gather(2, units.clamp(min=0))
    return item.masked_fill(units == NOTHING, 0).numpy()


def _jaccard(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.float64]:
    common = ((one[..., :, None] == other[..., None, :]) & (one[..., :, None] > 0)).any(-1).sum(-1)
    union = (one > 0).sum(-1) + (other > 0).sum(-1) - common
    return np.asarray(common / np.maximum(union, 1))


def _parts(histories: Histories, rows: Ints) -> list[tuple[NDArray[Any], ...]]:
    columns = (histories.items, histories.times, histories.types)
    return [tuple(column[histories.offsets[row] : histories.offsets[row + 1]] for column in columns) for row in rows]


def _joined(parts: list[tuple[NDArray[Any], ...]]) -> Histories:
    items, times, types = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    offsets = np.concatenate([[0], np.cumsum([len(part[0]) for part in parts])]).astype(np.int64)
    return Histories(offsets=offsets, items=items, times=times, types=types)


def _masked(histories: Histories, rows: Ints, product_B: NDArray[np.int64]) -> Histories:
    """Product 0 is what the model does not see: its line keeps its place."""
    parts = _parts(histories, rows)
    return _joined(
        [
            (np.where(items == product, 0, items), times, types)
            for (items, times, types), product in zip(parts, product_B.tolist(), strict=True)
        ]
    )


def _without_last(histories: Histories, rows: Ints) -> Histories:
    return _joined([tuple(column[:-1] for column in part) for part in _parts(histories, rows)])


def sanity(subject: Subject, shuffled: Subject, methods: Methods, blind: Methods, rows: Ints) -> Arrays:
    """Spearman [B, M, K] between a method on the model and the same method on one whose weights were shuffled.

    `blind` are the methods for the shuffled model: the learned mask has learnt from that one.
    """
    asked = subject.question(rows)
    other = shuffled.about(rows, asked.items_BK, asked.candidates_BI)
    values = [_spearman(method(asked), blind[name](other), asked.exists_BU) for name, method in methods.items()]
    return {"spearman": np.stack(values, axis=1)}


def _spearman(one_BUK: Tensor, other_BUK: Tensor, exists_BU: Tensor) -> NDArray[np.float64]:
    """NaN where one of both is the same for all units."""
    result = np.full((one_BUK.shape[0], one_BUK.shape[2]), np.nan)
    for row, exists in enumerate(exists_BU):
        if int(exists.sum()) < FEWEST_TO_CORRELATE:
            continue
        for product in range(one_BUK.shape[2]):
            ranks = [_ranks(value[row, exists, product].double().numpy()) for value in (one_BUK, other_BUK)]
            if all(np.ptp(rank) > 0 for rank in ranks):
                result[row, product] = np.corrcoef(ranks[0], ranks[1])[0, 1]
    return result


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ties share the mean of their ranks."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    end = np.cumsum(count)
    return np.asarray((end - (count - 1) / 2)[place.reshape(-1)])


def optimality(subject: Subject, methods: Methods, rows: Ints) -> Arrays:
    """[B, M, K] log p lost without a method's three units, over what the best three lose; NaN for longer histories
    and where nothing that can be removed loses anything."""
    asked = subject.question(rows)
    sets = {name: strongest(method(asked), REASONS) for name, method in methods.items()}
    result = np.full((len(rows), len(methods), asked.items_BK.shape[1]), np.nan)
    for at, row in enumerate(rows.tolist()):
        units = int(asked.exists_BU[at].sum())
        if not REASONS <= units <= EXHAUSTIVE_UNITS:
            continue
        alone = of_one(asked, subject, row, at)
        all_sets = torch.tensor(list(itertools.combinations(range(units), REASONS)))
        own_sets = torch.cat([value[at] for value in sets.values()])
        visible = torch.cat(
            [alone.cases.real_BL, without(alone.cases, torch.cat([all_sets, own_sets]).unsqueeze(0))[0]]
        )
        for product, item in enumerate(alone.items_BK[0]):
            log_p = effects(alone, visible, item.expand(len(visible)), "mask").log_p_X
            lost = (log_p[0] - log_p[1:]).double().numpy()
            best = lost[: len(all_sets)].max()
            if best > 0:
                ours = lost[len(all_sets) :].reshape(len(methods), -1)[:, product]
                result[at, :, product] = ours / best
    return {"optimality": result}


Stage = Callable[[Ints], Arrays]
