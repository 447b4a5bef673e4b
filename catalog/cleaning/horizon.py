"""Since when something is known: a point in time before which nothing more can appear."""

import time
from datetime import datetime

from django.db import connection, transaction
from django.utils import timezone

from catalog.importing import locks

_SETTLE = 0.2  # seconds between taking the time of an event and beginning to write it
_PATIENCE = 60.0
_WRITERS = """
SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted
    AND relation = 'catalog_interaction'::regclass
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND pid <> pg_backend_pid()
"""


class StillWriting(Exception):
    """A transaction that writes interactions has been open for too long to know what it will bring."""


def settled() -> datetime:
    """Now, once every transaction that may write an interaction with an earlier time of receipt has ended.

    Whoever selects "received until then", today or in a year, sees the same rows. Raises StillWriting.
    """
    with transaction.atomic():
        locks.hold_horizon()
        horizon = timezone.now()
    time.sleep(_SETTLE)
    deadline = time.monotonic() + _PATIENCE
    waited_for = _writers()
    while waited_for & _writers():
        if time.monotonic() > deadline:
            raise StillWriting("Something has been writing interactions in one transaction for over a minute.")
        time.sleep(0.05)
    return horizon


def _writers() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(_WRITERS)
        return {row[0] for row in cursor.fetchall()}
