"""Products that partners send: whole rows, whole batches."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from catalog.models import Category, Product


class Unusable(Exception):
    """A batch that cannot be stored as it is; nothing of it was."""

    def __init__(self, faults: Sequence["Fault"]) -> None:
        super().__init__(f"{len(faults)} rows cannot be stored")
        self.faults = faults


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    row: int
    field: str
    code: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductRow:
    """Everything that a partner says of a product; what it leaves out gets its default."""

    external_id: str
    title: str
    title_zh_hans: str = ""
    description: str = ""
    category: str | None = None  # its path
    brand: str = ""
    price: Decimal | None = None
    currency: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    is_active: bool = True
    is_available: bool = True
    launched_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    created: int
    updated: int
    unchanged: int


STATED = tuple(column.name for column in fields(ProductRow) if column.name != "external_id")


@transaction.atomic
def put_products(*, rows: Sequence[ProductRow]) -> Stored:
    """Create or replace the products, all or none. Raises Unusable.

    Rows that say what is known already write nothing, so that `updated_at` tells when a product changed.
    """
    categories = Category.objects.in_bulk({row.category for row in rows if row.category is not None}, field_name="path")
    faults: list[Fault] = []
    seen: set[str] = set()
    for number, row in enumerate(rows):
        if row.category is not None and row.category not in categories:
            faults.append(Fault(row=number, field="category", code="unknown_category"))
        if row.external_id in seen:
            faults.append(Fault(row=number, field="external_id", code="repeated"))
        seen.add(row.external_id)
    if faults:
        raise Unusable(faults)
    known = {
        product.external_id: product
        for product in Product.objects.filter(external_id__in=seen).select_for_update(no_key=True).order_by("pk")
    }
    wanted = [_product(row, categories) for row in sorted(rows, key=lambda row: row.external_id)]
    changed = [
        product
        for product in wanted
        if product.external_id not in known or _stated(product) != _stated(known[product.external_id])
    ]
    Product.objects.bulk_create(
        changed, update_conflicts=True, unique_fields=["external_id"], update_fields=[*STATED, "updated_at"]
    )
    created = sum(product.external_id not in known for product in changed)
    return Stored(created=created, updated=len(changed) - created, unchanged=len(rows) - len(changed))


def _product(row: ProductRow, categories: dict[str, Category]) -> Product:
    stated = {name: getattr(row, name) for name in STATED}
    stated["category"] = categories[row.category] if row.category is not None else None
    return Product(external_id=row.external_id, **stated)


def _stated(product: Product) -> tuple[Any, ...]:
    return tuple(getattr(product, "category_id" if name == "category" else name) for name in STATED)
