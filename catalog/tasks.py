"""Work on the catalogue that nobody waits for."""

from celery import shared_task
from django.utils import timezone

from catalog.importing import services
from catalog.models import Import


# Delivered again when its worker dies, so it goes on where that one stopped. Blocked: another one is at work.
@shared_task(autoretry_for=(services.ImportBlocked,), retry_backoff=30, max_retries=10)
def run_import(*, import_id: int) -> None:
    """Import an uploaded file; what went wrong stands in the import's row."""
    services.work_on(source=Import.objects.get(pk=import_id))


@shared_task(autoretry_for=(services.ImportBlocked,), retry_backoff=30, max_retries=10)
def revert_import(*, import_id: int) -> None:
    """Take an import back; a revert whose worker died goes on."""
    services.revert_import(source=Import.objects.get(pk=import_id), at=timezone.now())
