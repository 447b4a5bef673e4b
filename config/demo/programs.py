"""The processes of a running shop: web, workers, beat."""

import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from celery import current_app
from django.core.cache import cache
from kombu.exceptions import OperationalError

from config.beat import SEEN_KEY
from config.supervisor import Program

HOST = "127.0.0.1"
WORKERS = {  # name: queues, processes, other options
    "worker": ("default,realtime", 2, ()),
    "precompute": ("precompute", 2, ()),
    "gpu": ("gpu", 1, ("--max-tasks-per-child=1",)),  # memory goes back after each training
}
WEB = {
    "DATABASE_POOL": "1",
    "HTTPS": "0",  # also with DATABASE_URL: nobody speaks TLS on this port
}
ENVIRONMENT = {
    # A worker that is asked to stop does not finish its training first: it goes back to the queue.
    "REMAP_SIGTERM": "SIGQUIT",
    # Celery's warning to root, five lines a worker. What it fears (pickle) is switched off.
    "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
}


def programs(*, port: int) -> list[Program]:
    ping = Ping()
    cache.delete(SEEN_KEY)  # of an earlier beat
    return [
        Program(name="web", command=_web(port), environment=WEB, is_ready=lambda: answers(port)),
        *(
            Program(
                name=name,
                command=_worker(name, queues, processes, *options),
                # Several processes share the cores; torch in each of them would start a thread for every core.
                environment=ENVIRONMENT | ({"OMP_NUM_THREADS": "1"} if processes > 1 else {}),
                is_ready=ping.of(name),
            )
            for name, (queues, processes, options) in WORKERS.items()
        ),
        Program(name="beat", command=_beat(), is_ready=lambda: cache.get(SEEN_KEY) is not None),
    ]


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


class Ping:
    """Asks all workers at once, at most once a second."""

    def __init__(self) -> None:
        self._asked_at = 0.0
        self._alive: set[str] = set()

    def of(self, name: str) -> Callable[[], bool]:
        return lambda: name in self._names()

    def _names(self) -> set[str]:
        if len(self._alive) < len(WORKERS) and time.monotonic() - self._asked_at > 1:
            try:
                found = current_app.control.ping(timeout=0.5, limit=len(WORKERS)) or []
            except OperationalError:
                found = []
            self._alive |= {node.partition("@")[0] for answer in found for node in answer}
            self._asked_at = time.monotonic()
        return self._alive


def _web(port: int) -> list[str]:
    options = ["--bind", f"{HOST}:{port}", "--worker-class", "gthread", "--workers", "2", "--threads", "4"]
    return [sys.executable, "-m", "gunicorn", "config.wsgi", *options, "--no-control-socket", "--log-level", "warning"]


def _worker(name: str, queues: str, processes: int, *options: str) -> list[str]:
    chosen = ["-n", f"{name}@%h", "-Q", queues, "--concurrency", str(processes), *options]
    return [*_celery(), "worker", *chosen, "--loglevel", "warning"]


def _beat() -> list[str]:
    return [*_celery(), "beat", "--loglevel", "warning", "--pidfile="]


def _celery() -> list[str]:
    return [sys.executable, "-m", "celery", "-A", "config.celery", "--quiet"]
