"""The best products of many shoppers."""

import pytest
import torch

from recommendations.ml.ranking import largest, top


@pytest.mark.parametrize("products", [1, 7, 50, 997, 4_096])
@pytest.mark.parametrize("count", [1, 5, 42])
def test_the_largest_are_those_of_one_search_over_all(products: int, count: int) -> None:
    scores = torch.randperm(3 * products, generator=torch.Generator().manual_seed(products)).view(3, -1).float()
    count = min(count, products)

    values, columns = largest(scores, count)

    torch.testing.assert_close(values.sort(descending=True).values, torch.topk(scores, count, dim=1).values)
    assert torch.equal(scores.gather(1, columns), values)


def test_ties_are_broken_by_product_number_and_what_is_left_out_comes_last() -> None:
    scores = torch.zeros(2, 5_000)
    scores[0, 4_000:4_020] = 1.0
    scores[1] = float("-inf")
    scores[1, 77] = 3.0
    scores[:, 0] = float("-inf")

    values, items = top(scores, 10)

    assert items[0].tolist() == list(range(4_000, 4_010))
    assert items[1, 0] == 77
    assert values[1, 1:].isinf().all()
