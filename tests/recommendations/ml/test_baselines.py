"""Every baseline against figures worked out by hand."""

import numpy as np
import pytest
import torch

from recommendations.ml import baselines
from recommendations.ml.companions import same_basket
from recommendations.ml.data import DAY
from tests.recommendations.ml.made import histories_of

# Three shoppers, four products; the third bought long ago.
HISTORIES = histories_of(
    [
        [(100 * DAY, 1, 1), (100 * DAY, 2, 1), (130 * DAY, 1, 1)],
        [(120 * DAY, 1, 1), (125 * DAY, 3, 1)],
        [(10 * DAY, 2, 1)],
    ]
)
EVERYBODY = np.arange(3)


def test_popular_counts_lines_and_popular_lately_those_of_four_weeks() -> None:
    assert baselines.popular(HISTORIES, 4)(EVERYBODY).tolist() == [[0, 3, 2, 1, 0]] * 3
    assert baselines.recent_popular(HISTORIES, 4, now=131 * DAY)(EVERYBODY)[0].tolist() == [0, 2, 0, 1, 0]


def test_personal_frequency_counts_own_lines_and_breaks_ties_by_popularity() -> None:
    tie = torch.tensor([0, 3, 2, 1, 0]) / 4

    scores = baselines.personal_frequency(HISTORIES, 4)(EVERYBODY)

    own = torch.tensor([[0, 2, 1, 0, 0], [0, 1, 0, 1, 0], [0, 0, 1, 0, 0]])
    torch.testing.assert_close(scores, own + tie)


def test_item_knn_sums_shrunk_cosines_over_what_the_shopper_has() -> None:
    # Shoppers with: product 1 two, 2 two, 3 one; 1 and 2 together in one shopper, 1 and 3 in one.
    near, far = 1 / (2 + 10), 1 / (np.sqrt(2) + 10)

    scores = baselines.item_knn(HISTORIES, 4)(EVERYBODY)

    assert scores[2].tolist() == pytest.approx([0, near, 0, 0, 0])
    assert scores[0].tolist() == pytest.approx([0, near, near, far, 0])
    assert scores[1].tolist() == pytest.approx([0, far, near, far, 0])


def test_item_knn_keeps_only_the_nearest_neighbours() -> None:
    nearest = baselines.item_knn(HISTORIES, 4, neighbours=1)(EVERYBODY)

    # the only neighbour that product 3 keeps is 1; that of 1 is 3, whose cosine is the larger: it is bought less
    assert nearest[1].tolist() == pytest.approx([0, 1 / (np.sqrt(2) + 10), 1 / 12, 1 / (np.sqrt(2) + 10), 0])


@pytest.mark.parametrize(("only", "expected"), [("all", [1, 2, 3]), ("new", [3, 4, 0]), ("repeat", [1, 2, 0])])
def test_ranking_with_a_baseline_leaves_out_what_is_not_asked(only: str, expected: list[int]) -> None:
    ranked = baselines.rank_with(baselines.popular(HISTORIES, 4), HISTORIES, EVERYBODY, 4, count=3, only=only)

    assert ranked[0].tolist() == expected


def test_the_same_basket_hit_rate_asks_of_each_product_for_the_others_of_its_basket() -> None:
    later = histories_of([[(1, 1, 1), (1, 2, 1), (2, 3, 1)], [(1, 1, 1), (1, 3, 1), (1, 4, 1)]])
    ranked = np.asarray([[0, 0], [2, 4], [3, 4], [1, 2], [0, 0]])

    # 1 → 2: hit; 2 → 3, 4: no. In the other basket 1 → 4: hit; 3 → 1: hit; 4 has nothing. A basket of one is not asked.
    assert same_basket(ranked, later, at=2).hit_M.tolist() == [True, False, True, True, False]
    assert same_basket(ranked, later, at=1).hit_M.tolist() == [True, False, False, True, False]
    assert same_basket(ranked, later).shopper_M.tolist() == [0, 0, 1, 1, 1]
