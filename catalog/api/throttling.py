"""How often: a partner's requests are counted together, whatever key and process they come through."""

import logging
import time
from typing import TYPE_CHECKING

from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from catalog.models import PartnerKey

if TYPE_CHECKING:
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)


class PartnerThrottle(SimpleRateThrottle):
    """A sliding window of two counters.

    The packaged window keeps a time stamp for every request and rewrites them all each time, and two processes
    overwrite each other's. Here a request is one atomic increment: the count of this window, and of the last
    one by the part of it that is still inside.
    """

    scope = "partner"
    num_requests: int
    duration: int

    def get_cache_key(self, request: Request, view: "APIView") -> str | None:
        return f"throttle-partner-{request.auth.partner_id}" if isinstance(request.auth, PartnerKey) else None

    def allow_request(self, request: Request, view: "APIView") -> bool:
        key = self.get_cache_key(request, view)
        if key is None:
            return True
        window, elapsed = divmod(self.timer(), self.duration)
        try:
            count = self._count(f"{key}-{window:.0f}")
            last = self.cache.get(f"{key}-{window - 1:.0f}", 0)
        except RedisError:
            # A shop whose cache is down still shows its recommendations.
            logger.warning("Requests are not counted: the cache does not answer.")
            return True
        self.remaining = self.duration - elapsed
        return bool(count + last * (1 - elapsed / self.duration) <= self.num_requests)

    def _count(self, key: str) -> int:
        """One more in this window."""
        try:
            return int(self.cache.incr(key))
        except ValueError:  # the first one
            self.cache.add(key, 0, timeout=2 * self.duration)
            return int(self.cache.incr(key))

    def wait(self) -> float:
        """Until this window ends."""
        return self.remaining

    timer = staticmethod(time.time)
