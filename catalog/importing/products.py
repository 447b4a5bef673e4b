"""Merges staged products in one transaction: a product has no import of its own that could hide it."""

from django.db import connection
from psycopg import sql

from catalog.importing.checks import time_of
from catalog.importing.staging import Staging
from catalog.models import Category, Import
from catalog.sensitive import is_sensitive

# Column of the file -> the product's column, and its value from the staged text. An empty text clears.
_VALUES = {
    "title": ("title", "coalesce(nullif(s.title, ''), p.title)"),
    "title_zh_hans": ("title_zh_hans", "s.title_zh_hans"),
    "description": ("description", "s.description"),
    "category": ("category_id", "c.id"),
    "brand": ("brand", "s.brand"),
    "price": ("price", "nullif(s.price, '')::numeric(12,2)"),
    "currency": ("currency", "coalesce(nullif(s.currency, ''), p.currency, '')"),
    "attributes": ("attributes", "coalesce(nullif(s.attributes, ''), '{{}}')::jsonb"),
    "is_active": ("is_active", "coalesce(nullif(s.is_active, ''), 'true')::boolean"),
    "is_available": ("is_available", "coalesce(nullif(s.is_available, ''), 'true')::boolean"),
}
# Columns that a new product needs even where the file does not have them. A row is checked before it is found to
# exist already, so the constraints must hold for what is proposed.
_DEFAULTS = {
    "title": "coalesce(p.title, '')",
    "title_zh_hans": "''",
    "description": "''",
    "brand": "''",
    "currency": "coalesce(p.currency, '')",
    "attributes": "'{{}}'::jsonb",
    "is_active": "true",
    "is_available": "true",
}
_FROM = (
    " FROM {table} s LEFT JOIN catalog_product p ON p.external_id = s.external_id"
    " LEFT JOIN catalog_category c ON c.path = s.category"
    " WHERE NOT EXISTS (SELECT FROM {problems} b WHERE b.row = s.row)"
)


def merge(*, source: Import, staging: Staging, given: list[str], time_zone: str) -> None:
    """Create and update; only columns that the file has are touched, and unchanged products stay as they are."""
    _create_categories(staging)
    expressions = {column: expression for column, expression in _VALUES.values() if _given(column, given)}
    if "launched_at" in given:
        expressions["launched_at"] = "CASE WHEN s.launched_at <> '' THEN {time} END"
    updated = list(expressions)
    expressions = _DEFAULTS | expressions
    names = ", ".join(expressions)
    changes = ", ".join(f"{column} = EXCLUDED.{column}" for column in updated)
    before = ", ".join(f"catalog_product.{column}" for column in updated)
    after = ", ".join(f"EXCLUDED.{column}" for column in updated)
    update = f"DO UPDATE SET {changes}, updated_at = now() WHERE ({before}) IS DISTINCT FROM ({after})"
    statement = (
        f"INSERT INTO catalog_product (external_id, {names}, created_at, updated_at)"
        f" SELECT s.external_id, {', '.join(expressions.values())}, now(), now()" + _FROM + " ORDER BY s.row"
        " ON CONFLICT (external_id) " + (update if updated else "DO NOTHING")
    )
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(statement).format(
                table=staging.table, problems=staging.problems, time=time_of("launched_at", time_zone)
            )
        )
        source.rows_merged = cursor.rowcount
        cursor.execute("ANALYZE catalog_product")  # interactions are joined with it next
    source.rows_known = source.rows_accepted - source.rows_merged


def count_known(*, staging: Staging) -> int:
    """How many staged rows are of products that exist; whether they would change is known only once merged."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT count(p.id)" + _FROM).format(table=staging.table, problems=staging.problems))
        return int(cursor.fetchone()[0])


def _given(column: str, given: list[str]) -> bool:
    return column.removesuffix("_id") in given


def _create_categories(staging: Staging) -> None:
    """Every category that is named and not there yet, its parents first, with a name made of its path."""
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "SELECT DISTINCT s.category FROM {table} s WHERE s.category <> ''"
                " AND NOT EXISTS (SELECT FROM {problems} b WHERE b.row = s.row)"
                " AND NOT EXISTS (SELECT FROM catalog_category c WHERE c.path = s.category)"
            ).format(table=staging.table, problems=staging.problems)
        )
        paths = sorted(row[0] for row in cursor.fetchall())
    for path in paths:
        parent: Category | None = None
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            part = parts[depth - 1]
            path_so_far = "/".join(parts[:depth])
            parent, _ = Category.objects.get_or_create(
                path=path_so_far,
                defaults={
                    "parent": parent,
                    "name_en": part.replace("-", " ").strip().capitalize()[:100] or part,
                    "is_sensitive": is_sensitive(path=path_so_far),
                },
            )
