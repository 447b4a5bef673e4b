"""The benchmark measures what it says: on the model itself, by both operators, once."""

from pathlib import Path

import numpy as np
import pytest
import torch

from explanations.methods.protocol import Question
from explanations.methods.registry import METHODS
from explanations.methods.removal import cases, without
from explanations.verification import Candidates, replay
from recommendations.ml.data import DAY, Ints
from tests.benchmarks.explanations import stages
from tests.benchmarks.explanations.effects import closed_up, effects
from tests.benchmarks.explanations.parts import kept
from tests.benchmarks.explanations.plots import plot
from tests.benchmarks.explanations.report import number, page
from tests.benchmarks.explanations.subjects import Subject, randomised
from tests.benchmarks.explanations.summary import Bootstrap, by_size, polarity, summarise
from tests.explanations.methods.asking import ask
from tests.recommendations.ml.made import NOW, Line, histories_of, random_model, random_shoppers

BLOCKS = pytest.mark.parametrize("blocks", [1, 2])
SHOPPER: list[Line] = [(DAY, 5, 1), (2 * DAY, 7, 1), (2 * DAY, 8, 1), (4 * DAY, 5, 2), (9 * DAY, 11, 1)]
METHODS_TRIED = {name: METHODS[name] for name in ("joint", "leave_one_out", "recency", "random")}


def subject(seed: int = 1) -> Subject:
    model, histories = random_model(seed, products=40), histories_of(random_shoppers(seed, shoppers=8, products=20))
    with torch.no_grad():
        vectors, offset = model.products(torch.arange(41)), model.bias.weight.squeeze(-1).clone()
    offset[0] = float("-inf")
    shown = torch.ones(41, dtype=torch.bool)
    shown[0] = False
    rows = np.flatnonzero(np.diff(histories.offsets) > 1)
    return Subject(
        name="made",
        model=model,
        histories=histories,
        now=NOW,
        vectors_ID=vectors,
        offset_I=offset,
        shown_I=shown,
        shoppers=rows,
        learners=rows,
        facts={"shoppers": 8, "products": 40, "ndcg@10": 0.5},
    )


def of_shopper(blocks: int) -> Question:
    return ask(random_model(3, blocks=blocks, products=40), [SHOPPER])


@BLOCKS
def test_masked_effects_are_those_of_the_replay(blocks: int) -> None:
    asked = of_shopper(blocks)
    sets = torch.tensor([[[0, -1], [1, -1], [2, 3], [0, 1]]])
    visible = without(asked.cases, sets)[0]
    visible_BKVL = visible.unsqueeze(0).unsqueeze(0).expand(1, 3, -1, -1)

    candidates = Candidates.of(asked.candidates_BI, asked.vectors_ID, asked.offset_I)
    expected = replay(asked.model, asked.cases, visible_BKVL, asked.items_BK, candidates)

    for product, item in enumerate(asked.items_BK[0]):
        found = effects(asked, visible, item.expand(4), "mask")
        assert torch.allclose(found.log_p_X, expected.log_p_BKV[0, product], atol=1e-5)
        assert torch.equal(found.rank_X, expected.rank_BKV[0, product])


@BLOCKS
def test_dropped_effects_are_those_of_a_shopper_who_never_did_it(blocks: int) -> None:
    asked = of_shopper(blocks)
    gone = int(asked.cases.unit_BL[0, 1])
    visible = without(asked.cases, torch.tensor([[[gone]]]))[0]
    never = ask(asked.model, [[line for line in SHOPPER if line[1] != 7]])
    shorter = Question(
        model=asked.model,
        cases=never.cases,
        items_BK=asked.items_BK,
        candidates_BI=asked.candidates_BI,
        vectors_ID=asked.vectors_ID,
        offset_I=asked.offset_I,
    )

    found = effects(asked, visible, asked.items_BK[0, :1], "drop")

    everything = never.cases.real_BL
    assert torch.allclose(found.log_p_X, effects(shorter, everything, asked.items_BK[0, :1], "mask").log_p_X, atol=1e-5)


def test_closing_up_numbers_the_baskets_anew() -> None:
    found = cases(random_model(1), histories_of([SHOPPER]), np.asarray([0]), now=NOW)
    visible = torch.tensor([[False, True, True, False, True], [False] * 5, [True, False, False, False, False]])

    history, following = closed_up(found, visible)

    assert history.items_BL.tolist() == [[7, 8, 11, 0, 0], [0] * 5, [5, 0, 0, 0, 0]]
    assert history.baskets_BL[0, :3].tolist() == [0, 0, 1]
    assert history.times_BL[0, :3].tolist() == [2 * DAY, 2 * DAY, 9 * DAY]
    assert following.tolist() == [2, 0, 1]


def test_the_strongest_units_come_first_and_missing_ones_are_none() -> None:
    value = torch.tensor([[[0.1], [0.5], [0.5], [float("-inf")]]])

    assert stages.strongest(value, 5).tolist() == [[[1, 2, 0, -1, -1]]]


def test_a_set_of_all_is_judged_as_such() -> None:
    asked = subject()
    rows = asked.shoppers[:4]

    found = stages.faithfulness(asked, METHODS_TRIED, rows)

    question = asked.question(rows)
    for at in range(4):
        units = int(question.exists_BU[at].sum())
        if units <= stages.LARGEST:  # nothing but all units is the whole history
            assert np.allclose(found["mask_log_p"][at, ..., stages.ONLY + units - 1], found["mask_full_log_p"][at])
    own, product = question.items_BK[0], np.arange(5)
    assert found["mask_full_rank"][0].tolist() == (product + 1).tolist()
    assert len(own) == 5
    assert found["cost_ms"].shape == (4, len(METHODS_TRIED))


def test_the_best_set_is_the_bound_and_exhaustive_search_finds_it() -> None:
    asked = subject(2)

    found = stages.optimality(asked, METHODS_TRIED, asked.shoppers)["optimality"]

    known = found[np.isfinite(found)]
    assert len(known) > 0
    assert known.max() <= 1 + 1e-6
    ours, random = found[:, 0][np.isfinite(found[:, 0])], found[:, 3][np.isfinite(found[:, 3])]
    assert ours.mean() > random.mean()


def test_a_method_is_stable_and_sane_against_itself() -> None:
    asked = subject(3)
    rows = asked.shoppers[:4]

    sanity = stages.sanity(asked, asked, METHODS_TRIED, METHODS_TRIED, rows)["spearman"]
    stability = stages.stability(asked, METHODS_TRIED, rows)

    assert np.allclose(sanity[np.isfinite(sanity)], 1.0)
    assert set(stability) == {"neutral_mask", "one_more"}
    assert all((values >= 0).all() and (values <= 1).all() for values in stability.values())


def test_shuffled_weights_keep_their_sizes_and_lose_what_they_say() -> None:
    asked = subject(4)

    shuffled = randomised(asked)

    pairs = list(zip(asked.model.parameters(), shuffled.model.parameters(), strict=True))
    assert all(one.shape == other.shape for one, other in pairs)
    assert not torch.equal(asked.vectors_ID, shuffled.vectors_ID)
    assert torch.equal(asked.vectors_ID, asked.model.products(torch.arange(41)))  # the original is as it was
    assert bool((shuffled.vectors_ID[0] == 0).all())


def test_measures_are_those_of_the_definitions() -> None:
    log_p = np.log(np.asarray([0.2, 0.1, 0.05, 0.05, 0.05, 0.4, 0.4, 0.4, 0.4, 0.8, 0.2, 0.5, 0.4]))
    rank = np.asarray([3, 11, 11, 11, 11, 1, 1, 1, 1, 1, 3, 1, 2])
    arrays = {
        "mask_full_log_p": np.log(np.asarray([[0.4]])),
        "mask_log_p": log_p.reshape(1, 1, 1, -1),
        "mask_rank": rank.reshape(1, 1, 1, -1),
    }

    measured = by_size(arrays, "mask")

    assert measured["del"][0, 0, 0, :2].tolist() == pytest.approx([0.5, 0.25])
    assert measured["ins"][0, 0, 0, [0, 4]].tolist() == pytest.approx([1.0, 2.0])
    assert measured["pos"][0, 0, 0].tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]
    assert measured["cdcg"][0, 0, 0, 0] == pytest.approx(0.5)
    assert polarity(arrays, "mask").tolist() == [[pytest.approx(2 / 3)]]  # one rises, one stays


def test_an_interval_lies_around_its_mean_and_leaves_out_who_has_no_value() -> None:
    draw = Bootstrap(4)

    mean, low, high = draw(np.asarray([1.0, 2.0, 3.0, np.nan]))

    assert mean == 2.0
    assert 1.0 <= low < 2.0 < high <= 3.0
    assert all(np.isnan(draw(np.full(4, np.nan))))


def test_what_is_finished_is_not_computed_again(tmp_path: Path) -> None:
    asked: list[list[int]] = []

    def compute(rows: Ints) -> stages.Arrays:
        asked.append(rows.tolist())
        if len(asked) == 2:
            raise KeyboardInterrupt
        return {"twice": rows * 2}

    with pytest.raises(KeyboardInterrupt):
        kept(tmp_path, "stage", np.arange(5), batch=2, compute=compute)
    found = kept(tmp_path, "stage", np.arange(5), batch=2, compute=compute)

    assert found["twice"].tolist() == [0, 2, 4, 6, 8]
    assert asked == [[0, 1], [2, 3], [2, 3], [4]]


def test_results_are_written_as_a_page_and_a_plot() -> None:
    asked, rows = subject(5), subject(5).shoppers[:4]
    arrays = {
        "faithfulness": stages.faithfulness(asked, METHODS_TRIED, rows),
        "stability": stages.stability(asked, METHODS_TRIED, rows),
        "sanity": stages.sanity(asked, randomised(asked), METHODS_TRIED, METHODS_TRIED, rows),
        "optimality": stages.optimality(asked, METHODS_TRIED, rows),
    }

    result = summarise(arrays, list(METHODS_TRIED), facts=asked.facts, reference="joint")

    assert result["methods"]["joint"]["mask"]["minus_joint"]["del"] == [0.0, 0.0, 0.0]
    assert page({"made": result}).count("**needed and enough (ours)**") == 10
    assert plot(result).count("<polyline") == 8 * len(METHODS_TRIED)
    assert (number(0.2138), number(1.5), number(-0.25, 2), number(float("nan"))) == (".214", "1.500", "-.25", "–")
