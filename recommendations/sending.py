"""Messages to workers. Losing one loses nothing: the rows say what is to be done, and the reaper sends again."""

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def send(task: str, *, queue: str, **arguments: object) -> None:
    """Enqueue `task`, known by name, once the transaction commits."""
    transaction.on_commit(lambda: _send(task, queue, arguments))


def _send(task: str, queue: str, arguments: dict[str, object]) -> None:
    try:
        current_app.send_task(task, kwargs=arguments, queue=queue)
    except OperationalError:
        logger.warning("not sent, the broker does not answer: the reaper will", extra={"task": task} | arguments)
