"""A worker that answers shoppers has the live model in memory before the first of them waits for it."""

import logging
from threading import Thread

from django.db import Error, connection

from recommendations.artifacts import ArtifactDamaged
from recommendations.models import Run

logger = logging.getLogger(__name__)


def begin() -> None:
    """Load beside the worker's start, which must not take longer than its parent waits for it."""
    Thread(target=_load, name="warming", daemon=True).start()


def _load() -> None:
    from explanations import engine  # noqa: F401  # torch: worker only
    from recommendations import inference

    try:
        run = Run.objects.live().select_related("version").first()
        if run is not None:
            inference.loaded(run.version)
    except (Error, ArtifactDamaged):  # the first task meets it again, and says so
        logger.exception("the live model could not be loaded ahead")
    finally:
        connection.close()
