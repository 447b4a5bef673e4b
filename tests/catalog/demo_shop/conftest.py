"""The raw lines and the products, read once for all tests of the demo shop."""

import pytest

from catalog.demo_shop import prepare, source


@pytest.fixture(scope="session")
def lines() -> list[source.Line]:
    return list(source.read())


@pytest.fixture(scope="session")
def product_rows(lines: list[source.Line]) -> dict[str, prepare.ProductRow]:
    return {row.external_id: row for row in prepare.products(lines)}
