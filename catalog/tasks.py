"""Work on the catalogue that nobody waits for."""

from celery import shared_task

from catalog.importing import services
from catalog.models import Import


# Delivered again when its worker dies, so it goes on where that one stopped. Blocked: another one is at work.
@shared_task(queue="default", autoretry_for=(services.ImportBlocked,), retry_backoff=30, max_retries=10)
def run_import(*, import_id: int) -> None:
    """Import an uploaded file; what went wrong stands in the import's row."""
    services.work_on(source=Import.objects.get(pk=import_id))
