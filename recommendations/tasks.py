"""Trainings and housekeeping on the workers."""

from celery import shared_task
from django.utils import timezone

from recommendations import services, trainings


@shared_task
def train(*, version_id: int) -> None:
    """Train a version, resuming where another worker died; then take the step that follows."""
    from recommendations import training  # torch: worker only

    trainings.work(version_id=version_id, train=training.run)
    services.advance(at=timezone.now(), resend=False)


@shared_task
def clean_up() -> None:
    """Old runs, replaced slates, artifacts of nobody."""
    services.clean_up(at=timezone.now())
