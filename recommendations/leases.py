"""A row that a worker holds for a while: a training or a shard, claimed with a token and an expiry.

A worker that dies stops renewing; the reaper then sends the row to another one. A worker that was only
slow finds its token gone: every write that counts asks for the token, so that work counts once.
"""

import logging
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.models import QuerySet
from django.utils import timezone

from recommendations.models import ModelVersion, Shard

logger = logging.getLogger(__name__)

RENEWALS_PER_LEASE = 3  # two may fail before the lease runs out
LOOK_SECONDS = 1.0  # how long a request to stop may go unnoticed

Row = TypeVar("Row", ModelVersion, Shard)


class LeaseLost(Exception):
    """Somebody else holds the row now, or nobody may: stop, nothing of this will count."""


class Cancelled(Exception):
    """Staff asked to stop."""


def duration() -> timedelta:
    """How long a claim holds without renewal."""
    return timedelta(seconds=settings.LEASE_SECONDS)


@dataclass(kw_only=True, slots=True)
class Lease(Generic[Row]):
    """The right to work on one row, renewed while the work goes on.

    While it is `kept`, a thread asks the database and `renew` and `is_cancelled` only look at what the thread saw:
    they cost nothing, and the worker's own connection may be in the middle of a COPY or a transaction.
    """

    rows: QuerySet[Row]  # of one primary key
    pk: int
    token: uuid.UUID
    renewed_at: datetime
    _is_kept: bool = False
    _is_lost: threading.Event = field(default_factory=threading.Event)
    _cancel: threading.Event = field(default_factory=threading.Event)

    def renew(self, at: datetime) -> None:
        """Hold the row for another while; cheap to call often. Raises LeaseLost."""
        if self._is_lost.is_set():
            raise LeaseLost(self.pk)
        if not self._is_kept:
            self._renew(at)

    def is_cancelled(self) -> bool:
        """Whether staff asked to stop this training; known within a second or so."""
        if not self._is_kept:
            self._look_for_cancellation()
        return self._cancel.is_set()

    def held(self) -> QuerySet[Row]:
        """The row while it is ours, else none: what every write that counts starts from."""
        return self.rows.filter(lease_token=self.token)

    def _renew(self, at: datetime) -> None:
        if at - self.renewed_at < duration() / RENEWALS_PER_LEASE:
            return
        if self.held().update(leased_until=at + duration()) != 1:
            self._is_lost.set()
            raise LeaseLost(self.pk)
        self.renewed_at = at

    def _look_for_cancellation(self) -> None:
        asked = ModelVersion.objects.filter(pk=self.pk, lease_token=self.token, cancel_requested_at__isnull=False)
        if self.rows.model is ModelVersion and asked.exists():
            self._cancel.set()


def claim(rows: QuerySet[Row], *, pk: int, at: datetime, **changes: object) -> Lease[Row] | None:
    """Take row `pk` if it is still among `rows`; None when it is not.

    `rows` must filter by the row's own columns and EXISTS only. A join would become a subquery of row ids, into
    which PostgreSQL does not look again after it waited for a competitor's UPDATE: both would win.
    """
    token = uuid.uuid4()
    claimed = rows.filter(pk=pk).update(lease_token=token, leased_until=at + duration(), **changes)
    if claimed != 1:
        return None
    return Lease(rows=rows.model._default_manager.filter(pk=pk), pk=pk, token=token, renewed_at=at)


@contextmanager
def kept(lease: Lease[Row]) -> Iterator[Lease[Row]]:
    """Renew the lease from a thread with its own connection, so that a long computation does not lose it."""
    stop = threading.Event()
    thread = threading.Thread(target=_keep_until, args=(lease, stop), name=f"lease of {lease.pk}", daemon=True)
    lease._is_kept = True
    thread.start()
    try:
        yield lease
    finally:
        stop.set()
        thread.join()
        lease._is_kept = False


def _keep_until(lease: Lease[Row], stop: threading.Event) -> None:
    pause = min(duration().total_seconds() / RENEWALS_PER_LEASE / 2, LOOK_SECONDS)
    try:
        while not stop.wait(pause):
            try:
                lease._renew(timezone.now())
                lease._look_for_cancellation()
            except LeaseLost:  # the worker learns it at its next renewal or write
                return
            except (DatabaseError, InterfaceError):  # a restart: the token stays valid until somebody else claims
                logger.warning("lease not renewed, the database does not answer", extra={"pk": lease.pk})
                connection.close()
    finally:
        connection.close()
