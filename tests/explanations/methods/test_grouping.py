"""What counts as one larger unit: a category, a basket, things that are alike to the model."""

import numpy as np
import torch

from explanations.methods.grouping import BASKETS, CATEGORIES, SETS, Groups, Kind, groups
from explanations.methods.removal import cases
from recommendations.ml.data import DAY
from tests.recommendations.ml.made import NOW, Line, histories_of, random_model

PRODUCTS = 12
CATEGORY_IDS = np.asarray([0, 70, 70, 50, 50, 50, 0, 0, 0, 0, 0, 0, 0], np.int64)
VECTORS = torch.eye(PRODUCTS + 1)
SLOTS = (slice(CATEGORIES), slice(CATEGORIES, CATEGORIES + BASKETS), slice(CATEGORIES + BASKETS, None))


def found(*lines: Line, vectors: torch.Tensor = VECTORS) -> Groups:
    """Of one shopper, beside one with a longer history and one who has none."""
    other = [(day * DAY, 1 + day % PRODUCTS, 1) for day in range(1, 16)]
    model = random_model(1, products=PRODUCTS)
    made = cases(model, histories_of([list(lines), other, []]), np.arange(3), now=NOW)
    return groups(made, CATEGORY_IDS, vectors)


def told(made: Groups, kind: Kind) -> list[tuple[int, list[int]]]:
    """(key, places of the lines) of the first shopper's groups of a kind."""
    slots = SLOTS[kind - 1]
    columns = zip(
        made.kind_BG[0, slots].tolist(), made.key_BG[0, slots].tolist(), made.lines_BGL[0, slots], strict=True
    )
    return [(key, lines.nonzero().flatten().tolist()) for is_kind, key, lines in columns if is_kind == kind]


def test_categories_with_most_things_come_first_and_one_thing_is_no_group() -> None:
    lines = [(DAY, 1, 1), (DAY, 2, 1), (2 * DAY, 3, 1), (3 * DAY, 4, 1), (4 * DAY, 5, 1), (5 * DAY, 3, 1)]

    assert told(found(*lines), Kind.CATEGORY) == [(50, [2, 3, 4, 5]), (70, [0, 1])]
    assert told(found((DAY, 1, 1), (2 * DAY, 1, 1), (3 * DAY, 7, 1), (4 * DAY, 8, 1)), Kind.CATEGORY) == []


def test_the_two_latest_baskets_of_several_things_that_were_not_bought_later_are_groups() -> None:
    lines = [
        *((DAY, item, 1) for item in (1, 2, 3)),
        *((2 * DAY, item, 1) for item in (6, 7, 10, 11)),
        (3 * DAY, 8, 1),  # alone
        *((4 * DAY, item, 1) for item in (6, 7, 9)),
    ]

    made = found(*lines)

    assert told(made, Kind.BASKET) == [(4 * DAY, [3, 4, 8, 9, 10]), (2 * DAY, [5, 6])]  # 6 and 7 with all their lines
    assert told(found((DAY, 6, 1), (2 * DAY, 7, 1), (2 * DAY, 6, 1), (3 * DAY, 7, 1)), Kind.BASKET) == []


def test_things_whose_vectors_nearly_agree_are_alike_the_largest_set_first_and_no_thing_in_two() -> None:
    vectors = torch.eye(PRODUCTS + 1)
    vectors[8] = vectors[7] + 0.1 * vectors[8]
    vectors[9] = 3 * vectors[7] - 0.3 * vectors[9]
    vectors[11] = vectors[10] + 0.4 * vectors[11]
    vectors[6] = vectors[10] + 0.6 * vectors[6]  # a cosine of .86
    lines = [(item * DAY, item, 1) for item in range(6, 12)]

    made = found(*lines, (20 * DAY, 8, 1), vectors=vectors)

    assert told(made, Kind.ALIKE) == [(7, [1, 2, 3, 6]), (10, [4, 5])]
    assert told(found(*lines), Kind.ALIKE) == []


def test_who_has_nothing_has_no_group_and_who_else_is_there_changes_nothing() -> None:
    lines = [(DAY, 1, 1), (DAY, 2, 1), (2 * DAY, 3, 1)]
    model = random_model(1, products=PRODUCTS)
    alone = groups(cases(model, histories_of([lines]), np.arange(1), now=NOW), CATEGORY_IDS, VECTORS)
    beside = found(*lines)

    assert alone.kind_BG.tolist() == beside.kind_BG[:1].tolist()
    assert alone.key_BG.tolist() == beside.key_BG[:1].tolist()
    assert torch.equal(alone.lines_BGL[0], beside.lines_BGL[0, :, : alone.lines_BGL.shape[-1]])
    assert not beside.kind_BG[2].any()
    assert not beside.lines_BGL[2].any()
    nobody = groups(cases(model, histories_of([[]]), np.arange(1), now=NOW), CATEGORY_IDS, VECTORS)
    assert nobody.kind_BG.tolist() == [[Kind.NONE] * (CATEGORIES + BASKETS + SETS)]
