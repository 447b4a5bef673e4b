"""The checks of staged rows, as SQL conditions: the first that holds for a column names the problem."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection
from psycopg import sql

from catalog.importing.columns import Column, Type, columns_of
from catalog.importing.problems import REMEDIES
from catalog.importing.staging import Staging
from catalog.models import Import, ImportRejection

REPORTED = 10_000  # rejected rows that are kept with their value; all are counted
_SHOWN = 200

_TIME = r"^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|z|[+-]\d\d(?::?\d\d)?)?)?$"
_ZONE = r":\d\d(?:\.\d+)?(?:Z|z|[+-]\d\d(?::?\d\d)?)$"
_DECIMAL = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$"
_WHOLE = r"^[+-]?\d{1,9}(?:\.0+)?$"


_NUMBERS = {"unit_price": "numeric(12,3)", "value": "float8", "price": "numeric(12,2)"}
# What values mostly look like, in conditions that cost a fraction of the checks. They must imply that no check fails.
_USUAL = {
    Type.TIME: (
        "{x} = '' OR ({x} LIKE '____-__-__T__:__:__Z' OR {x} LIKE '____-__-__T__:__:__+__:__')"
        " AND CASE WHEN pg_input_is_valid({x}, 'timestamptz')"
        " THEN {x}::timestamptz BETWEEN 'epoch' AND now() ELSE false END"
    ),
    Type.WHOLE: "{x} = '' OR pg_input_is_valid({x}, 'integer')",
    Type.DECIMAL: "{x} = '' OR pg_input_is_valid({x}, {type}) AND strpos(lower({x}), 'n') = 0",  # no NaN, no Infinity
    Type.CURRENCY: "{x} IN ('', 'EUR', 'USD', 'GBP', 'CNY', 'JPY')",
}


@dataclass(frozen=True, slots=True)
class _Check:
    column: str
    code: str
    condition: sql.Composed
    is_of_type: bool  # it asks how the value is written, not what the catalogue knows


def time_of(column: str, time_zone: str) -> sql.Composed:
    """The staged text as a time; a time without a zone is the file's."""
    text = sql.SQL("s.{}").format(sql.Identifier(column))
    if not time_zone:
        return sql.SQL("{}::timestamptz").format(text)
    return sql.SQL(
        "CASE WHEN {text} ~ {zone} THEN {text}::timestamptz ELSE {text}::timestamp AT TIME ZONE {name} END"
    ).format(text=text, zone=sql.Literal(_ZONE), name=sql.Literal(time_zone))


def find_problems(*, source: Import, staging: Staging, time_zone: str) -> None:
    """Write the table of problems, the counts by code, and the first REPORTED rejected rows with their remedies.

    1. One pass over the staged rows finds those where any check fails.
    2. Only for those, each column's first failed check is named.
    """
    checks = _checks(source.kind, staging.columns, time_zone)
    suspicious = [_suspicious(column, checks) for column in staging.columns]
    conditions = sql.SQL(" OR ").join([sql.SQL("s.problem <> ''"), *suspicious])
    named = sql.SQL(", ").join(
        [sql.SQL("('row', s.problem_value, s.problem)"), *(_named(column.name, checks) for column in staging.columns)]
    )
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(staging.problems))
        cursor.execute(
            sql.SQL(
                "CREATE UNLOGGED TABLE {problems} AS"
                " SELECT s.row, f.field, left(f.value, {shown}) AS value, f.code"
                " FROM {table} s {joins} CROSS JOIN LATERAL (VALUES {named}) f (field, value, code)"
                " WHERE ({conditions}) AND f.code <> '' AND (s.problem = '' OR f.field = 'row')"
            ).format(
                problems=staging.problems,
                table=staging.table,
                shown=sql.Literal(_SHOWN),
                joins=_joins(source.kind, staging),
                named=named,
                conditions=conditions,
            )
        )
        cursor.execute(sql.SQL("CREATE INDEX ON {} (row)").format(staging.problems))
        cursor.execute(sql.SQL("ANALYZE {}").format(staging.problems))
        cursor.execute(sql.SQL("SELECT code, count(*) FROM {} GROUP BY 1 ORDER BY 1").format(staging.problems))
        source.rejection_counts = dict(cursor.fetchall())
        cursor.execute(sql.SQL("SELECT count(DISTINCT row) FROM {}").format(staging.problems))
        source.rows_rejected = cursor.fetchone()[0]
        cursor.execute(
            sql.SQL("SELECT row, field, value, code FROM {} ORDER BY row, field LIMIT {}").format(
                staging.problems, sql.Literal(REPORTED)
            )
        )
        rejections = [
            ImportRejection(source=source, row=row, field=field, value=value, code=code, remedy=REMEDIES[code])
            for row, field, value, code in cursor
        ]
    source.rows_accepted = source.rows_read - source.rows_rejected
    source.rejections.all().delete()
    ImportRejection.objects.bulk_create(rejections, batch_size=1_000)
    source.save(update_fields=["rejection_counts", "rows_rejected", "rows_accepted"])


def _suspicious(column: Column, checks: list[_Check]) -> sql.Composed:
    """Whether any check of the column fails; what looks as usual is spared the regular expressions."""
    text = sql.SQL("s.{}").format(sql.Identifier(column.name))
    own = [check for check in checks if check.column == column.name]
    by_type = [sql.SQL("({})").format(check.condition) for check in own if check.is_of_type]
    others: list[sql.Composable] = [sql.SQL("({})").format(check.condition) for check in own if not check.is_of_type]
    if by_type and column.type in _USUAL:
        usual = sql.SQL(_USUAL[column.type]).format(x=text, type=sql.Literal(_NUMBERS.get(column.name, "")))
        any_of_type = sql.SQL("NOT ({}) AND ({})").format(usual, sql.SQL(" OR ").join(by_type))
        others.append(sql.SQL("({})").format(any_of_type))
    else:
        others += by_type
    return sql.SQL(" OR ").join(others or [sql.SQL("false")])


def _named(column: str, checks: list[_Check]) -> sql.Composed:
    """The column, its value, and the code of the first check that fails."""
    whens = [
        sql.SQL("WHEN {} THEN {}").format(check.condition, sql.Literal(check.code))
        for check in checks
        if check.column == column
    ]
    code = sql.SQL("CASE {} ELSE '' END").format(sql.SQL(" ").join(whens)) if whens else sql.SQL("''")
    return sql.SQL("({name}, s.{column}, {code})").format(
        name=sql.Literal(column), column=sql.Identifier(column), code=code
    )


def _checks(kind: str, columns: Sequence[Column], time_zone: str) -> list[_Check]:
    checks: list[_Check] = []

    def add(column: str, code: str, condition: str, *, is_of_type: bool = True, **parts: sql.Composable) -> None:
        text = sql.SQL("s.{}").format(sql.Identifier(column))
        checks.append(_Check(column, code, sql.SQL(condition).format(x=text, **parts), is_of_type))

    for column in columns:
        name = column.name
        if column.is_required:
            add(name, "missing", "{x} = ''", is_of_type=False)
        if column.max_length:
            # Bytes are counted without looking at them; only what could be too long is looked at.
            too_long = "octet_length({x}) > {n} AND length({x}) > {n}"
            add(name, "too_long", too_long, is_of_type=False, n=sql.Literal(column.max_length))
        match column.type:
            case Type.WHOLE:
                add(name, "bad_whole_number", "{x} <> '' AND {x} !~ {re}", re=sql.Literal(_WHOLE))
            case Type.DECIMAL:
                # CASE: only what looks like a number may be tried as one.
                add(name, "bad_number", "{x} <> '' AND {x} !~ {re}", re=sql.Literal(_DECIMAL))
                add(
                    name,
                    "out_of_range",
                    "CASE WHEN {x} ~ {re} THEN NOT pg_input_is_valid({x}, {type}) ELSE false END",
                    re=sql.Literal(_DECIMAL),
                    type=sql.Literal(_NUMBERS[name]),
                )
            case Type.TIME:
                valid = sql.SQL("({x} ~ {re} AND pg_input_is_valid({x}, 'timestamptz'))").format(
                    x=sql.SQL("s.{}").format(sql.Identifier(name)), re=sql.Literal(_TIME)
                )
                add(name, "bad_time", "{x} <> '' AND NOT {valid}", valid=valid)
                if not time_zone:
                    add(name, "no_zone", "{x} <> '' AND {x} !~ {re}", re=sql.Literal(_ZONE))
                for code, condition in (
                    ("too_early", "CASE WHEN {valid} THEN {time} < 'epoch' ELSE false END"),
                    ("in_future", "CASE WHEN {valid} THEN {time} > now() + interval '1 day' ELSE false END"),
                ):
                    if code == "too_early" or kind == Import.Kind.INTERACTIONS:
                        add(name, code, condition, valid=valid, time=time_of(name, time_zone))
            case Type.CURRENCY:
                add(name, "bad_currency", "{x} <> '' AND {x} !~ '^[A-Z]{{3}}$'")
            case Type.YES_NO:
                add(name, "bad_yes_no", "{x} <> '' AND NOT pg_input_is_valid({x}, 'boolean')")
            case Type.CATEGORY:
                add(name, "bad_category", "{x} <> '' AND {x} !~ '^[a-z0-9-]+(?:/[a-z0-9-]+)*$'")
            case Type.JSON:
                add(
                    name,
                    "bad_json",
                    "{x} <> '' AND CASE WHEN pg_input_is_valid({x}, 'jsonb')"
                    " THEN jsonb_typeof({x}::jsonb) <> 'object' ELSE true END",
                )
            case Type.TEXT:
                pass
    if kind == Import.Kind.INTERACTIONS:
        add("product", "unknown_product", "{x} <> '' AND p.id IS NULL", is_of_type=False)
        add("event_type", "unknown_event_type", "{x} <> '' AND e.id IS NULL", is_of_type=False)
    else:
        add("external_id", "repeated_product", "{x} <> '' AND s.row <> l.row", is_of_type=False)
        add("title", "new_product_without_title", "{x} = '' AND p.id IS NULL", is_of_type=False)
        add("price", "negative_price", "{x} LIKE '-%'", is_of_type=False)
        without_currency = "{x} = '' AND s.price <> '' AND coalesce(p.currency, '') = ''"
        add("currency", "price_without_currency", without_currency, is_of_type=False)
    return checks


def _joins(kind: str, staging: Staging) -> sql.Composable:
    """What the last checks compare with."""
    if kind == Import.Kind.INTERACTIONS:
        return sql.SQL(
            "LEFT JOIN catalog_product p ON p.external_id = s.product"
            " LEFT JOIN catalog_eventtype e ON e.code = s.event_type"
        )
    return sql.SQL(
        "LEFT JOIN catalog_product p ON p.external_id = s.external_id"
        " JOIN (SELECT external_id, max(row) AS row FROM {} GROUP BY 1) l ON l.external_id = s.external_id"
    ).format(staging.table)


def staging_of(source: Import) -> Staging:
    """The staging tables of an import."""
    return Staging(source.pk, columns_of(source.kind))
