"""The pipeline's order: train → gate → precompute and explain → publish."""

from celery import shared_task
from django.utils import timezone

from recommendations import services


@shared_task
def retrain_and_publish() -> None:
    """Train on what is known now; `advance` precomputes and publishes it if it passes its gate."""
    services.retrain(by=None, at=timezone.now(), publish_when_ready=True)


@shared_task
def advance() -> None:
    """Take every step of the pipeline that is due, and send again what a killed worker or a broker lost."""
    services.advance(at=timezone.now())
