"""What cleaning leaves is frozen, streamed, and told."""

import io
import json
from decimal import Decimal

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from catalog import quality
from catalog.models import Interaction, Product, QualityReport, Shopper
from tests.catalog.situations import buy, clean, give_back, usable
from tests.factories import (
    CategoryFactory,
    EventTypeFactory,
    ProductFactory,
    ShopperFactory,
)


def test_samples_show_ids_and_values(shopper: Shopper, product: Product) -> None:
    rows = [buy(shopper, product, days=n, quantity=-1) for n in range(7)]

    [rule] = [rule for rule in clean().rules if rule["count"]]

    assert (rule["code"], rule["count"], rule["share"], len(rule["samples"])) == ("impossible_quantity", 7, 1.0, 5)
    assert rule["samples"][0] == {
        "interaction": rows[0].pk,
        "event_id": rows[0].event_id,
        "occurred_at": "2011-10-03T09:30:00+00:00",
        "quantity": -1,
        "unit_price": "4.950",
        "product": product.pk,
    }


def test_rows_are_streamed_by_shopper_time_product_and_id_with_nobody_first(product: Product) -> None:
    one, two = ShopperFactory(), ShopperFactory()
    other = ProductFactory()
    rows = [
        buy(None, product, days=5),
        buy(one, product, days=2, value=4.5),
        buy(one, other, days=2, quantity=2, unit_price=None),
        buy(one, product, days=3),
        buy(two, product, days=1),
    ]

    batches = list(quality.stream_clean(clean(), batch_size=2))

    assert [len(batch) for batch in batches] == [2, 2, 1]
    streamed = np.concatenate(batches)
    assert streamed["interaction_id"].tolist() == [row.pk for row in rows]
    assert streamed["shopper_id"].tolist() == [0, one.pk, one.pk, one.pk, two.pk]
    assert streamed["product_id"].tolist() == [row.product_id for row in rows]
    assert streamed["event_type_id"].tolist() == [row.event_type_id for row in rows]
    assert streamed["occurred_at"].tolist() == [int(row.occurred_at.timestamp()) * 1_000_000 for row in rows]
    assert streamed["quantity"].tolist() == [1, 1, 2, 1, 1]
    np.testing.assert_array_equal(streamed["unit_price"], [4.95, 4.95, np.nan, 4.95, 4.95])
    np.testing.assert_array_equal(streamed["value"], [np.nan, 4.5, np.nan, np.nan, np.nan])


def test_a_reader_may_stop_early(transactional_db: None) -> None:
    shopper, product = ShopperFactory(), ProductFactory()
    for n in range(3):
        buy(shopper, product, days=n)
    report = clean()

    for _rows in quality.stream_clean(report, batch_size=1):
        break

    assert len(usable(report)) == 3


def test_a_report_selects_the_same_rows_whatever_has_changed_since(shopper: Shopper, product: Product) -> None:
    for n in range(100):
        buy(shopper, product, days=n / 10, quantity=2)
    absurd = buy(shopper, product, days=11, quantity=200)
    postage = buy(shopper, ProductFactory(category=CategoryFactory(path="non-product")), days=12)
    report = clean()
    before = usable(report)

    buy(shopper, product, days=13)
    give_back(shopper, product, days=14, quantity=2)
    Interaction.objects.filter(shopper=shopper).update(excluded_at=timezone.now())
    Product.objects.filter(pk=postage.product_id).update(category=product.category)
    Product.objects.filter(pk=product.pk).update(category=None, is_active=False)
    EventTypeFactory(code="view")
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE pg_temp.quality_rows")  # another process, another day
    again = usable(QualityReport.objects.get(pk=report.pk))

    assert again == before
    assert absurd.pk not in dict(again)
    assert len(again) == 100


def test_a_report_is_as_old_as_what_it_looked_at(shopper: Shopper, product: Product) -> None:
    row = buy(shopper, product)

    report = QualityReport.objects.get(pk=clean().pk)

    assert row.received_at < report.created_at < timezone.now()


def test_price_bands_come_from_what_was_paid_before_the_cutoff(shopper: Shopper) -> None:
    kitchen = CategoryFactory(path="kitchen")
    products = [ProductFactory(category=kitchen, price=Decimal(price), currency="GBP") for price in range(1, 31)]
    buy(shopper, products[0], unit_price=Decimal(30))  # asked 1, paid 30
    newcomer = ProductFactory(category=CategoryFactory(path="garden"), price=Decimal(12), currency="GBP")
    unknown = ProductFactory(price=None)
    foreign = ProductFactory(price=Decimal(12), currency="JPY")

    report = clean()

    bands = quality.price_bands(report)
    assert report.bounds["price_edges"][str(kitchen.pk)] == [7.0, 13.0, 19.0, 25.0]
    assert [bands[products[n].pk] for n in (0, 1, 6, 7, 29)] == [5, 1, 1, 2, 5]
    assert bands[newcomer.pk] == 2  # its group is too small: compared with everything
    assert unknown.pk not in bands
    assert foreign.pk not in bands
    assert quality.band_of(report, category_id=kitchen.pk, price=26.0) == 5
    assert quality.band_of(report, category_id=10**9, price=1.0) == 1  # a group newer than the report


def test_the_command_prints_every_rule(shopper: Shopper, product: Product, capsys: pytest.CaptureFixture[str]) -> None:
    row = buy(shopper, product, quantity=-1)

    call_command("data_quality", cutoff="2011-12-01")

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("cut-off 2011-12-01 00:00 UTC: 1 rows read, 0 usable.")
    assert f"      {row.event_id}  2011-10-03T09:30:00+00:00  quantity -1  price 4.950" in lines
    assert "         0  Duplicates: 0, because no two rows say the same under different event ids." in lines


def test_the_command_prints_a_stored_report_as_json(shopper: Shopper, product: Product) -> None:
    buy(shopper, product)
    report = clean()
    out = io.StringIO()

    call_command("data_quality", report=report.pk, json=True, stdout=out)

    assert json.loads(out.getvalue())["rows_usable"] == 1
    assert QualityReport.objects.count() == 1


def test_the_command_refuses_a_time_without_zone(db: None) -> None:
    with pytest.raises(CommandError, match="Write 2011-09-30 or"):
        call_command("data_quality", cutoff="2011-09-30T17:00:00")
