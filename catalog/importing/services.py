"""Imports: run, resume, revert, and the report of what was rejected."""

import csv
import io
import logging
import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, cast

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import DataError, connection, transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from catalog.importing import interactions, locks, products
from catalog.importing.checks import find_problems, staging_of
from catalog.importing.formats import guess_format, open_rows
from catalog.importing.mapping import positions
from catalog.importing.options import Options
from catalog.importing.progress import Progress, Report, silent
from catalog.importing.rows import Source, Unreadable
from catalog.importing.staging import Staging
from catalog.models import Import, Interaction, Partner, Shopper, User

logger = logging.getLogger(__name__)

_SEGMENT = 100_000  # rows between two signs of life while a file is read
_BLOCK = 5_000  # rows in memory
_REVERTED_AT_ONCE = 50_000
_UNREADABLE = (Unreadable, OSError, EOFError, zlib.error)


class ImportFailed(Exception):
    """Nothing was imported; the message says why and what would mend it."""

    def __init__(self, source: Import) -> None:
        super().__init__(source.error)
        self.source = source


class ImportBlocked(Exception):
    """Another process, or another import of the partner that was never ended, stands in the way."""


class NotRevertible(Exception):
    """What this import did cannot be taken back."""


def run_import(
    *,
    kind: Import.Kind,
    partner: Partner,
    source: Path | BinaryIO,
    filename: str = "",
    file_format: str = "",
    options: Options | None = None,
    is_strict: bool = False,
    is_dry_run: bool = False,
    by: User | None = None,
    progress: Report = silent,
) -> Import:
    """Import a file from a path or an open stream. Raises ImportFailed or ImportBlocked."""
    options = options or Options()
    if isinstance(source, Path):
        options = Options(**(options.to_json() | {"path": str(source.absolute())}))
        filename = filename or source.name
    started = create_import(
        kind=kind,
        partner=partner,
        filename=filename or "-",
        file_format=file_format,
        options=options,
        is_strict=is_strict,
        is_dry_run=is_dry_run,
        by=by,
    )
    return _work(started, None if isinstance(source, Path) else source, progress)


def create_import(
    *,
    kind: Import.Kind,
    partner: Partner,
    filename: str,
    file_format: str = "",
    options: Options,
    is_strict: bool = False,
    is_dry_run: bool = False,
    by: User | None = None,
) -> Import:
    """Announce a file; `resume_import` does the work, here or in a worker."""
    return Import.objects.create(
        partner=partner,
        kind=kind,
        filename=filename[-300:],
        file_format=file_format or guess_format(filename.removesuffix(".gz")),
        options=options.to_json(),
        is_strict=is_strict,
        is_dry_run=is_dry_run,
        started_by=by,
    )


def resume_import(*, source: Import, progress: Report = silent) -> Import:
    """Go on with an import whose process died; one that has ended is returned as it is."""
    if source.state not in {Import.State.STAGING, Import.State.MERGING}:
        return source
    return _work(source, None, progress)


def work_on(*, source: Import) -> Import:
    """Like `resume_import`, for a worker: a file that is refused is no error of the worker, and stands in the row."""
    try:
        return resume_import(source=source)
    except ImportFailed as error:
        logger.info("import %s failed", source.pk)
        return error.source


def revert_import(*, source: Import, at: datetime, progress: Report = silent) -> Import:
    """Take every interaction of an import back: hidden at once, then deleted. Safe to run again after a crash.

    What is stored of explanations forgets them in the transaction that hides them.

    Raises NotRevertible for products whose earlier values are gone, ImportBlocked while the import is running.
    """
    if source.kind == Import.Kind.PRODUCTS and source.state == Import.State.FINISHED:
        raise NotRevertible("The earlier values of products are not kept. Import the file that had them again.")
    with locks.working_on(source.pk) as is_ours:
        if not is_ours:
            raise ImportBlocked(f"Import {source.pk} is running. Stop it first.")
        was_visible = source.state == Import.State.FINISHED
        with transaction.atomic():
            Import.objects.filter(pk=source.pk).update(state=Import.State.REVERTED, heartbeat_at=at)
            if was_visible:
                _mark_shoppers(source, at)  # first: it locks the shoppers, as a refresh does
                _withdraw(source)
        staging_of(source).drop()
        total, done = Interaction.objects.filter(source=source).count(), 0
        while deleted := _delete_some(source):
            done += deleted
            progress(Progress(phase="reverting", done=done, total=total))
        _forget_upload(source)
    source.refresh_from_db()
    return source


def rejection_report(*, source: Import) -> Iterator[str]:
    """The rejected rows as CSV, line by line."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["row", "field", "value", "problem", "remedy"])
    for rejection in source.rejections.order_by("row", "field", "pk").iterator(chunk_size=1_000):
        writer.writerow([rejection.row, rejection.field, _harmless(rejection.value), rejection.code, rejection.remedy])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _work(source: Import, stream: BinaryIO | None, progress: Report) -> Import:
    """Stage, check and merge, beginning where an earlier process stopped."""
    with locks.working_on(source.pk) as is_ours:
        if not is_ours:
            raise ImportBlocked(f"Import {source.pk} is being worked on by another process.")
        source.refresh_from_db()
        staging, options = staging_of(source), Options.from_json(source.options)
        _refuse_if_blocked(source)
        if source.state == Import.State.STAGING or staging.count() != source.rows_read:
            try:
                _stage(source, staging, options, stream, progress)
            except _UNREADABLE as error:
                raise _failed(source, staging, str(error)) from error
            progress(Progress(phase="checking", done=0, total=source.rows_read))
            find_problems(source=source, staging=staging, time_zone=options.time_zone)
        if source.is_dry_run:
            return _checked(source, staging)
        if source.is_strict and source.rows_rejected:
            why = f"{source.rows_rejected} rows were rejected, and a strict import takes all or none."
            raise _failed(source, staging, why)
        if source.kind == Import.Kind.PRODUCTS:
            _merge_products(source, staging, options)
        else:
            with locks.merging_for(source.partner_id):
                _merge_interactions(source, staging, options, progress)
        staging.drop()
        _forget_upload(source)
        logger.info("import %s finished: %s merged, %s rejected", source.pk, source.rows_merged, source.rows_rejected)
        return source


def _stage(source: Import, staging: Staging, options: Options, stream: BinaryIO | None, progress: Report) -> None:
    """Copy the file into the staging table, from its beginning."""
    _check_time_zone(options.time_zone)
    source.rows_read = source.rows_merged = source.merged_through = 0
    source.error = ""
    source.save(update_fields=["rows_read", "rows_merged", "merged_through", "error"])
    staging.create()
    file = stream or _open(options)
    try:
        rows = open_rows(
            file,
            file_format=source.file_format,
            filename=source.filename,
            encoding=options.encoding,
            delimiter=options.delimiter,
        )
        found = positions(rows.headings, staging.columns, options.renamed)
        source.options = source.options | {"columns": list(found)}
        _copy(source, staging, rows, found, progress)
    finally:
        if stream is None:
            file.close()
    staging.index()


def _copy(source: Import, staging: Staging, rows: Source, found: Mapping[str, int], progress: Report) -> None:
    numbered = rows.rows()
    while block := list(islice(numbered, _BLOCK)):
        staging.copy(block, found)
        source.rows_read += len(block)
        if source.rows_read % _SEGMENT < _BLOCK:
            source.heartbeat_at = timezone.now()
            source.save(update_fields=["rows_read", "heartbeat_at"])
            progress(Progress(phase="reading", done=source.rows_read, total=rows.total))
    source.save(update_fields=["rows_read", "options"])


def _merge_interactions(source: Import, staging: Staging, options: Options, progress: Report) -> None:
    _refuse_if_blocked(source)
    if source.state == Import.State.STAGING:
        source.state = Import.State.MERGING
        source.save(update_fields=["state"])
    interactions.merge(source=source, staging=staging, time_zone=options.time_zone, report=progress)
    with transaction.atomic():
        locks.hold_horizon()
        source.finished_at = timezone.now()
        _mark_shoppers(source, source.finished_at)
        _finish(source, Import.State.FINISHED)
    if source.rows_merged > _REVERTED_AT_ONCE:
        with connection.cursor() as cursor:  # the next reader is cleaning, which would plan with yesterday's sizes
            cursor.execute("ANALYZE catalog_interaction, catalog_shopper")


def _refuse_if_blocked(source: Import) -> None:
    """Raises ImportBlocked where an import of the partner stopped half-way.

    Its rows are hidden: an event that both files hold would be taken as known, and be lost if the other is reverted.
    """
    others = Import.objects.filter(partner=source.partner_id, kind=source.kind, state=Import.State.MERGING)
    for other in others.exclude(pk=source.pk):
        with locks.working_on(other.pk) as is_dead:
            if is_dead:
                source.error = f"Import {other.pk} of this partner stopped half-way. Resume or revert it first."
                source.save(update_fields=["error"])
                raise ImportBlocked(source.error)


def _merge_products(source: Import, staging: Staging, options: Options) -> None:
    with transaction.atomic():
        products.merge(source=source, staging=staging, given=source.options["columns"], time_zone=options.time_zone)
        source.finished_at = timezone.now()
        _finish(source, Import.State.FINISHED)


def _checked(source: Import, staging: Staging) -> Import:
    if source.kind == Import.Kind.PRODUCTS:
        source.rows_known = products.count_known(staging=staging)
    else:
        source.rows_known = interactions.count_known(source=source, staging=staging)
    source.finished_at = timezone.now()
    _finish(source, Import.State.CHECKED)
    staging.drop()
    _forget_upload(source)
    return source


def _finish(source: Import, state: Import.State) -> None:
    source.state = state
    source.heartbeat_at = source.finished_at
    source.save(update_fields=["state", "finished_at", "heartbeat_at", "rows_merged", "rows_known"])


def _failed(source: Import, staging: Staging, why: str) -> ImportFailed:
    """The file is refused as a whole. Rows of an earlier attempt, if there are any, keep the import resumable."""
    staging.drop()
    source.error = why
    if source.state == Import.State.STAGING:
        source.state = Import.State.FAILED
        _forget_upload(source)
    source.save(update_fields=["state", "error"])
    return ImportFailed(source)


def _mark_shoppers(source: Import, at: datetime) -> None:
    """What was computed for the shoppers of these interactions is stale."""
    touched = Interaction.objects.filter(source=source).values("shopper_id")
    Shopper.objects.filter(pk__in=touched).update(changed_at=at)


def _withdraw(source: Import) -> None:
    """No stored reason cites what these interactions are about; a refresh tells what is left of it."""
    withdraw = import_string(settings.HISTORY_WITHDRAWN)
    pairs = Interaction.objects.filter(source=source, shopper__isnull=False).values_list("shopper_id", "product_id")
    ordered = pairs.distinct().order_by("shopper_id", "product_id").iterator(chunk_size=10_000)
    for shopper_id, found in groupby(ordered, key=itemgetter(0)):
        withdraw(shopper_id=shopper_id, product_ids=[product_id for _, product_id in found])


def _delete_some(source: Import) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM catalog_interaction WHERE id IN"
            " (SELECT id FROM catalog_interaction WHERE source_id = %s LIMIT %s)",
            [source.pk, _REVERTED_AT_ONCE],
        )
        return int(cursor.rowcount)


def _open(options: Options) -> BinaryIO:
    if options.upload:
        return cast(BinaryIO, default_storage.open(options.upload, "rb"))
    if options.path:
        return Path(options.path).open("rb")
    raise Unreadable("The rows came through a pipe and are gone. Revert this import and start it again.")


def _forget_upload(source: Import) -> None:
    """An uploaded file is needed for as long as it could be read again."""
    if name := Options.from_json(source.options).upload:
        default_storage.delete(name)


def _check_time_zone(name: str) -> None:
    """Raises Unreadable where Postgres does not know the zone."""
    if not name:
        return
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT now() AT TIME ZONE %s", [name])
    except DataError:
        raise Unreadable(f'"{name}" is no time zone. Use a name like Europe/London.') from None


def _harmless(value: str) -> str:
    """A spreadsheet would run a value that begins like a formula."""
    return "'" + value if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
