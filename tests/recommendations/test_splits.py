"""What is learnt, what chooses, what measures; and what chooses where the beginning had learnt a part of it."""

from datetime import timedelta

import numpy as np
import pytest

from recommendations import training
from recommendations.ml.data import DAY, Catalogue, Histories, Ignored, Unwanted
from recommendations.ml.kinds import Kinds
from recommendations.snapshots import Arrays
from recommendations.splits import FEWEST_SHOPPERS, Split
from tests.factories import NOON, ModelVersionFactory, SnapshotFactory
from tests.recommendations.ml.made import histories_of

END = int(NOON.timestamp())
VALIDATION, TEST = END - 60 * DAY, END - 30 * DAY  # as the factory splits
NOTHING = np.zeros(FEWEST_SHOPPERS + 21, np.int64), np.empty(0, np.int32), np.empty(0, np.int64)


def arrays(histories: Histories) -> Arrays:
    offsets, items, times = NOTHING
    return Arrays(
        histories=histories,
        unwanted=Unwanted(offsets=offsets, items=items, times=times, weights=np.empty(0, np.float32)),
        ignored=Ignored(offsets=offsets, items=items, since=times, until=times),
        shopper_ids=np.arange(len(histories)),
        catalogue=Catalogue(products=4, attributes={}, sizes={}),
        product_ids=np.arange(5),
        category_ids=np.zeros(5, np.int64),
        kinds=Kinds.of([(1, 1.0, True)], {}),
    )


@pytest.fixture
def split(db: None) -> Split:
    """All bought 1 before; 20 bought 2 early in the validation month and 3 late, the others 3 or 4 late alone."""
    early = [(VALIDATION - DAY, 1, 1), (VALIDATION + DAY, 2, 1), (TEST - 3 * DAY, 3, 1), (TEST + DAY, 4, 1)]
    late = [(VALIDATION - DAY, 1, 1), (TEST - 2 * DAY, 4, 1)]
    return Split(arrays(histories_of([early] * 20 + [late] * FEWEST_SHOPPERS)), SnapshotFactory())


def test_the_three_periods_share_nothing(split: Split) -> None:
    assert split.training().histories.items.tolist() == [1] * 120
    assert split.validation.by_kind["all"].items.tolist() == [2] * 20 + [4] * FEWEST_SHOPPERS
    newest = split.newest()
    assert (newest.since, newest.now, int(newest.histories.times.max()) < TEST) == (VALIDATION, TEST, True)
    assert split.test.by_kind["all"].items.tolist() == [4] * 20


def test_what_an_earlier_model_learnt_does_not_choose_if_enough_is_left(split: Split) -> None:
    later = split.unseen(TEST - 7 * DAY)

    assert later.now == TEST - 7 * DAY
    assert later.by_kind["all"].items.tolist() == [3] * 20 + [4] * FEWEST_SHOPPERS
    assert int(later.histories.times.max()) == VALIDATION + DAY
    assert split.unseen(VALIDATION) is split.unseen(0) is split.validation
    assert split.unseen(TEST - 2 * DAY + 1) is split.unseen(TEST + DAY) is split.validation  # nobody is left


def test_a_training_knows_until_when_its_beginning_had_learnt(db: None) -> None:
    caught_up = ModelVersionFactory(config={"model": {}, "training": {"catching_up": 2}})
    theirs = ModelVersionFactory(state="foreign", snapshot=None, origin={"shop": "Teas"})

    found = [training._known_until(ModelVersionFactory(started_from=earlier)) for earlier in (None, theirs, caught_up)]

    assert found == [0, 0, int((NOON - timedelta(days=30)).timestamp())]
