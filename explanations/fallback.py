"""Slates that are the same for everybody: without a person, or similar to one product."""

# I products, K ranks.
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from explanations import recounts, splitting
from explanations.assembly import LEAST, POPULAR_RANK
from explanations.contract import Cause, Contract, Evidence, Reason, ReasonType, Split, Status, Target
from explanations.recounts import FEWEST_BUYERS, FEWEST_TOGETHER
from explanations.services import SHOWN
from explanations.slates import LONGEST_SLATE, ExplainedSlate
from recommendations.ml.data import Ints
from recommendations.ml.history import History
from recommendations.ml.ranking import top
from recommendations.models import Placement

if TYPE_CHECKING:
    from explanations.engine import Context


@torch.inference_mode()
def empty_state(shared: "Context") -> Tensor:
    """[1, D] what the model makes of a shopper of whom nothing is known."""
    zero = torch.zeros(1, 1, dtype=torch.int64)
    history = History(zero, zero, zero, zero)
    model = shared.model.bundle.model
    now = torch.full((1, 1), int(shared.now.timestamp()))
    visible = torch.zeros(1, 1, 1, dtype=torch.bool)
    return model.read_out(model.tokens_BLD(history), history, visible, zero, now)[:, 0]


def non_personal(shared: "Context") -> Iterator[ExplainedSlate]:
    """One slate a placement for anonymous, new and switched-off shoppers.

    `home` and `product`: the model's ranking for an empty history. `buy_again`: what most shoppers bought repeatedly.
    """
    state = empty_state(shared)
    scores = (state @ shared.model.vectors_ID.T + shared.offset_I).masked_fill(~shared.shown_I, float("-inf"))
    values, items = top(scores, LONGEST_SLATE)
    log_p = (values - torch.logsumexp(scores, dim=1, keepdim=True))[0]
    arrays = splitting.split(shared.model, shared.means, state, items, shared.offset_I)
    chances = shared.model.bundle.calibrations[Placement.HOME.value](log_p.double().numpy())
    kept = values[0] > float("-inf")
    numbers = items[0][kept].tolist()
    contracts = []
    for k, item in enumerate(numbers[:SHOWN]):
        parts = {name: float(part[0, k]) for name, part in zip(arrays.names, arrays.parts_PBK, strict=True)}
        total = float(arrays.baseline_B[0]) + math.fsum(parts.values())
        score = float(values[0, k])
        contracts.append(
            Contract(
                product_id=_id(shared, item),
                cause=Cause.NOT_PERSONAL,
                status=Status.FALLBACK,
                target=Target(
                    score=score,
                    log_probability=float(log_p[k]),
                    probability=float(chances[k]),
                    rank=k + 1,
                    empty_rank=k + 1,
                    runner_up_id=_id(shared, numbers[k + 1]) if k + 1 < len(numbers) else None,
                ),
                split=Split(baseline=float(arrays.baseline_B[0]), parts=parts, residual=score - total),
            )
        )
    for placement in (Placement.HOME, Placement.PRODUCT):
        yield _slate(shared, placement, None, numbers, values[0][kept].tolist(), chances[: len(numbers)], contracts)
    yield _often_repeated(shared)


def _often_repeated(shared: "Context") -> ExplainedSlate:
    buyers = shared.model.bundle.repeat_buyers
    scores = torch.from_numpy(np.log1p(buyers).astype(np.float32)).masked_fill(~shared.shown_I, float("-inf"))
    values, items = top(scores.unsqueeze(0), LONGEST_SLATE)
    numbers = [item for item, value in zip(items[0].tolist(), values[0].tolist(), strict=True) if value > 0]
    chances = np.exp(shared.model.bundle.popularity_log_p[numbers].astype(np.float64))
    partition = float(torch.logsumexp(scores, dim=0))
    contracts = [
        Contract(
            product_id=_id(shared, item),
            cause=Cause.NOT_PERSONAL,
            status=Status.FALLBACK,
            target=Target(
                score=float(values[0, k]),
                log_probability=float(values[0, k]) - partition,
                probability=float(chances[k]),
                rank=k + 1,
            ),
            extra=rounded_buyers(int(buyers[item])),
        )
        for k, item in enumerate(numbers[:SHOWN])
    ]
    scored = values[0, : len(numbers)].tolist()
    return _slate(shared, Placement.BUY_AGAIN, None, numbers, scored, chances, contracts)


def rounded_buyers(count: int, *, of: str = "buyers") -> dict[str, int]:
    """A frozen count of others that may be named: nothing up to 20, else to two leading digits, downwards.

    `buyers` of the product itself; `beside`: of the product on the page, without which no share of them is said.
    """
    if count <= FEWEST_BUYERS:
        return {}
    unit = 10 ** max(1, len(str(count)) - 2)
    return {of: count // unit * unit}


def similar(shared: "Context", *, first_id: int, last_id: int) -> Iterator[ExplainedSlate]:
    """For each product in the range, what is bought together with it.

    The reason is the product on the page: with it, log P(companion | product); without it, log P(companion). What
    fewer than five people bought with it is left out, since its very place would tell of one of them, and a product
    that at most 20 people bought has no list: on its page stands what is the same for everybody. People are counted
    when the version is trained, so that what others do later changes no text.
    """
    bundle = shared.model.bundle
    popularity = torch.from_numpy(bundle.popularity_log_p).masked_fill(~shared.shown_I, float("-inf"))
    order = torch.argsort(popularity, descending=True, stable=True)
    place = torch.empty_like(order)
    place[order] = torch.arange(1, len(order) + 1)
    ranks, shown = place.tolist(), shared.shown_I.numpy()
    if bundle.companion_people is None or bundle.companion_buyers is None:
        return
    too_few = recounts.too_few(shared.run.version)
    for product_id, item in shared.model.number_of.items():
        buyers = int(bundle.companion_buyers[item])
        if not first_id <= product_id <= last_id or not shown[item] or buyers <= FEWEST_BUYERS:
            continue
        gone = too_few.get(product_id, set())
        if gone is None:
            continue
        kept = (bundle.companions[item] > 0) & shown[bundle.companions[item]]
        kept &= bundle.companion_people[item] >= FEWEST_TOGETHER
        if gone:
            kept &= ~np.isin(bundle.product_ids[bundle.companions[item]], list(gone))
        items: Ints = bundle.companions[item][kept][:LONGEST_SLATE]
        log_p = bundle.companion_log_p[item][kept][:LONGEST_SLATE].astype(np.float64)
        if not len(items):
            continue
        gain = log_p - bundle.popularity_log_p[items]
        contracts = [
            replace(
                _goes_with(shared, product_id, int(items[k]), k, float(log_p[k]), float(gain[k]), ranks),
                extra=rounded_buyers(buyers, of="beside"),
            )
            for k in range(min(len(items), SHOWN))
        ]
        if all(contract.status is Status.WITHHELD for contract in contracts):
            continue
        yield _slate(shared, Placement.PRODUCT, product_id, items.tolist(), log_p.tolist(), np.exp(log_p), contracts)


def _goes_with(
    shared: "Context", context: int, item: int, k: int, log_p: float, gain: float, ranks: list[int]
) -> Contract:
    verified = gain >= LEAST and ranks[item] > k + 1
    reason = Reason(
        type=ReasonType.CONTEXT_PRODUCT,
        evidence=(Evidence(product_id=context),),
        delta=gain,
        rank_without=ranks[item],
        threshold=LEAST,
        is_verified=verified,
    )
    cause, status = Cause.VIEWED_PRODUCT, Status.VERIFIED
    if not verified:
        cause = Cause.POPULAR
        status = Status.FALLBACK if ranks[item] <= POPULAR_RANK else Status.WITHHELD
    return Contract(
        product_id=_id(shared, item),
        cause=cause,
        status=status,
        target=Target(
            score=log_p, log_probability=log_p, probability=math.exp(log_p), rank=k + 1, empty_rank=ranks[item]
        ),
        reasons=(reason,),
    )


def _slate(
    shared: "Context",
    placement: Placement,
    context: int | None,
    items: list[int],
    scores: list[float],
    chances: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    contracts: list[Contract],
) -> ExplainedSlate:
    return ExplainedSlate(
        placement=placement,
        shopper_id=None,
        context_product_id=context,
        product_ids=tuple(_id(shared, item) for item in items),
        scores=tuple(scores),
        probabilities=tuple(np.asarray(chances, np.float64)[: len(items)].tolist()),
        history_hash="",
        contracts=tuple(contracts),
        provenance=shared.provenance("", int(shared.shown_I.sum())),
    )


def _id(shared: "Context", item: int) -> int:
    return int(shared.model.bundle.product_ids[item])
