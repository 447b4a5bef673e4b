"""Sensitive groups are flagged when they are made; staff decide afterwards."""

from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps

from catalog.demo_shop.categories import GROUPS
from catalog.importing import services
from catalog.models import Category, Import
from catalog.sensitive import is_sensitive
from tests.factories import CategoryFactory, ShopPartnerFactory


@pytest.mark.parametrize(
    "named",
    [
        {"path": "pharmacy"},
        {"path": "shop/health-care"},
        {"path": "g1", "name_en": "Adult & lingerie"},
        {"path": "g2", "name_en": "Group two", "name_zh_hans": "母婴用品"},
        {"path": "books/religion"},
        {"path": "g3", "name_zh_hans": "药品与保健"},
        {"path": "finance/debt-advice"},
    ],
)
def test_such_names_are_sensitive(named: dict[str, str]) -> None:
    assert is_sensitive(**named)


@pytest.mark.parametrize(
    "named",
    [
        {"path": "kitchen/tins", "name_en": "Tins, jars and lunch boxes", "name_zh_hans": "罐子和饭盒"},
        {"path": "health/shelves"},  # what is above counts by itself
        {"path": "essex", "name_en": "Essex pottery"},  # whole words only
    ],
)
def test_others_are_not(named: dict[str, str]) -> None:
    assert not is_sensitive(**named)


def test_no_group_of_the_demo_shop_is() -> None:
    flagged = [g.path for g in GROUPS if is_sensitive(path=g.path, name_en=g.name_en, name_zh_hans=g.name_zh_hans)]

    assert flagged == []


@pytest.mark.django_db
def test_an_import_flags_the_groups_that_it_makes(tmp_path: Path) -> None:
    file = tmp_path / "products.csv"
    file.write_text("external_id,title,category\n1,Pills,pharmacy/pain\n2,Tin,kitchen/tins\n")

    services.run_import(kind=Import.Kind.PRODUCTS, partner=ShopPartnerFactory(), source=file)

    assert dict(Category.objects.values_list("path", "is_sensitive")) == {
        "pharmacy": True,
        "pharmacy/pain": False,  # inherits it where it matters
        "kitchen": False,
        "kitchen/tins": False,
    }


@pytest.mark.django_db
def test_groups_of_before_are_flagged_once() -> None:
    CategoryFactory(path="health", is_sensitive=False)
    CategoryFactory(path="kitchen", is_sensitive=False)

    import_module("catalog.migrations.0006_sensitive_groups").flag(apps, None)

    assert dict(Category.objects.values_list("path", "is_sensitive")) == {"health": True, "kitchen": False}
