"""One product, one shopper."""

import pytest

from catalog.models import Product, Shopper
from tests.factories import (
    CategoryFactory,
    ProductFactory,
    ShopperFactory,
)


@pytest.fixture
def product(db: None) -> Product:
    return ProductFactory(external_id="cup", category=CategoryFactory(path="kitchen"))


@pytest.fixture
def shopper(db: None) -> Shopper:
    return ShopperFactory()
