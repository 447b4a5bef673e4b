from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth import authenticate
from pytest_django.fixtures import Settings

from catalog.models import PartnerKey, Shopper, User
from catalog.services import shop_partner
from config.demo import accounts
from tests.factories import NOON, EventTypeFactory, InteractionFactory, ProductFactory, ShopperFactory


@pytest.fixture(autouse=True)
def _own_file(settings: Settings, tmp_path: Path) -> None:
    settings.LOCAL_DIR = tmp_path


def _shopper(baskets: int) -> Shopper:
    shopper = ShopperFactory(partner=shop_partner())
    for number in range(baskets):
        InteractionFactory(
            partner=shop_partner(),
            shopper=shopper,
            product=ProductFactory(),
            event_type=EventTypeFactory(code="purchase"),
            basket=f"{shopper.pk}-{number}",
            occurred_at=NOON - timedelta(days=number),
        )
    return shopper


def test_staff_signs_in_and_the_key_opens_the_api(db: None) -> None:
    assert not accounts.has_staff()

    accounts.create_staff()

    known = accounts.read()
    staff = User.objects.get()
    assert authenticate(username="staff", password=known["staff"]) == staff
    assert staff.is_superuser
    assert PartnerKey.objects.get().matches(known["key"])
    assert accounts.has_staff()
    assert accounts.is_ours()


def test_a_second_creation_replaces_the_key_and_the_password(db: None) -> None:
    accounts.create_staff()
    before = accounts.read()

    accounts.create_staff()

    assert PartnerKey.objects.count() == User.objects.count() == 1
    assert PartnerKey.objects.get().matches(accounts.read()["key"])
    assert accounts.read()["staff"] != before["staff"]


def test_passwords_are_private(db: None) -> None:
    accounts.create_staff()

    assert accounts.file().stat().st_mode & 0o777 == 0o600


def test_a_database_with_another_key_is_not_ours(db: None) -> None:
    accounts.create_staff()
    PartnerKey.objects.all().delete()

    assert not accounts.is_ours()


def test_each_kind_of_shopper_gets_an_account(db: None) -> None:
    many, few, single = _shopper(18), _shopper(3), _shopper(1)

    accounts.create_shoppers()

    assert User.objects.get(username="regular").shopper == many
    assert User.objects.get(username="occasional").shopper == few
    assert User.objects.get(username="once").shopper == single
    assert User.objects.get(username="newcomer").shopper.external_id == "newcomer"
    assert accounts.has_shoppers()


def test_the_ready_lines_name_every_account_and_the_key(db: None) -> None:
    for baskets in (18, 3, 1):
        _shopper(baskets)
    accounts.create_staff()
    accounts.create_shoppers()

    known, text = accounts.read(), "\n".join(accounts.lines())

    assert set(known) == {"staff", "key", "regular", "occasional", "once", "newcomer"}
    assert all(name in text for name in known if name != "key")
    assert all(secret in text for secret in known.values())
