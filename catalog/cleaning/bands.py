"""Price bands: where a product stands among those of its group, frozen with a report."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection

from catalog.cleaning import bounds
from catalog.models import Category, Product

_TYPICAL = """
SELECT product_id, percentile_disc(0.5) WITHIN GROUP (ORDER BY unit_price)
FROM quality_rows WHERE verdict = 0 AND unit_price > 0 GROUP BY 1
"""


def edges_and_bands(*, currency: str, non_products: Iterable[int]) -> tuple[dict[int, list[float]], dict[int, int]]:
    """The edges of every group, and the band of every product.

    A product's price is the median of what was paid before the cut-off; where nothing was, what is asked for it now.
    """
    left_out = set(non_products)
    with connection.cursor() as cursor:
        cursor.execute(_TYPICAL)
        paid: dict[int, float] = dict(cursor.fetchall())
    products: list[tuple[int, int | None, float | None]] = []
    rows = Product.objects.order_by("pk").values_list("pk", "category_id", "price", "currency")
    for pk, category, price, its_currency in rows.iterator(chunk_size=10_000):
        if pk in left_out:
            continue
        asked = float(price) if price and (not currency or its_currency == currency) else None
        products.append((pk, category, paid.get(pk, asked)))
    parents = dict(Category.objects.values_list("pk", "parent_id"))
    edges = bounds.edges_by_group(((category, price) for _, category, price in products if price is not None), parents)
    bands = {pk: bounds.band_of(price, edges.get(category or bounds.ALL, [])) for pk, category, price in products}
    return edges, bands


def pack(bands: Mapping[int, int]) -> dict[str, Any]:
    """One digit a product, from the first id on: a million products are a megabyte, not twelve."""
    if not bands:
        return {"first": 0, "digits": ""}
    first, last = min(bands), max(bands)
    return {"first": first, "digits": "".join(str(bands.get(pk, 0)) for pk in range(first, last + 1))}


def unpack(packed: Mapping[str, Any]) -> dict[int, int]:
    """The bands of all products that have one."""
    first = int(packed["first"])
    return {first + offset: int(digit) for offset, digit in enumerate(packed["digits"]) if digit != "0"}
