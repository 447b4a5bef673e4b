"""The way of the first model from its request to the live run, as told to whoever waits for it."""

import time

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from config.demo.console import Console
from recommendations import services
from recommendations.models import ModelVersion, Run, Shard


class ModelFailed(Exception):
    """The model did not become live, and will not by waiting."""


class Pipeline:
    """Looks once a second, and takes the steps that are due as the schedule's reaper does."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._looked_at = 0.0

    def is_live(self) -> bool:
        """Raises ModelFailed."""
        if time.monotonic() - self._looked_at < 1:
            return False
        try:
            services.advance(at=timezone.now())
            is_live = Run.objects.live().exists()
            self._console.progress(_describe())
        except (OperationalError, InterfaceError):  # the database is being started again
            is_live = False
        self._looked_at = time.monotonic()
        return is_live


def _describe() -> str:
    run = Run.objects.filter(state=Run.State.COMPUTING).order_by("pk").last()
    if run is not None:
        done, total = run.shards.filter(state=Shard.State.DONE).count(), run.shards.count()
        return f"{run}: {done} of {total} shards scored, explained and verified"
    version = ModelVersion.objects.order_by("pk").last()
    if version is None:
        raise ModelFailed("no model was asked for")
    if version.state in {ModelVersion.State.REJECTED, ModelVersion.State.FAILED, ModelVersion.State.CANCELLED}:
        raise ModelFailed(f"{version} {version.get_state_display()}: {version.error or version.gate}")
    ended = version.runs.order_by("pk").last()
    if ended is not None and ended.state != Run.State.LIVE:
        raise ModelFailed(f"{ended} {ended.get_state_display()}: {ended.error}")
    epoch = version.epochs.order_by("number").last()
    if epoch is None:
        return f"{version} {version.get_state_display()}"
    measured = f"loss {epoch.loss:.3f}, validation NDCG@10 {epoch.validation_ndcg:.4f}"
    return f"{version} {version.get_state_display()}: epoch {epoch.number}, {measured}"
