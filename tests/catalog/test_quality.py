"""Cleaning: every rule finds exactly what it is meant to find, and the selection is frozen."""

import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from catalog import quality
from catalog.cleaning.rules import RULES
from catalog.models import Import, Interaction, Product, QualityReport, Shopper
from tests.factories import (
    CategoryFactory,
    EventTypeFactory,
    ImportFactory,
    ImportRejectionFactory,
    InteractionFactory,
    ProductFactory,
    ShopperFactory,
)

CUTOFF = datetime(2011, 12, 1, tzinfo=UTC)
MONDAY = datetime(2011, 10, 3, 9, 30, tzinfo=UTC)


@pytest.fixture
def product(db: None) -> Product:
    return ProductFactory(external_id="cup", category=CategoryFactory(path="kitchen"))


@pytest.fixture
def shopper(db: None) -> Shopper:
    return ShopperFactory()


def buy(
    shopper: Shopper | None, product: Product, *, days: float = 0, kind: str = "purchase", **values: Any
) -> Interaction:
    return InteractionFactory(
        shopper=shopper,
        product=product,
        event_type=EventTypeFactory(code=kind),
        occurred_at=MONDAY + timedelta(days=days),
        **values,
    )


def give_back(shopper: Shopper | None, product: Product, *, days: float, quantity: int, **values: Any) -> Interaction:
    return buy(shopper, product, days=days, kind="return", quantity=quantity, **values)


def counts(report: QualityReport) -> dict[str, int]:
    """The rules that found something."""
    return {rule["code"]: rule["count"] for rule in report.rules if rule["count"]}


def usable(report: QualityReport) -> list[tuple[int, int]]:
    """Interaction and quantity of what is streamed."""
    batches = quality.stream_clean(report)
    return [(int(row["interaction_id"]), int(row["quantity"])) for batch in batches for row in batch]


def clean() -> QualityReport:
    return quality.clean(cutoff_at=CUTOFF)


def test_a_clean_shop_gives_a_zero_with_its_reason_for_every_rule(shopper: Shopper, product: Product) -> None:
    row = buy(shopper, product)

    report = clean()

    assert (report.rows_read, report.rows_usable) == (1, 1)
    assert [rule["code"] for rule in report.rules] == [rule.code for rule in RULES]
    assert all(rule["because"].startswith("because ") and rule["samples"] == [] for rule in report.rules)
    assert usable(report) == [(row.pk, 1)]


def test_a_shop_without_interactions_can_be_cleaned(db: None) -> None:
    report = clean()

    assert (report.rows_read, report.rows_usable, usable(report)) == (0, 0, [])
    assert quality.price_bands(report) == {}


def test_rows_after_the_cutoff_are_left_out(shopper: Shopper, product: Product) -> None:
    at = InteractionFactory(shopper=shopper, product=product, occurred_at=CUTOFF)
    InteractionFactory(shopper=shopper, product=product, occurred_at=CUTOFF + timedelta(seconds=1))

    report = clean()

    assert counts(report) == {"after_cutoff": 1}
    assert usable(report) == [(at.pk, 1)]


def test_a_time_later_than_its_receipt_is_left_out(shopper: Shopper, product: Product) -> None:
    early = buy(shopper, product)
    Interaction.objects.filter(pk=early.pk).update(received_at=early.occurred_at - timedelta(minutes=5))
    late = buy(shopper, product, days=1)
    Interaction.objects.filter(pk=late.pk).update(received_at=late.occurred_at - timedelta(minutes=6))

    report = clean()

    assert counts(report) == {"future_time": 1}
    assert usable(report) == [(early.pk, 1)]


def test_what_the_shopper_excluded_is_left_out(shopper: Shopper, product: Product) -> None:
    buy(shopper, product, excluded_at=CUTOFF)

    assert counts(clean()) == {"excluded_by_shopper": 1}


def test_rows_of_an_unfinished_import_are_not_even_read(shopper: Shopper, product: Product) -> None:
    buy(shopper, product, source=ImportFactory(state=Import.State.MERGING, finished_at=None))
    buy(shopper, product, days=1, source=ImportFactory(finished_at=timezone.now()))

    assert clean().rows_read == 1


def test_unknown_products_of_finished_imports_are_counted_and_sampled(shopper: Shopper, product: Product) -> None:
    finished = ImportFactory(rejection_counts={"unknown_product": 4, "bad_time": 2})
    failed = ImportFactory(rejection_counts={"unknown_product": 3}, state=Import.State.FAILED)
    ImportRejectionFactory(source=finished, row=9, field="product", value="saucer", code="unknown_product")
    ImportRejectionFactory(source=finished, row=7, field="product", value="plate", code="unknown_product")
    ImportRejectionFactory(source=finished, row=8, field="occurred_at", value="noon", code="bad_time")
    ImportRejectionFactory(source=failed, row=1, field="product", value="bowl", code="unknown_product")

    report = clean()

    assert counts(report) == {"unknown_product": 4}
    assert report.rows_read == 0
    (rule,) = (rule for rule in report.rules if rule["code"] == "unknown_product")
    assert rule["samples"] == [
        {"import": finished.pk, "row": 7, "value": "plate"},
        {"import": finished.pk, "row": 9, "value": "saucer"},
    ]


def test_lines_of_the_group_non_product_and_below_are_left_out(shopper: Shopper, product: Product) -> None:
    for path in ("non-product", "non-product/fees"):
        buy(shopper, ProductFactory(category=CategoryFactory(path=path)))
    kept = buy(shopper, ProductFactory(category=CategoryFactory(path="non-products-of-ours")))

    report = clean()

    assert counts(report) == {"non_product": 2}
    assert usable(report) == [(kept.pk, 1)]


def test_quantities_and_prices_of_zero_or_less_are_left_out(shopper: Shopper, product: Product) -> None:
    buy(shopper, product, quantity=0)
    buy(shopper, product, days=1, quantity=-3)
    buy(shopper, product, days=2, unit_price=Decimal(0))
    buy(shopper, product, days=3, unit_price=Decimal("-1.5"))
    kept = buy(shopper, product, days=4, quantity=None, unit_price=None)

    report = clean()

    assert counts(report) == {"impossible_quantity": 2, "impossible_price": 2}
    assert usable(report) == [(kept.pk, 0)]


def test_absurd_quantities_and_prices_are_left_out_and_unusual_ones_counted(shopper: Shopper, product: Product) -> None:
    for n in range(100):
        buy(shopper, product, days=n / 10, quantity=2)
    buy(shopper, product, days=11, quantity=20)  # 2·e^(3·0.7) is 16.3
    buy(shopper, product, days=12, quantity=200)  # 2·e^(6·0.7) is 133
    buy(shopper, product, days=13, unit_price=Decimal(50), quantity=2)  # 4.95·e^(3·0.7) is 40
    buy(shopper, product, days=14, unit_price=Decimal(500), quantity=2)  # 4.95·e^(6·0.7) is 330
    foreign = buy(shopper, product, days=15, unit_price=Decimal(900), quantity=2, currency="JPY")

    report = clean()

    assert counts(report) == {
        "impossible_quantity": 1,
        "impossible_price": 1,
        "unusual_quantity": 1,
        "unusual_price": 1,
    }
    assert report.bounds["quantity"]["0"]["high"] == pytest.approx(133.37, abs=0.01)
    rows = np.concatenate(list(quality.stream_clean(report)))
    [price] = rows["unit_price"][rows["interaction_id"] == foreign.pk]
    assert np.isnan(price)  # another currency says nothing of the shop's prices


def test_of_duplicates_the_earliest_stays(shopper: Shopper, product: Product) -> None:
    first = buy(shopper, product)
    buy(shopper, product)
    others = [
        buy(shopper, product, quantity=2),
        buy(shopper, product, unit_price=Decimal("5.95")),
        buy(shopper, product, kind="view"),
        buy(shopper, product, days=1),
        buy(ShopperFactory(), product),
    ]

    report = clean()

    assert counts(report) == {"duplicate": 1}
    assert {pk for pk, _quantity in usable(report)} == {first.pk, *(other.pk for other in others)}


def test_unknown_shoppers_are_duplicates_only_within_one_basket(product: Product) -> None:
    kept = [buy(None, product), buy(None, product), buy(None, product, basket="A"), buy(None, product, basket="B")]
    buy(None, product, basket="B")

    report = clean()

    assert counts(report) == {"duplicate": 1, "missing_shopper": 4}
    assert {pk for pk, _quantity in usable(report)} == {row.pk for row in kept}


def test_a_full_return_cancels_the_nearest_earlier_purchase_that_is_large_enough(
    shopper: Shopper, product: Product
) -> None:
    far = buy(shopper, product, days=0, quantity=6)
    buy(shopper, product, days=1, quantity=6)
    small = buy(shopper, product, days=2, quantity=5)
    give_back(shopper, product, days=3, quantity=6)
    later = buy(shopper, product, days=4, quantity=6)

    report = clean()

    assert counts(report) == {"cancelled": 2}
    assert usable(report) == [(far.pk, 6), (small.pk, 5), (later.pk, 6)]


def test_a_partial_return_reduces_the_purchase(shopper: Shopper, product: Product) -> None:
    row = buy(shopper, product, quantity=6)
    give_back(shopper, product, days=1, quantity=-2)  # some shops write returns with a minus

    report = clean()

    assert counts(report) == {"cancelled": 1, "partly_cancelled": 1}
    assert usable(report) == [(row.pk, 4)]


def test_returns_share_a_purchase_for_as_long_as_enough_is_left(shopper: Shopper, product: Product) -> None:
    first = buy(shopper, product, days=0, quantity=4)
    second = buy(shopper, product, days=1, quantity=5)
    give_back(shopper, product, days=2, quantity=3)
    give_back(shopper, product, days=3, quantity=3)  # only two are left of the nearest
    give_back(shopper, product, days=4, quantity=2)
    give_back(shopper, product, days=5, quantity=2)  # nothing has two left

    report = clean()

    assert counts(report) == {"cancelled": 4, "unmatched_return": 1, "partly_cancelled": 1}
    assert usable(report) == [(first.pk, 1)]
    assert second.pk not in dict(usable(report))


def test_a_return_of_another_shopper_product_or_time_cancels_nothing(shopper: Shopper, product: Product) -> None:
    row = buy(shopper, product, days=1, quantity=2)
    give_back(shopper, product, days=0, quantity=2)
    give_back(ShopperFactory(), product, days=2, quantity=2)
    give_back(shopper, ProductFactory(), days=2, quantity=2)
    give_back(None, product, days=2, quantity=2)
    give_back(shopper, product, days=365, quantity=2)  # after the cut-off: the model must not know

    report = clean()

    assert counts(report) == {"unmatched_return": 4, "after_cutoff": 1}
    assert usable(report) == [(row.pk, 2)]


def test_shoppers_of_absurd_volume_are_left_out(product: Product) -> None:
    ordinary = [buy(ShopperFactory(), product, days=n / 100, quantity=3) for n in range(100)]
    reseller = ShopperFactory()
    for n in range(30):
        buy(reseller, product, days=n, quantity=3, kind="view")

    report = clean()

    assert counts(report) == {"bulk_buyer": 30}
    assert report.bounds["frozen"]["most"]["lines"] == pytest.approx(16.445, abs=0.001)  # e^(4·0.7)
    assert len(usable(report)) == len(ordinary)


def test_views_and_rejections_by_the_shopper_are_usable(shopper: Shopper, product: Product) -> None:
    for kind in ("view", "not_interested"):
        buy(shopper, product, kind=kind, quantity=None, unit_price=None)

    assert clean().rows_usable == 2


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
