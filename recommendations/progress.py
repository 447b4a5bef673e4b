"""How far a training or a run has come, in one line, for whoever waits in a terminal."""

import time
from collections.abc import Callable, Iterator

from recommendations.models import ModelVersion, Run, Shard

ENDED = frozenset(
    {
        ModelVersion.State.PASSED,
        ModelVersion.State.REJECTED,
        ModelVersion.State.CANCELLED,
        ModelVersion.State.FAILED,
    }
)


def of_training(version: ModelVersion) -> str:
    epoch = version.epochs.order_by("number").last()
    line = f"{version} {version.get_state_display()}"
    if epoch is not None:
        line += f": epoch {epoch.number}, loss {epoch.loss:.4f}, validation NDCG@10 {epoch.validation_ndcg:.4f}"
    return line + (f": {version.error}" if version.error else "")


def of_run(run: Run) -> str:
    done = run.shards.filter(state=Shard.State.DONE).count()
    line = f"{run} {run.get_state_display()}: {done} of {run.shards.count()} shards"
    return line + (f": {run.error}" if run.error else "")


def watch_training(version: ModelVersion, *, every: float = 1.0) -> Iterator[str]:
    """A line whenever something moved, until the training has ended; `version` is kept up to date."""
    return _watch(version.refresh_from_db, lambda: of_training(version), lambda: version.state in ENDED, every)


def watch_run(run: Run, *, every: float = 1.0) -> Iterator[str]:
    """A line whenever a shard ended, until the run is complete or failed; `run` is kept up to date."""
    return _watch(run.refresh_from_db, lambda: of_run(run), lambda: run.state != Run.State.COMPUTING, every)


def _watch(
    refresh: Callable[[], None], line: Callable[[], str], has_ended: Callable[[], bool], every: float
) -> Iterator[str]:
    shown = ""
    while True:
        refresh()
        if line() != shown:
            shown = line()
            yield shown
        if has_ended():
            return
        time.sleep(every)
