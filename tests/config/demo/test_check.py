from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from catalog.models import Product
from catalog.services import shop_partner
from config.demo import accounts
from config.demo.check import check_everything
from explanations.models import Explanation
from tests.worlds import live_shop


@pytest.fixture
def port(live_server: LiveServer, settings: Settings, tmp_path: Path) -> int:
    settings.LOCAL_DIR = tmp_path
    live_shop().shopper.__class__.objects.update(partner=shop_partner())
    accounts.create_staff()
    accounts.create_shoppers()
    return urlsplit(live_server.url).port or 0


def test_every_address_of_a_live_shop_answers(port: int) -> None:
    said: list[str] = []

    problems = check_everything(port=port, say=said.append)

    assert problems == []
    assert said[-1].endswith("addresses: all answer")


def test_a_page_that_breaks_is_named_with_who_asked(port: int) -> None:
    Explanation.objects.filter(slate__context_product__isnull=False).update(contracts={})

    problems = check_everything(port=port, say=lambda text: None)

    product = Product.objects.recommendable().order_by("pk")[0]
    assert f"/products/{product.external_id}/ answered 500 to a shopper (en)" in problems
