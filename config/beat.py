"""The beat process shows that it is alive."""

from django.core.cache import cache
from django.utils import timezone
from django_celery_beat.schedulers import DatabaseScheduler

SEEN_KEY = "beat:seen_at"
REMEMBERED = 120  # seconds; a tick comes at least every 5


class VisibleScheduler(DatabaseScheduler):  # type: ignore[misc]  # the package has no types
    """The database's schedule, with a trace of each tick for doctor."""

    def tick(self, *args: object, **kwargs: object) -> float:
        cache.set(SEEN_KEY, timezone.now().isoformat(), REMEMBERED)
        return float(super().tick(*args, **kwargs))
