"""Cleaning: every rule finds exactly what it is meant to find."""

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from django.utils import timezone

from catalog import quality
from catalog.cleaning.rules import RULES
from catalog.models import Import, Interaction, Product, Shopper
from tests.catalog.situations import CUTOFF, buy, clean, counts, give_back, usable
from tests.factories import (
    CategoryFactory,
    ImportFactory,
    ImportRejectionFactory,
    InteractionFactory,
    ProductFactory,
    ShopperFactory,
)


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
