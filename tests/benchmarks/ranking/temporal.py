"""Shops with times: the last 28 days are the test, the 28 before them the validation, asked is the next basket."""

from typing import NamedTuple

from recommendations.ml.data import DAY, Catalogue, Histories, next_baskets
from recommendations.ml.evaluation import question
from recommendations.ml.kinds import Kinds
from tests.benchmarks.ranking.prepared import Prepared

PERIOD = 28 * DAY  # validation and test each, as the product splits


class Shop(NamedTuple):
    histories: Histories
    catalogue: Catalogue
    kinds: Kinds


def prepare(name: str, shop: Shop) -> Prepared:
    histories, catalogue, kinds = shop
    targets = kinds.is_target[histories.types]
    end = int(histories.times[targets].max()) + 1
    test, validation = end - PERIOD, end - 2 * PERIOD
    train = histories.before(validation)
    baskets = next_baskets(histories, targets, start=validation, end=test)
    return Prepared(
        name=name,
        train=train,
        context=histories.before(test),
        validation=question(train, baskets, catalogue.products, None).by_kind["new"],  # as the product stops
        test=next_baskets(histories, targets, start=test, end=end),
        catalogue=catalogue,
        is_target=kinds.is_target,
        kinds=("new", "repeat", "all"),
        has_times=True,
    )
