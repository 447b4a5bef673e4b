"""What a worker has in memory before its first task."""

import psutil
import pytest

from tests.processes import Crew, Worker, has_torch, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def is_warm(worker: Worker) -> bool:
    """Its child runs the tasks."""
    return any(has_torch(child.pid) for child in psutil.Process(worker.pid).children())


def test_a_worker_for_shoppers_loads_the_engine_ahead_and_others_do_not(members: Crew) -> None:
    other = members.start("default", app="config.celery")
    realtime = members.start("realtime", app="config.celery")
    other.wait_until_ready()
    realtime.wait_until_ready()

    wait_until(lambda: is_warm(realtime), seconds=60, what=f"the engine is loaded: {realtime.log()}")

    assert not is_warm(other)
