"""The two files that the imports take."""

import datetime as dt
import re
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from catalog.demo_shop import categories, prepare
from catalog.demo_shop.source import Line
from catalog.importing import columns

NOON = dt.datetime(2010, 7, 1, 12, 0)  # noqa: DTZ001 -- the shop's wall clock


def line(
    *,
    invoice: str = "500000",
    code: str = "20725",
    description: str | None = "LUNCH BAG RED RETROSPOT",
    quantity: int = 1,
    at: dt.datetime = NOON,
    price: float = 1.65,
    customer: int | None = 12347,
) -> Line:
    return Line(invoice, code, description, quantity, at, price, customer, "United Kingdom")


def raw_file(path: Path, *lines: Line) -> Path:
    columns = ["Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country"]
    types = [
        pa.string(),
        pa.string(),
        pa.string(),
        pa.int32(),
        pa.timestamp("ms"),
        pa.float64(),
        pa.int32(),
        pa.string(),
    ]
    rows = [dict(zip(columns, row, strict=True)) for row in lines]
    schema = pa.schema(list(zip(columns, types, strict=True)))
    parquet.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    return path


def interaction_rows(folder: Path, *lines: Line) -> list[dict[str, object]]:
    prepared = prepare.write_files(into=folder, source=raw_file(folder / "raw.parquet", *lines))
    rows: list[dict[str, object]] = parquet.read_table(prepared.interactions).to_pylist()
    return rows


def test_a_line_becomes_one_interaction(tmp_path: Path) -> None:
    rows = interaction_rows(tmp_path, line(code=" 20725A ", quantity=12))

    assert rows == [
        {
            "event_id": "500000-1",
            "shopper": "12347",
            "product": "20725a",
            "event_type": "purchase",
            "occurred_at": "2010-07-01T11:00:00Z",  # British summer time
            "quantity": 12,
            "unit_price": Decimal("1.650"),
            "currency": "GBP",
            "basket": "500000",
        }
    ]


def test_winter_times_are_utc_already(tmp_path: Path) -> None:
    rows = interaction_rows(tmp_path, line(at=dt.datetime(2010, 12, 1, 8, 26)))  # noqa: DTZ001

    assert rows[0]["occurred_at"] == "2010-12-01T08:26:00Z"


def test_a_cancellation_is_a_return_of_a_positive_quantity(tmp_path: Path) -> None:
    rows = interaction_rows(tmp_path, line(invoice="C500001", quantity=-3), line(invoice="C500002", quantity=1))

    assert [(row["event_type"], row["quantity"]) for row in rows] == [("return", 3), ("return", -1)]


def test_dirt_is_kept(tmp_path: Path) -> None:
    same = line()
    rows = interaction_rows(
        tmp_path,
        same,
        same,
        line(customer=None),
        line(price=0.0),
        line(quantity=-5),
        line(invoice="A500003", price=-53594.36),
    )

    assert [row["event_id"] for row in rows] == [
        "500000-1",
        "500000-2",
        "500000-3",
        "500000-4",
        "500000-5",
        "A500003-1",
    ]
    assert rows[2]["shopper"] == ""
    assert rows[3]["unit_price"] == Decimal("0.000")
    assert (rows[4]["event_type"], rows[4]["quantity"]) == ("purchase", -5)
    assert rows[5]["unit_price"] == Decimal("-53594.360")


def test_lines_of_one_invoice_are_numbered_though_another_stands_between(tmp_path: Path) -> None:
    rows = interaction_rows(tmp_path, line(invoice="1"), line(invoice="2"), line(invoice="1"))

    assert [row["event_id"] for row in rows] == ["1-1", "2-1", "1-2"]


def test_a_product_is_described_by_its_usable_lines() -> None:
    rows = list(
        prepare.products(
            [
                line(description="damaged", quantity=-1, price=0.0, customer=None, at=NOON - dt.timedelta(days=9)),
                line(price=1.65, at=NOON),
                line(price=1.45),
                line(price=1.65, description="LUNCH BAG RED SPOTTY"),
                line(price=1.65),
                line(price=3.29, customer=None, description="LUNCH BAG RED TILL"),
            ]
        )
    )

    assert rows == [
        prepare.ProductRow(
            external_id="20725",
            title="Lunch bag red retrospot",
            description="Also listed as: Lunch bag red spotty.",
            category="accessories/bags",
            brand="",
            price=Decimal("1.65"),
            currency="GBP",
            is_active=True,
            is_available=True,
            launched_at="2010-07-01T11:00:00Z",
        )
    ]


def test_a_price_asked_of_unknown_shoppers_only_is_used_when_there_is_no_other() -> None:
    (row,) = prepare.products([line(customer=None, price=2.95), line(customer=None, price=9.99)])

    assert (row.price, row.is_active) == (Decimal("2.95"), True)


def test_postage_is_an_inactive_product_without_a_price() -> None:
    (row,) = prepare.products([line(code="post", description="POSTAGE", price=18.0)])

    assert (row.title, row.category, row.price, row.is_active) == ("Postage", "non-product", None, False)


def test_a_product_never_sold_is_inactive_and_called_by_its_code() -> None:
    (row,) = prepare.products([line(code="84899a", description=None, quantity=-10, price=0.0, customer=None)])

    assert (row.title, row.price, row.is_active, row.is_available) == ("Product 84899A", None, False, False)


def test_a_product_not_sold_for_a_year_is_not_available() -> None:
    old, new = prepare.products([line(code="1", at=NOON - dt.timedelta(days=366)), line(code="2")])

    assert (old.is_available, new.is_available) == (False, True)


def test_the_shop_has_4976_products_of_which_4577_are_active(product_rows: dict[str, prepare.ProductRow]) -> None:
    rows = product_rows.values()
    active = [row for row in rows if row.is_active]

    assert len(rows) == 4_976
    assert sum(row.category == categories.NON_PRODUCT for row in rows) == 28
    assert len(active) == 4_577
    assert sum(row.is_available for row in active) == 3_834
    assert all(row.price is not None and row.price >= 0 for row in active)
    assert [row.title for row in rows if not re.fullmatch(r"[“\dA-Z].*\S", row.title)] == []
    assert sum(row.title.startswith("Product ") for row in active) == 0


def test_the_whole_shop_is_written(tmp_path: Path) -> None:
    prepared = prepare.write_files(into=tmp_path)

    assert (prepared.product_count, prepared.interaction_count) == (4_976, 866_191)
    events = parquet.read_table(prepared.interactions, columns=["event_id", "event_type", "shopper"])
    assert events.num_rows == 866_191
    assert len(events["event_id"].unique()) == 866_191
    assert events["event_type"].value_counts().to_pylist() == [
        {"values": "purchase", "counts": 856_314},
        {"values": "return", "counts": 9_877},
    ]


def test_the_files_have_only_columns_that_the_imports_know(tmp_path: Path) -> None:
    prepared = prepare.write_files(into=tmp_path, source=raw_file(tmp_path / "raw.parquet", line()))

    assert set(parquet.read_schema(prepared.products).names) <= {column.name for column in columns.PRODUCTS}
    assert set(parquet.read_schema(prepared.interactions).names) <= {column.name for column in columns.INTERACTIONS}
