"""Merges staged interactions, chunk by chunk, each safe to run twice."""

from django.db import connection, transaction
from django.utils import timezone
from psycopg import sql

from catalog.importing.checks import time_of
from catalog.importing.progress import Progress, Report
from catalog.importing.staging import Staging
from catalog.models import Import, Interaction

CHUNK = 50_000  # rows of the file; a deferred foreign key waits in memory until its chunk is committed

_IS_GOOD = "s.row > {after} AND s.row <= {through} AND NOT EXISTS (SELECT FROM {problems} b WHERE b.row = s.row)"

_SHOPPERS = (
    "INSERT INTO catalog_shopper (partner_id, external_id, is_personalised, created_at)"  # noqa: S608  our constants
    " SELECT {partner}, s.shopper, true, {at} FROM {table} s WHERE s.shopper <> '' AND " + _IS_GOOD + ""
    " GROUP BY s.shopper ORDER BY s.shopper ON CONFLICT (partner_id, external_id) DO NOTHING"
)
_INTERACTIONS = (
    "INSERT INTO catalog_interaction"  # noqa: S608  our constants
    " (partner_id, event_id, shopper_id, product_id, event_type_id, occurred_at,"
    " received_at, quantity, unit_price, currency, value, basket, recommendation, source_id)"
    " SELECT {partner}, s.event_id, o.id, p.id, e.id, {time}, {at}, nullif(s.quantity, '')::numeric::integer,"
    " nullif(s.unit_price, '')::numeric(12,3), s.currency, nullif(s.value, '')::float8, s.basket, s.recommendation,"
    " {source}"
    " FROM {table} s JOIN catalog_product p ON p.external_id = s.product"
    " JOIN catalog_eventtype e ON e.code = s.event_type"
    " LEFT JOIN catalog_shopper o ON o.partner_id = {partner} AND o.external_id = s.shopper"
    " WHERE " + _IS_GOOD + " ORDER BY s.row ON CONFLICT (partner_id, event_id) DO NOTHING"
)
_KNOWN = (
    "SELECT count(*) FROM {table} s JOIN catalog_interaction i ON i.partner_id = {partner} AND i.event_id = s.event_id"
    " WHERE NOT EXISTS (SELECT FROM {problems} b WHERE b.row = s.row)"
)


def count_known(*, source: Import, staging: Staging) -> int:
    """How many staged rows would change nothing."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(_KNOWN).format(**_parts(source, staging)))
        return int(cursor.fetchone()[0])


def merge(*, source: Import, staging: Staging, time_zone: str, report: Report) -> None:
    """Write what is not merged yet. Killed at any point, the next call goes on where the last commit was."""
    last = staging.last_row()
    while source.merged_through < last:
        after, through = source.merged_through, min(source.merged_through + CHUNK, last)
        at = timezone.now()
        parts = _parts(source, staging) | {
            "after": sql.Literal(after),
            "through": sql.Literal(through),
            "at": sql.Literal(at),
            "source": sql.Literal(source.pk),
            "time": time_of("occurred_at", time_zone),
        }
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql.SQL(_SHOPPERS).format(**parts))
            if after == 0 and cursor.rowcount:
                cursor.execute("ANALYZE catalog_shopper")  # or the join below is planned for the empty table it was
            cursor.execute(sql.SQL(_INTERACTIONS).format(**parts))
            source.rows_merged += cursor.rowcount
            source.merged_through = through
            source.heartbeat_at = at
            source.save(update_fields=["rows_merged", "merged_through", "heartbeat_at"])
        report(Progress(phase="merging", done=through, total=last))
    # Counted, not summed up: a file that was read again after a crash finds its own rows there.
    source.rows_merged = Interaction.objects.filter(source=source).count()
    source.rows_known = source.rows_accepted - source.rows_merged


def _parts(source: Import, staging: Staging) -> dict[str, sql.Composable]:
    return {"table": staging.table, "problems": staging.problems, "partner": sql.Literal(source.partner_id)}
