"""Importing products: created, changed, left alone."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from catalog.importing import services
from catalog.importing.columns import PRODUCTS
from catalog.models import Category, Import, Partner, Product
from tests.catalog.importing.files import import_products, problems
from tests.factories import NOON, CategoryFactory, PartnerFactory, ProductFactory

ALL = ",".join(column.name for column in PRODUCTS)


@pytest.fixture
def partner(db: None) -> Partner:
    return PartnerFactory()


def test_a_row_becomes_a_product_with_its_category(partner: Partner) -> None:
    source = import_products(
        'cup,Blue cup,蓝杯,Holds,kitchen/cups-and-mugs,Acme,4.95,GBP,"{""colour"": ""blue""}",no,,2011-01-02T00:00Z',
        partner=partner,
        headings=ALL,
    )

    product = Product.objects.get()
    assert (product.external_id, product.title, product.title_zh_hans) == ("cup", "Blue cup", "蓝杯")
    assert (product.description, product.brand, product.attributes) == ("Holds", "Acme", {"colour": "blue"})
    assert (product.price, product.currency) == (Decimal("4.95"), "GBP")
    assert (product.is_active, product.is_available) == (False, True)
    assert product.launched_at == datetime(2011, 1, 2, tzinfo=UTC)
    assert list(Category.objects.order_by("path").values_list("path", "name_en", "parent__path")) == [
        ("kitchen", "Kitchen", None),
        ("kitchen/cups-and-mugs", "Cups and mugs", "kitchen"),
    ]
    assert product.category == Category.objects.get(path="kitchen/cups-and-mugs")
    assert (source.state, source.rows_merged) == (Import.State.FINISHED, 1)


def test_only_the_columns_of_the_file_change(partner: Partner) -> None:
    product = ProductFactory(external_id="cup", title="Cup", price=Decimal("4.95"), currency="GBP", brand="Acme")

    source = import_products("cup,5.25", partner=partner, headings="external_id,price")

    product.refresh_from_db()
    assert (product.title, product.price, product.currency, product.brand) == ("Cup", Decimal("5.25"), "GBP", "Acme")
    assert source.rows_merged == 1


def test_an_empty_value_clears_but_a_title_stays(partner: Partner) -> None:
    product = ProductFactory(external_id="cup", title="Cup", brand="Acme", category=CategoryFactory(), is_active=False)

    import_products("cup,,,,,", partner=partner, headings="external_id,title,brand,category,price,is_active")

    product.refresh_from_db()
    assert (product.title, product.brand, product.category, product.price) == ("Cup", "", None, None)
    assert product.is_active is True


def test_unchanged_products_are_left_alone(partner: Partner) -> None:
    product = ProductFactory(external_id="cup", title="Cup")
    Product.objects.filter(pk=product.pk).update(updated_at=NOON)

    source = import_products("cup,Cup", partner=partner, headings="external_id,title")

    assert (source.rows_merged, source.rows_known) == (0, 1)
    assert Product.objects.get().updated_at == NOON


@pytest.mark.parametrize(
    ("headings", "row", "field", "value", "code"),
    [
        ("external_id,title", ",Cup", "external_id", "", "missing"),
        ("external_id,title", "cup,", "title", "", "new_product_without_title"),
        ("external_id,brand", "cup,Acme", "title", "", "new_product_without_title"),
        ("external_id,title,category", "cup,Cup,Kitchen & Co", "category", "Kitchen & Co", "bad_category"),
        ("external_id,title,price,currency", "cup,Cup,-1,GBP", "price", "-1", "negative_price"),
        ("external_id,title,price", "cup,Cup,4.95", "currency", "", "price_without_currency"),
        ("external_id,title,attributes", "cup,Cup,[1]", "attributes", "[1]", "bad_json"),
        ("external_id,title,attributes", "cup,Cup,{red", "attributes", "{red", "bad_json"),
        ("external_id,title,is_active", "cup,Cup,maybe", "is_active", "maybe", "bad_yes_no"),
        (
            "external_id,title,launched_at",
            "cup,Cup,2011-01-02T00:00:00",
            "launched_at",
            "2011-01-02T00:00:00",
            "no_zone",
        ),
    ],
)
def test_a_bad_row_is_named_and_nothing_of_it_is_kept(
    partner: Partner, headings: str, row: str, field: str, value: str, code: str
) -> None:
    source = import_products(row, partner=partner, headings=headings)

    assert problems(source) == [(2, field, value, code)]
    assert Product.objects.count() == Category.objects.count() == 0


def test_of_rows_with_one_id_the_last_counts_and_the_others_are_named(partner: Partner) -> None:
    source = import_products("cup,Cup", "cup,Mug", partner=partner, headings="external_id,title")

    assert problems(source) == [(2, "external_id", "cup", "repeated_product")]
    assert Product.objects.get().title == "Mug"


def test_a_products_import_that_ended_cannot_be_reverted(partner: Partner) -> None:
    source = import_products("cup,Cup", partner=partner, headings="external_id,title")

    with pytest.raises(services.NotRevertible):
        services.revert_import(source=source, at=NOON)

    assert Product.objects.count() == 1
