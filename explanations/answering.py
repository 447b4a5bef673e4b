"""Answers that need the model, computed on the worker as of the moment of the slate that they are about."""

# I products, D width, L lines, U units, K shown products, R variants of a history, P orders.
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from explanations import engine, fallback, splitting
from explanations.asking import LIST, Answer
from explanations.contract import pack
from explanations.methods import removal
from explanations.methods.own import own, seen_units
from explanations.methods.shapley import PAIRS, orders
from explanations.verification import Candidates
from recommendations import inference
from recommendations.ml.ranking import owned_mask, top
from recommendations.models import ModelVersion, Placement, Run, Slate

ROWS = 1_024  # histories before the whole catalogue at once
SEED = 0  # the same orders for the same number of things: asking twice answers the same


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One shopper before the model, as when the slate was computed."""

    slate: Slate
    shared: engine.Context
    cases: removal.Cases
    state_1D: Tensor
    candidates_I: Tensor
    scores_I: Tensor  # of every product; `candidates_I` says which of them could be shown

    def number(self, product_id: int) -> int:
        """The product's number in this version, 0 where the version does not know it."""
        return self.shared.model.number_of.get(product_id, 0)

    def rank(self, item: int, scores_I: Tensor | None = None) -> int:
        """Where it stands, or would stand, among the candidates; ties rank by product number."""
        scores = self.scores_I if scores_I is None else scores_I
        ahead = self.candidates_I & ((scores > scores[item]) | ((scores == scores[item]) & (_numbers(scores) < item)))
        return 1 + int(ahead.sum())


@torch.inference_mode()
def asked(slate_id: int) -> Asked | None:
    """None where nothing is left of what the slate was made from."""
    slate = Slate.objects.select_related("run__version", "shopper").get(pk=slate_id)
    if slate.shopper_id is None:
        return None
    shared = engine.context(slate.run, now=slate.computed_at)
    lines = inference.shopper_lines(shared.model, [slate.shopper_id], as_of=shared.now)
    if not (lines.histories.items > 0).any():
        return None
    model = shared.model.bundle.model
    row = np.asarray([0])
    cases = removal.cases(model, lines.histories, row, now=int(shared.now.timestamp()))
    real_1RL = cases.real_BL.unsqueeze(1)
    state_1D = removal.states(model, cases, real_1RL)[:, 0]
    scores_1I = _seen(shared, cases, state_1D, real_1RL)
    owned = owned_mask(lines.histories, row, shared.model.products)
    candidates = engine.allowed(shared, Placement(slate.placement), owned, *engine.not_new(shared, lines))
    return Asked(
        slate=slate,
        shared=shared,
        cases=cases,
        state_1D=state_1D,
        candidates_I=candidates[0],
        scores_I=scores_1I[0],
    )


@torch.inference_mode()
def why_not(*, slate_id: int, product_id: int, last_id: int) -> Answer:
    """Where a product stands, and how its score differs from that of the last one shown, by part of the product."""
    found = asked(slate_id)
    if found is None:
        return {"is_known": False, "has_history": False}
    item, last = found.number(product_id), found.number(last_id)
    if not item:
        return {"is_known": False, "has_history": True}
    empty_I = _scores(found.shared, fallback.empty_state(found.shared))[0]
    answer: Answer = {
        "is_known": True,
        "has_history": True,
        "is_candidate": bool(found.candidates_I[item]),
        "rank": found.rank(item),
        "empty_rank": found.rank(item, empty_I),
        "candidates": int(found.candidates_I.sum()),
    }
    if last:
        shared, items_1K = found.shared, torch.tensor([[item, last]])
        repeat_1K = None
        if shared.model.bundle.model.repeats is not None:
            repeat_1K = (found.scores_I - _scores(shared, found.state_1D)[0])[items_1K]
        arrays = splitting.split(shared.model, shared.means, found.state_1D, items_1K, shared.offset_I, repeat_1K)
        difference = arrays.parts_PBK[:, 0, 0] - arrays.parts_PBK[:, 0, 1]
        answer |= {
            "gap": float(found.scores_I[item] - found.scores_I[last]),
            "last_rank": found.rank(last),
            "parts": {name: float(value) for name, value in zip(arrays.names, difference, strict=True)},
        }
    return answer


@torch.inference_mode()
def interests(*, slate_id: int) -> Answer:
    """What each thing in the history does to the first ten: its influence, and the ten without it.

    Influence is the mean change of their log p, up or down, among all candidates. Candidates stay those of the full
    history, as when the shopper leaves it out: a purchase that is not used stays bought.
    """
    found = asked(slate_id)
    if found is None:
        return {"units": [], "first": []}
    model, cases, ids = found.shared.model.bundle.model, found.cases, found.shared.model.bundle.product_ids
    units = int((cases.unit_item_BU[0] > 0).sum())
    sets_1RS = torch.cat([torch.tensor([removal.NOTHING]), torch.arange(units)]).view(1, -1, 1)
    visible_1RL = removal.without(cases, sets_1RS)
    states_RD = removal.states(model, cases, visible_1RL)[0]
    scores_RI = _seen(found.shared, cases, states_RD, visible_1RL).masked_fill(~found.candidates_I, float("-inf"))
    log_p_RI = scores_RI - torch.logsumexp(scores_RI, dim=1, keepdim=True)
    values_RK, items_RK = top(scores_RI, LIST)
    listed = [[int(ids[i]) for i in row] for row in items_RK.masked_fill(values_RK == float("-inf"), 0).tolist()]
    lists = [[pk for pk in row if pk] for row in listed]
    shown = items_RK[0][values_RK[0] > float("-inf")]
    delta_UK = log_p_RI[:1, shown] - log_p_RI[1:, shown]
    return {
        "first": lists[0],
        "units": [
            {
                "product": int(ids[int(cases.unit_item_BU[0, unit])]),
                "influence": float(delta_UK[unit].abs().mean()),
                "carries": int((delta_UK[unit] > 0).sum()),
                "without": lists[unit + 1],
            }
            for unit in range(units)
        ],
    }


@torch.inference_mode()
def shapley(*, slate_id: int, product_id: int) -> Answer:
    """Shapley values of what the shopper did, for log p of one product among all candidates.

    The mean gain in log p when a thing joins those before it, over paired random orders; the gains of one order add
    up to log p(all) - log p(nothing), and so do the values. `error`: of the mean, from the spread between pairs.
    """
    found = asked(slate_id)
    item = found.number(product_id) if found is not None else 0
    if found is None or not item:
        return {"units": []}
    started, cases, ids = time.monotonic(), found.cases, found.shared.model.bundle.product_ids
    units = int((cases.unit_item_BU[0] > 0).sum())
    order_PU = torch.from_numpy(orders(cases, PAIRS, SEED))[0, :, :units]
    line_PL = torch.argsort(order_PU, dim=-1)[:, cases.unit_BL[0].clamp(min=0)]  # at which step each line joins
    step_U1 = torch.arange(units + 1).view(1, -1, 1)
    gain_PU = torch.zeros(len(order_PU), units)
    at_once = max(1, ROWS // (units + 1))
    for first in range(0, len(order_PU), at_once):
        part = slice(first, first + at_once)
        visible_1RL = (line_PL[part].unsqueeze(1) < step_U1).flatten(0, 1).unsqueeze(0) & cases.real_BL.unsqueeze(1)
        state_RD = removal.states(found.shared.model.bundle.model, cases, visible_1RL)[0]
        scores_RI = _seen(found.shared, cases, state_RD, visible_1RL)
        reached_R = scores_RI[:, item] - torch.logsumexp(scores_RI[:, found.candidates_I], dim=1)
        gain_PU[part].scatter_(1, order_PU[part], reached_R.view(-1, units + 1).diff(dim=1))
    pair_PU = (gain_PU[0::2] + gain_PU[1::2]) / 2
    value_U, error_U = pair_PU.mean(0), pair_PU.std(0) / len(pair_PU) ** 0.5
    return {
        "units": [
            {"product": int(ids[int(cases.unit_item_BU[0, unit])]), "value": float(value), "error": float(error)}
            for unit, (value, error) in enumerate(zip(value_U, error_U, strict=True))
        ],
        "sum": float(value_U.sum()),
        "orders": len(order_PU),
        "seconds": round(time.monotonic() - started, 3),
    }


def replay(*, slate_id: int) -> Answer:
    """The slate computed anew, as when it was computed: with its version, and its moment."""
    slate = Slate.objects.select_related("run__version").get(pk=slate_id)
    return _again(slate, engine.context(slate.run, now=slate.computed_at))


def by_version(*, slate_id: int, version_id: int) -> Answer:
    """What another version would make of the same history at the same moment."""
    slate = Slate.objects.select_related("run").get(pk=slate_id)
    run = Run(version=ModelVersion.objects.get(pk=version_id), as_of=slate.run.as_of)  # never written
    return _again(slate, engine.context(run, now=slate.computed_at))


def _again(slate: Slate, shared: engine.Context) -> Answer:
    started = time.monotonic()
    if slate.shopper_id is not None:
        slates = engine.personal(shared, [slate.shopper_id])
    elif slate.context_product_id is not None:
        slates = fallback.similar(shared, first_id=slate.context_product_id, last_id=slate.context_product_id)
    else:
        slates = fallback.non_personal(shared)
    found = next((made for made in slates if made.placement == slate.placement), None)
    return {
        "contracts": [pack(contract) for contract in found.contracts] if found is not None else [],
        "history_hash": found.history_hash if found is not None else "",
        "seconds": round(time.monotonic() - started, 3),
    }


def _scores(shared: engine.Context, state_RD: Tensor) -> Tensor:
    """[R, I + 1]"""
    return torch.nn.functional.linear(state_RD, shared.model.vectors_ID, shared.offset_I)


def _seen(shared: engine.Context, cases: removal.Cases, state_RD: Tensor, visible_1RL: Tensor) -> Tensor:
    """[R, I + 1] with what the products of the history get for being visible in it."""
    everything_1I = torch.ones(1, shared.model.products + 1, dtype=torch.bool)
    mine = own(shared.model.bundle.model, cases)
    candidates = Candidates.of(everything_1I, shared.model.vectors_ID, shared.offset_I, mine)
    owner_R = torch.zeros(len(state_RD), dtype=torch.int64)
    return candidates.scores(state_RD, owner_R, seen_units(cases, visible_1RL)[0])


def _numbers(scores_I: Tensor) -> Tensor:
    return torch.arange(len(scores_I))


ANSWERS: dict[str, Callable[..., Answer]] = {
    "why_not": why_not,
    "interests": interests,
    "replay": replay,
    "shapley": shapley,
    "by_version": by_version,
}
