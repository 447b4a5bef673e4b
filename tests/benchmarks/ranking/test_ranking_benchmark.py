from pathlib import Path

import numpy as np
import pytest
import torch

from recommendations.ml.config import ModelConfig
from recommendations.ml.history import History
from recommendations.ml.metrics import hits, per_shopper
from recommendations.ml.model import Recommender
from recommendations.ml.ranking import top
from tests.benchmarks.ranking import measuring, sequences
from tests.benchmarks.ranking.causal import become_causal
from tests.benchmarks.ranking.peers.exchange import Task, best
from tests.benchmarks.ranking.prepared import Prepared
from tests.benchmarks.ranking.weekly import WEEK, Weeks


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    (tmp_path / "Beauty.txt").write_text("1 4 2 1 3\n2 1 3 2\n")
    (tmp_path / "Beauty_item2attributes.json").write_text('{"1": [1, 2], "2": [2], "3": [3], "4": [1]}')
    return sequences.prepare("beauty", tmp_path)


def test_leave_one_out_tests_on_the_last_product_and_validates_on_the_one_before(prepared: Prepared) -> None:
    assert prepared.train.items.tolist() == [4, 2, 1]
    assert prepared.train.offsets.tolist() == [0, 2, 3]
    assert prepared.validation.items.tolist() == [1, 3]
    assert prepared.context.items.tolist() == [4, 2, 1, 1, 3]
    assert prepared.context.times.tolist() == [0, 1, 2, 0, 1]
    assert prepared.test.items.tolist() == [3, 2]
    assert prepared.catalogue.attributes["attribute"].tolist() == [[0, 0], [1, 2], [2, 0], [3, 0], [1, 0]]


def test_a_prepared_file_is_read_as_it_was_written(prepared: Prepared, tmp_path: Path) -> None:
    prepared.write(tmp_path / "beauty.npz")
    read = Prepared.read(tmp_path / "beauty.npz")

    assert (read.name, read.kinds, read.has_times, read.test.now) == ("beauty", ("new",), False, 4)
    assert read.catalogue.sizes == {"attribute": 3}
    np.testing.assert_array_equal(read.context.items, prepared.context.items)
    np.testing.assert_array_equal(read.validation.shoppers, prepared.validation.shoppers)


def test_peers_and_evaluator_order_scores_alike() -> None:
    scores = np.random.default_rng(0).integers(0, 5, (20, 60)).astype(np.float32)
    scores[:, 0] = -np.inf

    _, ours = top(torch.from_numpy(scores), 10)

    np.testing.assert_array_equal(best(scores, 10), ours.numpy())


def test_peers_stop_early_by_the_evaluators_measure(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared.write(tmp_path / "beauty.npz")
    monkeypatch.setattr("sys.argv", ["peer", "name", str(tmp_path / "beauty.npz"), str(tmp_path / "answer.npz")])
    task = Task()
    scores = np.array([[9, 4, 8, 1, 9], [9, 4, 1, 3, 2]], np.float32)
    ranked = task.rank(lambda rows: scores[rows], prepared.validation.shoppers, "train", "new", 10)

    expected = per_shopper(hits(ranked.astype(np.int64), prepared.validation, 4), np.array([1, 1]), at=10)

    assert ranked.tolist() == [[1, 3, 0, 0], [3, 4, 2, 0]]
    assert task.validation_ndcg(np.pad(ranked, ((0, 0), (0, 6)))) == pytest.approx(expected["ndcg@10"].mean())


def test_packed_values_are_those_that_were_measured() -> None:
    values = np.array([0.0, 1.0, 0.63093, 0.28906])

    np.testing.assert_allclose(measuring.unpack(measuring.pack(values)), values, atol=1e-5)


def test_the_evaluator_counts_hits_and_coverage_of_the_first_ten(prepared: Prepared) -> None:
    ranked = np.array([[2, 3, 0, 0], [4, 0, 0, 0]])

    measured = measuring.measure(ranked, prepared, measuring.asked(prepared).by_kind["new"])

    assert measured["shoppers"] == 2
    assert measured["hr@5"] == 0.5
    assert measured["ndcg@10"] == pytest.approx(0.31546, abs=1e-5)
    assert measured["mrr"] == 0.25
    assert measured["coverage@10"] == 0.75


def test_the_plain_causal_read_out_sees_the_lines_before_the_moment_and_none_after() -> None:
    torch.manual_seed(0)
    model = Recommender(ModelConfig(width=8, uses_attributes=False), products=9)
    become_causal(model)
    model.eval()
    items = torch.tensor([[1, 2, 3, 4, 0]])
    baskets = torch.tensor([[0, 1, 1, 2, 0]])
    history = History(items, (items > 0).long(), torch.tensor([[0, 10, 10, 99_999, 0]]), baskets)
    asked = torch.tensor([[0, 1, 2, 3]])
    visible = (baskets.unsqueeze(1) < asked.unsqueeze(2)) & (items > 0).unsqueeze(1)

    def states(history: History) -> torch.Tensor:
        return model.read_out(model.tokens_BLD(history), history, visible, asked, torch.tensor([[0, 5, 50, 200_000]]))

    changed = states(history._replace(items_BL=torch.tensor([[1, 2, 3, 7, 0]])))

    assert (states(history) - changed).abs().amax(-1).gt(0).tolist() == [[False, False, False, True]]


def test_weeks_follow_each_other_up_to_the_last_order() -> None:
    weeks = Weeks.__new__(Weeks)
    weeks.end, weeks.weeks = 100 * WEEK, 6

    assert [weeks.cutoff(week) // WEEK for week in range(7)] == [93, 94, 95, 96, 97, 98, 99]
