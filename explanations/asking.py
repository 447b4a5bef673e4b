"""Questions that need the model: a page asks the `realtime` worker, waits a moment, and asks again if it must.

The web process never loads the model. Answers lie in the cache under a key that names everything they depend on, so
that an answer is never older than what it is about, and asking twice is computed once.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from celery import current_app
from django.core.cache import cache
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from recommendations.models import Slate

logger = logging.getLogger(__name__)

TASK = "explanations.tasks.answer"
QUEUE = "realtime"
WAIT = 2.0  # seconds that a page waits; then it says "updating" and asks for itself
PAUSE = 0.02
ASKED_AGAIN = 15  # seconds after which a question that got lost is sent again
LIST = 10  # as many products as a page shows
KEPT = 600  # seconds that an answer is kept

Answer = dict[str, Any]
FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is asked of a slate: which of `answering`'s questions, and its numbers."""

    kind: str
    arguments: Mapping[str, int]
    as_of: str  # what the answer depends on beside the arguments
    key: str = field(init=False)

    def __post_init__(self) -> None:
        content = json.dumps([self.kind, sorted(self.arguments.items()), self.as_of])
        digest = hashlib.blake2b(content.encode(), digest_size=16).hexdigest()
        object.__setattr__(self, "key", f"answer:{self.kind}:{digest}")


def about(slate: Slate, kind: str, **arguments: int) -> Question:
    """A question about a slate as it is now, and its shopper's history as it is now."""
    changed_at = slate.shopper.changed_at if slate.shopper is not None else None
    return Question(kind=kind, arguments={"slate_id": slate.pk, **arguments}, as_of=f"{slate.computed_at} {changed_at}")


def ask(question: Question, *, wait: float | None = None) -> Answer | None:
    """The answer, or None where it is not there yet: ask again soon.

    `FAILED` in it says that it could not be computed.
    """
    try:
        answer = _stored(question)
        if answer is None and cache.add(f"{question.key}:asked", 1, ASKED_AGAIN):
            _send(question)
        until = time.monotonic() + (WAIT if wait is None else wait)
        while answer is None and time.monotonic() < until:
            time.sleep(PAUSE)
            answer = _stored(question)
    except RedisError:
        logger.warning("cannot be asked, the broker does not answer", extra={"question": question.kind})
        return None
    return answer


def reply(*, key: str, compute: Callable[[], Answer]) -> None:
    """Compute an answer and leave it for those who wait; a failure is an answer too."""
    try:
        answer = compute()
    except Exception as error:
        cache.set(key, json.dumps({FAILED: type(error).__name__}), ASKED_AGAIN)
        raise
    cache.set(key, json.dumps(answer, allow_nan=False), KEPT)


def _stored(question: Question) -> Answer | None:
    found = cache.get(question.key)
    if found is None:
        return None
    answer: Answer = json.loads(found)
    return answer


def _send(question: Question) -> None:
    arguments = {"key": question.key, "kind": question.kind, "arguments": dict(question.arguments)}
    try:
        current_app.send_task(TASK, kwargs=arguments, queue=QUEUE, expires=ASKED_AGAIN)
    except OperationalError:
        logger.warning("not asked, the broker does not answer", extra={"question": question.kind})
