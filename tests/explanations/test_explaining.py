"""What is claimed of a whole catalogue is what plain forwards say, one history at a time, each step spelled out."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from explanations import explaining
from explanations.explaining import CHANGES, Ranked, Screened, Verified
from explanations.methods.grouping import Groups, Kind, groups
from explanations.methods.own import own
from explanations.methods.reading import last_block
from explanations.methods.removal import NOTHING, Cases, cases, read, states
from explanations.verification import (
    CUT,
    EMPTY,
    FULL,
    GROUP,
    LARGER,
    ONLY_SINGLE,
    OPPOSING,
    OTHER,
    PAIR,
    REMOVED,
    SINGLE,
    TRIPLE,
    Candidates,
)
from recommendations.ml.history import History, gap_bucket
from recommendations.ml.model import Recommender
from recommendations.ml.repeats import SCALE
from tests.recommendations.ml.made import NOW, histories_of, random_model, random_shoppers, trained_model

PRODUCTS, SHOWN, FLOOR = 12, 4, math.log(1.05)
Order = tuple[list[int], dict[int, float], dict[int, float]]
CATEGORIES = np.asarray([0, *(10 + number % 3 for number in range(PRODUCTS))], np.int64)
few = settings(max_examples=8, deadline=None)


class Explained:
    """Random shoppers, explained from beginning to end."""

    def __init__(self, seed: int, model: Recommender) -> None:
        shoppers = random_shoppers(seed, products=PRODUCTS)
        self.model = model
        self.cases: Cases = cases(model, histories_of(shoppers), np.arange(len(shoppers)), now=NOW)
        self.eligible = torch.rand(len(shoppers), PRODUCTS + 1, generator=torch.Generator().manual_seed(seed)) < 0.8
        self.eligible[:, 0] = False
        with torch.no_grad():
            self.vectors = model.products(torch.arange(PRODUCTS + 1))
            self.offset = model.bias.weight.squeeze(-1).clone()
        candidates = Candidates.of(self.eligible, self.vectors, self.offset, own(model, self.cases))
        shared = read(model, self.cases)
        self.state_BD = states(model, self.cases, self.cases.real_BL.unsqueeze(1), shared)[:, 0]
        self.ranked: Ranked = explaining.ranked(self.state_BD, candidates, 6)
        self.groups: Groups = groups(self.cases, CATEGORIES, self.vectors)
        self.screened: Screened = explaining.screened(model, self.cases, self.groups, self.ranked, shared, shown=SHOWN)
        self.verified: Verified = explaining.verified(
            model, self.cases, self.ranked, self.screened, shared, floor=FLOOR
        )

    @torch.inference_mode()
    def order(self, row: int, kept: Sequence[int]) -> Order:
        """Candidates from best to worst, their scores and log p, from a history in which nothing else ever was."""
        history = History(*(column[row : row + 1, list(kept)] for column in self.cases.history))
        if not kept:  # one line of padding, which nothing sees
            history = History(*(torch.zeros(1, 1, dtype=torch.int64) for _ in history))
        state = self.model.read_out(
            self.model.tokens_BLD(history),
            history,
            (history.items_BL > 0).unsqueeze(1),
            self.cases.next_basket_B[row].view(1, 1),
            torch.tensor([[NOW]]),
        )[0, 0]
        met: dict[int, list[int]] = {}
        for item, time in zip(history.items_BL[0].tolist(), history.times_BL[0].tolist(), strict=True):
            met.setdefault(item, []).append(time)
        scores = {}
        for item in torch.nonzero(self.eligible[row]).squeeze(1).tolist():
            scores[item] = float(self.vectors[item] @ state + self.offset[item])
            if self.model.repeats is not None and item in met:
                scores[item] += self.repeated(item, met[item], state)
        total = math.log(math.fsum(math.exp(score) for score in scores.values()))
        log_p = {item: score - total for item, score in scores.items()}
        return sorted(scores, key=lambda item: (-round(scores[item], 5), item)), scores, log_p

    def repeated(self, item: int, times: list[int], state: torch.Tensor) -> float:
        term = self.model.repeats
        assert term is not None
        opened, shift = (float(value) for value in term.inclination(state))
        base = float(term.count.weight[len(times)] + term.tendency.weight[item])
        if term.gap is not None:
            base += float(term.gap.weight[gap_bucket(torch.tensor(NOW - max(times)))])
        ages = [int(gap_bucket(torch.tensor(NOW - time))) if term.gap is not None else 0 for time in times]
        counted = math.fsum(math.exp(SCALE * float(term.fading.weight[age])) for age in ages)
        base += float(term.rise) * math.log(counted)
        doubted = (float(term.trust) - 1) * float(self.vectors[item] @ state)
        return 2 / (1 + math.exp(-2 * opened)) * float(SCALE) * base + shift + doubted

    def kept(self, row: int, k: int, variant: int) -> list[int]:
        """The lines that a variant leaves."""
        chosen = self.screened.screening.chosen_BK3[row, k].tolist()
        removed = self.screened.screening.removed_BK3[row, k].tolist()
        against = self.screened.screening.opposing_BK2[row, k].tolist()
        numbers, items = self.cases.unit_BL[row].tolist(), self.cases.history.items_BL[row].tolist()
        real = [place for place, unit in enumerate(numbers) if unit >= 0]
        if variant == FULL:
            return real
        if variant == EMPTY:
            return []
        if ONLY_SINGLE <= variant < ONLY_SINGLE + 3:
            return [place for place in real if numbers[place] == chosen[variant - ONLY_SINGLE]]
        if variant == GROUP:
            group = int(self.screened.group.group_BK[row, k])
            out = self.groups.lines_BGL[row, group].tolist() if group != NOTHING else [False] * len(items)
            return [place for place in real if not out[place]]
        if variant == LARGER:
            category = int(self.screened.moving.category_BK[row, k])
            return [place for place in real if CATEGORIES[items[place]] != category]
        gone = {
            SINGLE: chosen[:1],
            SINGLE + 1: chosen[1:2],
            SINGLE + 2: chosen[2:],
            PAIR: chosen[:2],
            TRIPLE: chosen,
            REMOVED: removed[:2],
            REMOVED + 1: removed,
            OPPOSING: against[:1],
            OPPOSING + 1: against[1:],
            OTHER: [int(self.screened.moving.unit_BK[row, k])],
        }[variant]
        return [place for place in real if numbers[place] not in gone]

    def agrees_with_plain_forwards(self) -> int:
        """How many values were asked for; each of them is what a plain forward says."""
        replayed, asked = self.verified.replay, 0
        for row, k in np.argwhere(self.ranked.exists_BK[:, :SHOWN].numpy()):
            item = int(self.ranked.column_BK[row, k])
            for variant in range(replayed.rank_BKV.shape[-1]):
                order, scores, log_p = self.order(row, self.kept(row, k, variant))
                assert abs(float(replayed.score_BKV[row, k, variant]) - scores[item]) < 1e-4
                if (rank := int(replayed.rank_BKV[row, k, variant])) > 0:
                    assert rank == order.index(item) + 1
                    asked += 1
                value = float(replayed.log_p_BKV[row, k, variant])
                assert math.isnan(value) or abs(value - log_p[item]) < 1e-4
                if taker := int(replayed.taker_BKV[row, k, variant]):
                    assert order[k] == taker
        return asked


@few
@given(st.integers(0, 10_000), st.integers(1, 4), st.booleans())
def test_whatever_is_claimed_equals_plain_forwards(seed: int, blocks: int, uses_repeats: bool) -> None:
    made = Explained(seed, random_model(seed, blocks=blocks, uses_repeats=uses_repeats))

    assert made.agrees_with_plain_forwards() >= 2 * SHOWN


def test_so_it_does_with_a_model_that_was_trained() -> None:
    made = Explained(7, trained_model(7))

    assert made.agrees_with_plain_forwards() >= 2 * SHOWN


@few
@given(st.integers(0, 10_000), st.floats(5, 100))
def test_it_does_so_where_a_head_attends_to_one_line_alone(seed: int, sharpness: float) -> None:
    model = random_model(seed)
    with torch.no_grad():
        last_block(model)[1].key.weight *= sharpness

    assert Explained(seed, model).agrees_with_plain_forwards() >= 2 * SHOWN


@few
@given(st.integers(0, 10_000), st.booleans())
def test_a_question_is_asked_where_a_claim_may_follow(seed: int, uses_repeats: bool) -> None:
    made = Explained(seed, random_model(seed, uses_repeats=uses_repeats))
    replayed, chosen = made.verified.replay, made.screened.screening.chosen_BK3

    for row, k in np.argwhere(made.ranked.exists_BK[:, :SHOWN].numpy()):
        rank, log_p = replayed.rank_BKV[row, k].tolist(), replayed.log_p_BKV[row, k].tolist()
        reasons = [e for e in range(3) if chosen[row, k, e] != NOTHING]
        assert rank[FULL] == k + 1
        assert all(rank[SINGLE + e] > 0 and rank[ONLY_SINGLE + e] > 0 for e in reasons)
        lost = [log_p[FULL] - log_p[SINGLE + e] for e in reasons]
        held = [d >= FLOOR and (rank[SINGLE + e] > k + 1 or d >= CUT) for e, d in zip(reasons, lost, strict=True)]
        assert (rank[GROUP] > 0) == (not any(held) and int(made.screened.group.group_BK[row, k]) != NOTHING)
        moved = [variant for variant in CHANGES if rank[variant] > k + 1]
        assert int(made.verified.change_BK[row, k]) == (moved[0] if moved else -1)
        assert int(made.verified.taker_BK[row, k]) == (
            made.order(row, made.kept(row, k, moved[0]))[0][k] if moved else int(made.verified.taker_BK[row, k])
        )
        removed = made.screened.screening.removed_BK3[row, k].tolist()
        assert removed[0] == chosen[row, k, 0]
        is_open = rank[SINGLE] <= k + 1
        unit, category = (int(found[row, k]) for found in made.screened.moving[:2])
        assert (rank[OTHER] > 0, rank[LARGER] > 0) == (is_open and unit != NOTHING, is_open and category > 0)
        assert (rank[REMOVED] > 0, rank[REMOVED + 1] > 0) == (
            is_open and unit == NOTHING and removed[1] != NOTHING,
            is_open and unit == NOTHING and removed[2] != NOTHING,
        )


@few
@given(st.integers(0, 10_000), st.integers(1, 2), st.booleans())
def test_the_smallest_unit_or_group_that_moves_a_product_is_found(seed: int, blocks: int, uses_repeats: bool) -> None:
    made = Explained(seed, random_model(seed, blocks=blocks, uses_repeats=uses_repeats))
    moving, groups = made.screened.moving, made.groups

    for row, k in np.argwhere(made.ranked.exists_BK[:, :SHOWN].numpy()):
        item, numbers = int(made.ranked.column_BK[row, k]), made.cases.unit_BL[row].tolist()
        items = made.cases.history.items_BL[row].tolist()
        real = [place for place, unit in enumerate(numbers) if unit >= 0]

        def moves(kept: list[int], row: int = row, item: int = item, k: int = k) -> bool:
            return made.order(row, kept)[0].index(item) > k

        first = int(made.screened.screening.chosen_BK3[row, k, 0])
        units = [(numbers.count(unit), unit) for unit in sorted({numbers[place] for place in real})]
        units = [(size, unit) for size, unit in units if moves([p for p in real if numbers[p] != unit])]
        is_first = (first if first != NOTHING else 0) in [unit for _, unit in units]
        assert int(moving.unit_BK[row, k]) == (NOTHING if is_first or not units else min(units)[1])
        kinds = [
            (sum(CATEGORIES[items[p]] == category for p in real), place, category)
            for place, category in enumerate(groups.key_BG[row].tolist())
            if groups.kind_BG[row, place] == Kind.CATEGORY
            and moves([p for p in real if CATEGORIES[items[p]] != category])
        ]
        assert int(moving.category_BK[row, k]) == (0 if is_first or units or not kinds else min(kinds)[2])


@few
@given(st.integers(0, 10_000))
@torch.inference_mode()
def test_only_products_of_the_history_get_something_for_that(seed: int) -> None:
    made = Explained(seed, random_model(seed, uses_repeats=True))

    part_BK = made.ranked.candidates.own_part(made.state_BD.unsqueeze(1), made.ranked.column_BK)

    assert part_BK is not None
    for row, k in np.argwhere(made.ranked.exists_BK.numpy()):
        is_own = int(made.ranked.column_BK[row, k]) in made.cases.unit_item_BU[row].tolist()
        assert bool(part_BK[row, k] != 0) == is_own
