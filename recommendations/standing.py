"""How far a training or a run is: done, rate, time left, what went wrong."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Max, Sum

from recommendations.models import ModelVersion, Run, Shard


@dataclass(frozen=True, kw_only=True, slots=True)
class RunProgress:
    done: int
    total: int
    leased: int
    failed: int
    slates: int
    slates_per_second: float | None  # of wall time, over all workers
    left: timedelta | None  # None while nothing can be said
    errors: tuple[tuple[Shard, str], ...]  # the last words of shards in trouble

    @property
    def share(self) -> float:
        return self.done / self.total if self.total else 0.0


def of_run(run: Run, at: datetime) -> RunProgress:
    """Counted over the shards: three queries, however many shoppers there are."""
    states = {
        row["state"]: row
        for row in run.shards.order_by().values("state").annotate(shards=Count("pk"), made=Sum("slates"))
    }

    def count(state: str) -> int:
        return int(states[state]["shards"]) if state in states else 0

    total = sum(row["shards"] for row in states.values())
    done = count(Shard.State.DONE)
    slates = sum(row["made"] or 0 for row in states.values())
    end = run.ready_at or at
    elapsed = (end - run.created_at).total_seconds()
    is_working = run.state == Run.State.COMPUTING and 0 < done < total and elapsed > 0
    troubled = run.shards.exclude(error="").order_by("-pk")[:5]
    return RunProgress(
        done=done,
        total=total,
        leased=count(Shard.State.LEASED),
        failed=count(Shard.State.FAILED),
        slates=slates,
        slates_per_second=slates / elapsed if slates and elapsed > 0 else None,
        left=timedelta(seconds=round(elapsed / done * (total - done))) if is_working else None,
        errors=tuple((shard, shard.error) for shard in troubled),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingProgress:
    epochs: int  # finished ones
    most: int | None  # the configuration's limit; early stopping usually ends before
    best: float | None  # validation NDCG@10
    seconds_per_epoch: float | None
    left: timedelta | None  # at most


def of_training(version: ModelVersion) -> TrainingProgress:
    found = version.epochs.aggregate(
        last=Max("number"), best=Max("validation_ndcg"), seconds=Sum("seconds"), rows=Count("pk")
    )
    epochs, rows = found["last"] or 0, found["rows"] or 0
    most = version.config.get("training", {}).get("epochs")
    pace = found["seconds"] / rows if rows else None
    is_working = version.state == ModelVersion.State.TRAINING and pace is not None and most is not None
    return TrainingProgress(
        epochs=epochs,
        most=most,
        best=found["best"],
        seconds_per_epoch=pace,
        left=timedelta(seconds=round(pace * max(most - epochs, 0))) if is_working and pace and most else None,
    )


def took(start: datetime | None, end: datetime | None) -> str:
    """A span as h:mm:ss; a dash while there is none."""
    if start is None or end is None:
        return "—"
    seconds = max(round((end - start).total_seconds()), 0)
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
