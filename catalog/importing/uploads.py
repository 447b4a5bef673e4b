"""Files that come through the admin: kept in the default storage, worked on by a worker."""

from datetime import datetime

from celery import current_app
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction

from catalog.importing import services
from catalog.importing.options import Options
from catalog.models import Import, Partner, User

RESUME_TASK = "catalog.tasks.run_import"
REVERT_TASK = "catalog.tasks.revert_import"
QUEUE = "default"


@transaction.atomic
def start_upload(
    *,
    kind: Import.Kind,
    partner: Partner,
    file: "File[bytes]",
    time_zone: str,
    is_strict: bool,
    is_dry_run: bool,
    by: User | None,
    at: datetime,
) -> Import:
    """Keep the file and have a worker import it."""
    name = (file.name or "upload").rpartition("/")[2]
    stored = default_storage.save(f"imports/{at:%Y/%m}/{name}", file)
    source = services.create_import(
        kind=kind,
        partner=partner,
        filename=name,
        options=Options(upload=stored, time_zone=time_zone),
        is_strict=is_strict,
        is_dry_run=is_dry_run,
        by=by,
    )
    request_resume(source=source)
    return source


def request_resume(*, source: Import) -> None:
    """Have a worker begin or go on; what stopped it before is forgotten."""
    Import.objects.filter(pk=source.pk).update(error="")
    _send(RESUME_TASK, source)


def request_revert(*, source: Import) -> None:
    """Have a worker take the import back. Raises NotRevertible before anything is asked."""
    if source.kind == Import.Kind.PRODUCTS and source.state == Import.State.FINISHED:
        raise services.NotRevertible("The earlier values of products are not kept.")
    _send(REVERT_TASK, source)


def _send(task: str, source: Import) -> None:
    transaction.on_commit(lambda: current_app.send_task(task, kwargs={"import_id": source.pk}, queue=QUEUE))
