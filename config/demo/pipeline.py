"""The way of the first model from its request to the live run, as told to whoever waits for it."""

import time

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from config.demo.console import Console
from recommendations import progress, services
from recommendations.models import ModelVersion, Run


class ModelFailed(Exception):
    """The model did not become live, and will not by waiting."""


class Pipeline:
    """Looks once a second, and takes the steps that are due as the schedule's reaper does."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began_at = time.monotonic()
        self._looked_at = 0.0

    def is_live(self) -> bool:
        """Raises ModelFailed."""
        if time.monotonic() - self._looked_at < 1:
            return False
        try:
            services.advance(at=timezone.now())
            is_live = Run.objects.live().exists()
            if not is_live:  # else what came after it may have failed or wait for staff
                self._console.progress(f"{_describe()} ({time.monotonic() - self._began_at:.0f} s)")
        except (OperationalError, InterfaceError):  # the database is being started again
            is_live = False
        self._looked_at = time.monotonic()
        return is_live


def _describe() -> str:
    run = Run.objects.filter(state=Run.State.COMPUTING).order_by("pk").last()
    if run is not None:
        return progress.of_run(run)
    version = ModelVersion.objects.own().order_by("pk").last()
    if version is None:
        raise ModelFailed("no model was asked for")
    if version.state in progress.ENDED and version.state != ModelVersion.State.PASSED:
        raise ModelFailed(progress.of_training(version) + (f" {version.gate}" if version.gate else ""))
    ended = version.runs.order_by("pk").last()
    if ended is not None and ended.state != Run.State.LIVE:
        raise ModelFailed(progress.of_run(ended))
    return progress.of_training(version)
