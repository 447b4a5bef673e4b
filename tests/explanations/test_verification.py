"""Replaying counts what an explicit softmax, one history at a time, counts."""

import itertools
import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from explanations import fidelity
from explanations.methods import occlusion, pools
from explanations.methods.grouping import groups, strongest
from explanations.methods.moving import Moving
from explanations.methods.removal import NOTHING, Cases, cases, read, states, without
from explanations.verification import FULL, GROUP, PAIR, VARIANTS, Asked, Candidates, Replay, replay, variants
from recommendations.ml.model import Recommender
from tests.recommendations.ml.made import NOW, histories_of, random_model, random_shoppers

PRODUCTS = 12
SHOWN = 4
Order = tuple[list[int], dict[int, float], dict[int, float]]
few = settings(max_examples=6, deadline=None)


class Setting:
    """A random model, shoppers, candidates, and for each shopper some candidates as recommendations."""

    def __init__(self, seed: int, *, blocks: int = 1, has_ties: bool = False) -> None:
        self.model: Recommender = random_model(seed, blocks=blocks)
        shoppers = random_shoppers(seed)
        self.cases: Cases = cases(self.model, histories_of(shoppers), np.arange(len(shoppers)), now=NOW)
        random = torch.Generator().manual_seed(seed)
        self.candidates_BI: Tensor = torch.rand(len(shoppers), PRODUCTS + 1, generator=random) < 0.7
        self.candidates_BI[:, 1 : SHOWN + 1] = True
        self.candidates_BI[:, 0] = False
        with torch.no_grad():
            self.vectors_ID: Tensor = self.model.products(torch.arange(PRODUCTS + 1))
            self.offset_I: Tensor = self.model.bias.weight.squeeze(-1).clone()
        if has_ties:  # products 2, 3, 4 are one and the same to the model, and so are 8, 9
            self.vectors_ID[[3, 4, 9]] = self.vectors_ID[[2, 2, 8]]
            self.offset_I[[3, 4, 9]] = self.offset_I[[2, 2, 8]]
        self.items_BK: Tensor = torch.stack([1 + torch.randperm(SHOWN, generator=random) for _ in range(len(shoppers))])
        self._known: dict[tuple[int, tuple[bool, ...]], Order] = {}
        units = self.cases.unit_item_BU.shape[1]
        self.sets_BK3: Tensor = torch.randint(-1, units, (len(shoppers), SHOWN, 3), generator=random)

    def every_variant(self) -> Tensor:
        group_BKL = torch.zeros(*self.items_BK.shape, self.cases.unit_BL.shape[1], dtype=torch.bool)
        delta_BUK = torch.zeros(*self.cases.unit_item_BU.shape, SHOWN)
        removed_BK3, opposing_BK2 = self.sets_BK3.roll(1, 0), self.sets_BK3[..., :2].flip(-1)
        found = occlusion.Screening(delta_BUK, self.sets_BK3, removed_BK3, opposing_BK2, delta_BUK.long())
        moving = Moving(self.sets_BK3.roll(2, 0)[..., 0], torch.zeros_like(self.items_BK), group_BKL)
        return variants(self.cases, found, group_BKL, moving)

    def replay(
        self,
        visible_BKVL: Tensor,
        tile: int = 32,
        asked: Asked | None = None,
        leaders_BN: Tensor | None = None,
    ) -> Replay:
        return replay(
            self.model,
            self.cases,
            visible_BKVL,
            self.items_BK,
            Candidates.of(self.candidates_BI, self.vectors_ID, self.offset_I),
            asked=asked,
            leaders_BN=leaders_BN,
            shared=read(self.model, self.cases),
            tile=tile,
        )

    def leaders(self) -> Tensor:
        """The first five of each shopper, one more than there are places."""
        orders = [self.order(row, visible)[0][:5] for row, visible in enumerate(self.cases.real_BL)]
        return torch.tensor([order + [0] * (5 - len(order)) for order in orders])

    def order(self, row: int, visible_L: Tensor) -> Order:
        """Candidates from best to worst, their scores and their log p: one history, every step spelled out."""
        key = (row, tuple(visible_L.tolist()))
        if key not in self._known:
            self._known[key] = self._order(row, visible_L)
        return self._known[key]

    def _order(self, row: int, visible_L: Tensor) -> Order:
        every = torch.zeros(len(self.items_BK), 1, visible_L.shape[0], dtype=torch.bool)
        every[row, 0] = visible_L
        state = states(self.model, self.cases, every)[row, 0]
        candidates = [item for item in range(1, PRODUCTS + 1) if self.candidates_BI[row, item]]
        scores = {item: float(self.vectors_ID[item] @ state + self.offset_I[item]) for item in candidates}
        total = math.log(math.fsum(math.exp(score) for score in scores.values()))
        log_p = {item: score - total for item, score in scores.items()}
        return sorted(candidates, key=lambda item: (-round(scores[item], 5), item)), scores, log_p


@few
@given(st.integers(0, 10_000), st.integers(1, 2), st.booleans(), st.sampled_from([1, 5, 32]))
def test_score_log_p_and_rank_are_those_of_a_softmax_over_the_candidates(
    seed: int, blocks: int, has_ties: bool, tile: int
) -> None:
    made = Setting(seed, blocks=blocks, has_ties=has_ties)
    visible = made.every_variant()

    replayed = made.replay(visible, tile)

    assert replayed.rank_BKV.shape[-1] == VARIANTS
    for row, k, variant in np.ndindex(*replayed.rank_BKV.shape):
        item = int(made.items_BK[row, k])
        order, scores, log_p = made.order(row, visible[row, k, variant])
        assert abs(float(replayed.score_BKV[row, k, variant]) - scores[item]) < 1e-4
        assert abs(float(replayed.log_p_BKV[row, k, variant]) - log_p[item]) < 1e-4
        assert int(replayed.rank_BKV[row, k, variant]) == order.index(item) + 1


def test_equal_scores_rank_by_product_number() -> None:
    made = Setting(3, has_ties=True)

    replayed = made.replay(made.every_variant())

    for row in range(len(made.items_BK)):
        by_item = dict(zip(made.items_BK[row].tolist(), replayed.rank_BKV[row, :, FULL].tolist(), strict=True))
        assert [by_item[3], by_item[4]] == [by_item[2] + 1, by_item[2] + 2]


@few
@given(st.integers(0, 10_000), st.booleans())
def test_who_takes_the_place_of_a_product_that_falls_is_who_stands_there(seed: int, has_ties: bool) -> None:
    made = Setting(seed, has_ties=has_ties)
    visible = without(made.cases, made.sets_BK3).unsqueeze(2)
    places = torch.arange(1, SHOWN + 1).view(1, -1, 1).expand(visible.shape[:3])
    everything = Asked.everything(visible.shape[:3])

    found = made.replay(visible, asked=everything._replace(place_BKV=places), leaders_BN=made.leaders())

    for row, k in np.ndindex(*made.items_BK.shape):
        order, _, _ = made.order(row, visible[row, k, 0])
        falls = order.index(int(made.items_BK[row, k])) > k
        assert int(found.taker_BKV[row, k, 0]) == (order[k] if falls else 0)


def test_nothing_is_said_of_what_was_not_asked() -> None:
    made = Setting(4)
    visible = made.every_variant()
    asked = Asked.nothing(visible.shape[:3])
    asked.rank_BKV[:, 0, PAIR] = asked.log_p_BKV[:, 1, GROUP] = True

    found, whole = made.replay(visible, asked=asked), made.replay(visible)

    assert torch.equal(found.score_BKV, whole.score_BKV)
    assert torch.equal(found.rank_BKV, whole.rank_BKV.where(asked.rank_BKV, 0))
    assert torch.equal(found.log_p_BKV.isnan(), ~asked.log_p_BKV)
    assert torch.allclose(found.log_p_BKV[asked.log_p_BKV], whole.log_p_BKV[asked.log_p_BKV], rtol=0, atol=1e-6)
    assert found.taker_BKV.eq(0).all()


def test_few_and_many_barred_products_are_barred_alike() -> None:
    made = Setting(6)
    wide = torch.cat([made.candidates_BI, torch.ones(len(made.candidates_BI), 60, dtype=torch.bool)], dim=1)
    vectors = torch.cat([made.vectors_ID, torch.randn(60, made.vectors_ID.shape[1])])
    offset = torch.cat([made.offset_I, torch.zeros(60)])
    state, everybody = torch.randn(len(wide), vectors.shape[1]), torch.arange(len(wide))

    few_barred, many_barred = Candidates.of(wide, vectors, offset), Candidates.of(~wide, vectors, offset)

    assert few_barred.barred_BX is not None
    assert many_barred.barred_BX is None
    for candidates, eligible in ((few_barred, wide), (many_barred, ~wide)):
        scores = candidates.scores(state, everybody)
        expected = (state @ vectors.T + offset).masked_fill(~eligible, float("-inf"))
        expected[:, 0] = float("-inf")
        assert torch.allclose(scores, expected, atol=1e-5)


@few
@given(st.integers(0, 10_000))
def test_fidelity_is_the_ratio_of_probabilities(seed: int) -> None:
    made = Setting(seed)

    found = fidelity.measure(
        made.model, made.cases, made.sets_BK3, made.items_BK, made.candidates_BI, made.vectors_ID, made.offset_I
    )

    removed = without(made.cases, made.sets_BK3)
    for row, k in np.ndindex(*found.deletion_BK.shape):
        item = int(made.items_BK[row, k])
        full, less = (made.order(row, v)[2][item] for v in (made.cases.real_BL[row], removed[row, k]))
        kept = made.order(row, made.cases.real_BL[row] & ~removed[row, k])[2][item]
        assert math.isclose(float(found.deletion_BK[row, k]), math.exp(less - full), rel_tol=1e-3)
        assert math.isclose(float(found.insertion_BK[row, k]), math.exp(kept - full), rel_tol=1e-3)


def test_the_controls_are_the_latest_units_and_units_by_chance() -> None:
    made = Setting(8)

    recent = fidelity.most_recent(made.cases, SHOWN, 2)
    chance = fidelity.random_units(made.cases, SHOWN, 2, seed=1)

    for row, numbers in enumerate(made.cases.unit_BL.tolist()):
        own = [unit for unit in numbers if unit >= 0]
        latest = list(dict.fromkeys(reversed(own)))[:2]
        assert recent[row, 0].tolist() == latest + [-1] * (2 - len(latest))
        assert set(chance[row, 0].tolist()) <= {*own, -1}
        assert sum(unit >= 0 for unit in chance[row, 0].tolist()) == min(2, len(set(own)))
    assert torch.equal(chance, fidelity.random_units(made.cases, SHOWN, 2, seed=1))


def screened(made: Setting) -> tuple[pools.Pool, occlusion.Screening]:
    with torch.inference_mode():
        full = states(made.model, made.cases, made.cases.real_BL.unsqueeze(1))[:, 0]
        scores = (full @ made.vectors_ID.T + made.offset_I).masked_fill(~made.candidates_BI, float("-inf"))
    pool = pools.pool(scores, made.vectors_ID, made.offset_I)  # everybody: then screening is exact
    vectors, offset = made.vectors_ID[made.items_BK], made.offset_I[made.items_BK]
    return pool, occlusion.screen(made.model, made.cases, pool, vectors, offset)


@few
@given(st.integers(0, 10_000), st.integers(1, 2))
def test_screening_leaves_out_each_unit_and_names_first_what_costs_most(seed: int, blocks: int) -> None:
    made = Setting(seed, blocks=blocks)

    _, found = screened(made)

    for row, k in np.ndindex(*made.items_BK.shape):
        item = int(made.items_BK[row, k])
        full = made.order(row, made.cases.real_BL[row])[2][item]
        lost = {}
        for unit, product in enumerate(made.cases.unit_item_BU[row].tolist()):
            if product:
                visible = made.cases.real_BL[row] & (made.cases.unit_BL[row] != unit)
                lost[unit] = full - made.order(row, visible)[2][item]
                assert abs(float(found.delta_BUK[row, unit, k]) - lost[unit]) < 1e-4
            else:
                assert float(found.delta_BUK[row, unit, k]) == float("-inf")
        chosen = [unit for unit in found.chosen_BK3[row, k].tolist() if unit >= 0]
        assert len(set(chosen)) == len(chosen)
        best = max(lost.values(), default=0.0)
        if best > 1e-4:
            assert lost[chosen[0]] > 0
        elif best < -1e-4:
            assert chosen == []
        named = [lost[unit] for unit in chosen]
        assert all(more >= less - 1e-4 for more, less in itertools.pairwise(named))
        worst = min(lost.values(), default=0.0)
        if worst < -1e-4:
            assert abs(lost[int(found.opposing_BK2[row, k, 0])] - worst) < 1e-4


@few
@given(st.integers(0, 10_000))
def test_the_strongest_group_is_the_one_whose_removal_costs_most(seed: int) -> None:
    made = Setting(seed)
    category_ids = np.asarray([0, *(10 + number % 3 for number in range(PRODUCTS))], np.int64)
    pool, _ = screened(made)

    every = groups(made.cases, category_ids, made.vectors_ID)
    found = strongest(made.model, made.cases, every, pool, made.vectors_ID[made.items_BK], made.offset_I[made.items_BK])

    for row, k in np.ndindex(*made.items_BK.shape):
        item, real_L = int(made.items_BK[row, k]), made.cases.real_BL[row]
        full = made.order(row, real_L)[2][item]
        lost = {
            group: full - made.order(row, real_L & ~every.lines_BGL[row, group])[2][item]
            for group in every.kind_BG[row].nonzero().flatten().tolist()
        }
        best = max(lost, key=lambda group: lost[group], default=None)
        if best is None or lost[best] < -1e-4:
            assert (int(found.group_BK[row, k]), bool(found.lines_BKL[row, k].any())) == (NOTHING, False)
        elif lost[best] > 1e-4:
            chosen = int(found.group_BK[row, k])
            assert abs(lost[chosen] - lost[best]) < 1e-4
            assert torch.equal(found.lines_BKL[row, k], every.lines_BGL[row, chosen])
