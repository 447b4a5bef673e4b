"""How good the reasons of a version are on a sample of shoppers: how many hold, how near to the best, how steady."""

# B shoppers, K products, U units, C sets of units, S units of a set.
import itertools
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from explanations import explaining
from explanations.contract import Strength
from explanations.explaining import Ranked, Verified
from explanations.methods import grouping, occlusion, pools, removal
from explanations.methods.own import own, sight
from explanations.methods.reading import Reading
from explanations.methods.rows import distinct
from explanations.plain import Past, PlainModel
from explanations.services import SHOWN
from explanations.verification import GROUP, REASONS_ALONE, Candidates, holds
from recommendations.inference import Loaded
from recommendations.ml.data import Histories, Ints

PRODUCTS = 10
MOST_UNITS = 20  # every set of up to three of more units would be too many to try
TRIED = 2  # products a shopper of which every set is tried


class Made(NamedTuple):
    """A batch that was explained from beginning to end."""

    cases: removal.Cases
    shared: Reading | None
    ranked: Ranked
    screening: occlusion.Screening
    verified: Verified
    group_BK: Tensor
    scoring_seconds: float
    seconds: float  # of all, scoring included


@torch.inference_mode()
def explained(
    model: Loaded, histories: Histories, rows: Ints, allowed_BI: Tensor, offset_I: Tensor, now: datetime, floor: float
) -> Made:
    recommender = model.bundle.model
    began = time.perf_counter()
    cases = removal.cases(recommender, histories, rows, now=int(now.timestamp()))
    shared = removal.read(recommender, cases)
    state_BD = removal.states(recommender, cases, cases.real_BL.unsqueeze(1), shared)[:, 0]
    candidates = Candidates.of(allowed_BI, model.vectors_ID, offset_I, own(recommender, cases))
    found = explaining.ranked(state_BD, candidates, PRODUCTS)
    scored = time.perf_counter()
    groups = grouping.groups(cases, model.bundle.category_ids, model.vectors_ID)
    screened = explaining.screened(recommender, cases, groups, found, shared, shown=PRODUCTS)
    verified = explaining.verified(recommender, cases, found, screened, shared, floor=floor)
    ended = time.perf_counter()
    group_BK = screened.group.group_BK
    return Made(cases, shared, found, screened.screening, verified, group_BK, scored - began, ended - began)


@torch.inference_mode()
def shares(made: Made, floor: float) -> dict[str, Tensor]:
    """[N] each over the products of a batch: 1 where it has a verified reason; where it has, 1 if up to three
    units, or one group, decide whether it keeps its place, and whether it stays on the list.
    """
    replayed, real_BK = made.verified.replay, made.ranked.exists_BK
    group_BK = (made.group_BK != removal.NOTHING) & holds(replayed, slice(GROUP, GROUP + 1), floor).squeeze(-1)
    verified_BK = (holds(replayed, REASONS_ALONE, floor).any(-1) | group_BK) & real_BK
    change_BK = made.verified.change_BK
    moved_BK = (change_BK >= 0) & (made.verified.taker_BK > 0)
    rank_BK = replayed.rank_BKV.gather(2, change_BK.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return {
        "verified": verified_BK[real_BK].float(),
        Strength.LOSES_PLACE.value: moved_BK[verified_BK].float(),
        Strength.LEAVES_LIST.value: (moved_BK & (rank_BK > SHOWN))[verified_BK].float(),
    }


def polarity(model: Loaded, made: Made, floor: float, offset_I: Tensor) -> tuple[int, int]:
    """(how many verified reasons were replayed by the plain forward, how many of them do not lower log p)."""
    plain, cases = PlainModel.of(model.bundle), made.cases
    offset = offset_I.double().numpy().copy()
    offset[0] = 0.0
    held = (holds(made.verified.replay, REASONS_ALONE, floor) & made.ranked.exists_BK.unsqueeze(-1)).numpy()
    checked = wrong = 0
    for row in range(len(held)):
        items, types, times, baskets = (column[row].numpy() for column in cases.history[:4])
        past = Past(items=items, types=types, times=times, baskets=baskets, now=cases.now)
        allowed = made.ranked.candidates.eligible_BI[row].numpy()
        known: dict[int, np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
        for k, e in np.argwhere(held[row]):
            unit = int(made.screening.chosen_BK3[row, k, e])
            for gone in (-1, unit):
                if gone not in known:
                    kept = (cases.unit_BL[row] >= 0).numpy() & (cases.unit_BL[row] != gone).numpy()
                    scores = plain.scores(past.only(kept), int(cases.next_basket_B[row]), offset)
                    known[gone] = scores - np.logaddexp.reduce(scores[allowed])
            item = int(made.ranked.column_BK[row, k])
            checked += 1
            wrong += bool(known[unit][item] >= known[-1][item])
    return checked, wrong


@torch.inference_mode()
def optimality(model: Loaded, made: Made) -> Tensor:
    """[N] the effect of our units / that of the best set of up to three, by trying every one, for short histories."""
    cases, found, recommender = made.cases, made.ranked, model.bundle.model
    counts = (cases.unit_item_BU > 0).sum(1)
    units = min(MOST_UNITS, cases.unit_item_BU.shape[1])
    every = [list(s) + [-1] * (3 - n) for n in (1, 2, 3) for s in itertools.combinations(range(units), n)]
    column_BK = found.column_BK[:, :TRIED]
    chosen_BK3 = made.screening.chosen_BK3[:, :TRIED]
    seen = sight(found.candidates.own, found.pool_BN, column_BK)
    vectors, offset = found.candidates.vectors_ID[column_BK], found.candidates.offset_I[column_BK]
    nothing = torch.full((len(counts), 1, 3), -1)
    tried = torch.tensor(every).unsqueeze(0).expand(len(counts), -1, -1)
    sets = torch.cat([nothing, chosen_BK3, tried], dim=1)
    rows = distinct(recommender, cases, removal.without(cases, sets), made.shared)
    reached = pools.log_p(rows.state_BRD, found.pool, vectors, offset, seen, rows.seen_BRU)
    reached = reached.gather(1, rows.place_F[rows.row_BX].unsqueeze(-1).expand(-1, -1, column_BK.shape[1]))
    lost = reached[:, :1] - reached  # of each set, for each product
    ours = torch.stack([lost[:, 1 + k, k] for k in range(column_BK.shape[1])], dim=1)
    best = lost[:, 1 + column_BK.shape[1] :].amax(1)
    fits = (counts <= MOST_UNITS).unsqueeze(1) & (best > 0) & found.exists_BK[:, :TRIED]
    return (ours / best)[fits].clamp(max=1)


def neutral(made: Made) -> Iterator[tuple[int, int]]:
    """(row, product) of the unit of each shopper that matters least and is no reason, where there is one."""
    for row, items in enumerate(made.cases.unit_item_BU.tolist()):
        named = set(made.screening.chosen_BK3[row].flatten().tolist())
        matters = made.screening.delta_BUK[row].abs().amax(-1).tolist()
        free = [unit for unit, item in enumerate(items) if item and unit not in named]
        if free:
            yield row, items[min(free, key=lambda unit: matters[unit])]


def masked(histories: Histories, rows: Ints, pairs: list[tuple[int, int]]) -> Histories:
    """The histories in which one product each is as if excluded: its lines stay, without it."""
    items = np.array(histories.items)
    for row, item in pairs:
        part = slice(histories.offsets[rows[row]], histories.offsets[rows[row] + 1])
        items[part] = np.where(items[part] == item, 0, items[part])
    return replace(histories, items=items)


def likeness(one: Made, other: Made, rows: Iterable[int]) -> list[float]:
    """Jaccard of the units chosen for the products that stand on both lists, by shopper and product."""
    found = []
    for row in rows:
        theirs = dict(_named(other, row))
        found += [
            len(mine & theirs[item]) / len(mine | theirs[item])
            for item, mine in _named(one, row)
            if item in theirs and (mine or theirs[item])
        ]
    return found


def _named(made: Made, row: int) -> Iterator[tuple[int, frozenset[int]]]:
    items = made.cases.unit_item_BU[row].tolist()
    for item, chosen in zip(made.ranked.column_BK[row].tolist(), made.screening.chosen_BK3[row].tolist(), strict=True):
        yield item, frozenset(items[unit] for unit in chosen if unit >= 0)
