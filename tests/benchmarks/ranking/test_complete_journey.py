"""Groceries as every contestant gets them: what is no product is left out, and the last days are asked for."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.benchmarks.ranking import classics, complete_journey, report
from tests.benchmarks.ranking.prepared import Prepared

LAST = datetime(2017, 10, 31, 12, tzinfo=UTC)
PRODUCTS: list[dict[str, Any]] = [
    {"product_id": 90, "department": "FUEL", "product_type": "GASOLINE"},
    *({"product_id": pk, "department": "GROCERY", "product_type": "TEA"} for pk in (50, 10, 20, 40, 30)),
    {"product_id": 60, "department": "GROCERY", "product_type": None},
    {"product_id": 70, "department": "COUPON", "product_type": "TEA"},
    {"product_id": 80, "department": "MISCELLANEOUS", "product_type": "TEA"},
]


def line(household: int, product: int, *, days_ago: int, quantity: int = 1, hour: int = 12) -> dict[str, Any]:
    return {
        "household_id": household,
        "product_id": product,
        "quantity": quantity,
        "transaction_timestamp": LAST - timedelta(days=days_ago, hours=12 - hour),
    }


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    common = {"brand": "National", "product_category": "HOT DRINKS", "package_size": "20 CT"}
    parquet.write_table(pa.Table.from_pylist([common | row for row in PRODUCTS]), tmp_path / "products.parquet")
    lines = [
        line(7, 20, days_ago=0),  # the test basket of 7
        line(7, 10, days_ago=0),
        line(7, 30, days_ago=0, hour=11, quantity=0),
        line(7, 10, days_ago=40),  # in the validation period
        line(7, 60, days_ago=100),
        line(7, 10, days_ago=100),
        line(7, 10, days_ago=100),  # scanned twice
        line(7, 90, days_ago=100),
        line(7, 70, days_ago=100),
        line(7, 999, days_ago=100),  # not in the catalogue
        line(3, 50, days_ago=90),
        line(3, 80, days_ago=5),
        line(3, 40, days_ago=5),
        line(9, 40, days_ago=3),  # had nothing before: is not asked
    ]
    parquet.write_table(pa.Table.from_pylist(lines), tmp_path / "transactions.parquet")
    return complete_journey.prepare(tmp_path)


def test_what_is_no_product_no_purchase_or_scanned_twice_is_left_out(prepared: Prepared) -> None:
    """Products are numbered by id: 10, 20, …, 60; households by id: 3, 7, 9."""
    assert prepared.catalogue.products == 6
    assert prepared.train.items.tolist() == [5, 1, 6]
    assert prepared.train.offsets.tolist() == [0, 1, 3, 3]
    assert prepared.context.items.tolist() == [5, 1, 6, 1]
    assert len(set(prepared.train.times[1:].tolist())) == 1  # one basket


def test_the_next_basket_of_the_last_28_days_is_asked_of_households_with_a_past(prepared: Prepared) -> None:
    assert prepared.kinds == ("new", "repeat", "all")
    assert prepared.test.shoppers.tolist() == [0, 1]
    assert prepared.test.items.tolist() == [4, 1, 2]
    assert prepared.test.offsets.tolist() == [0, 1, 3]
    assert prepared.validation.shoppers.tolist() == []  # 7 bought nothing new to it then


def test_attributes_are_those_that_five_products_share(prepared: Prepared) -> None:
    catalogue = prepared.catalogue

    assert catalogue.sizes == dict.fromkeys(complete_journey.ATTRIBUTES, 1)
    assert catalogue.attributes["product_type"].tolist() == [[0], [1], [1], [1], [1], [1], [0]]
    assert catalogue.attributes["brand"].tolist() == [[0], *[[1]] * 6]


def test_ease_says_what_it_was_cut_down_to(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    assert classics.ease_settings(prepared) == {"penalty": 500.0}
    monkeypatch.setattr(classics, "EASE_PRODUCTS", 2)

    assert classics.ease_settings(prepared) == {"penalty": 500.0, "only_the_most_sold": 2, "of_products_sold": 3}
    scores = classics.ease(prepared.context, 6)(np.array([1]))
    assert (scores[0] > -1e9).nonzero().flatten().tolist() == [1, 5]  # of two that are sold alike, the first


def test_where_the_groceries_are_shown_the_reader_learns_that_they_may_be_simulated() -> None:
    assert "simulated data" in report.heading("complete_journey")[-1]
    assert len(report.heading("demo_shop")) == 3
