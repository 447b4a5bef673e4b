"""Who works on an import: locks that Postgres releases when their process dies, however it dies."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

_IMPORT, _PARTNER, _HORIZON = 7_301, 7_302, 7_303  # the first half of the lock's key; any three numbers


@contextmanager
def working_on(import_id: int) -> Iterator[bool]:
    """Yields whether this process is the only one at work on the import."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_IMPORT, import_id])
        is_held = bool(cursor.fetchone()[0])
    try:
        yield is_held
    finally:
        if is_held:
            _release(_IMPORT, import_id)


@contextmanager
def merging_for(partner_id: int) -> Iterator[None]:
    """Waits until no other process merges interactions of the partner."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [_PARTNER, partner_id])
    try:
        yield
    finally:
        _release(_PARTNER, partner_id)


def hold_horizon() -> None:
    """Until the transaction ends, no other decides what has been visible since when."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [_HORIZON])


def _release(kind: int, key: int) -> None:
    if connection.connection is None or connection.connection.closed:
        return  # the server let go of it already
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [kind, key])
