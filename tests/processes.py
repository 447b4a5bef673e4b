"""Real worker processes for the fault tests: started, frozen and killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


def wait_until(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(0.05)


def has_torch(pid: int) -> bool:
    return "libtorch" in Path(f"/proc/{pid}/maps").read_text()


class Worker:
    """A Celery worker with one child process, in a process group of its own."""

    def __init__(
        self, *, app: str, queues: str, options: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> None:
        self._log = log
        alone = ["--without-gossip", "--without-mingle"]  # looking for others takes a second
        options = ["-Q", queues, "--concurrency", "1", "-n", f"{log.stem}@%h", "--loglevel", "info", *alone, *options]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", app, "--quiet", "worker", *options],
                env=dict(environment),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Of the parent, which takes messages and hands them to its child."""
        return self._process.pid

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_until_ready(self) -> None:
        wait_until(lambda: " ready." in self.log(), seconds=30, what=f"the worker is ready: {self.log()}")

    def signal(self, number: int) -> None:
        """To the worker and its child."""
        os.killpg(self._process.pid, number)

    def kill(self) -> None:
        if self._process.poll() is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGKILL)
            self._process.wait()


class Crew:
    """Workers of one test."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._environment = dict(environment)
        self._folder = folder
        self.workers: list[Worker] = []

    def start(
        self,
        queues: str = "precompute",
        *,
        app: str = "tests.worker",
        options: Sequence[str] = (),
        **environment: str,
    ) -> Worker:
        worker = Worker(
            app=app,
            queues=queues,
            options=options,
            environment=self._environment | environment,
            log=self._folder / f"worker{len(self.workers)}.log",
        )
        self.workers.append(worker)
        return worker

    def logs(self) -> str:
        return "\n".join(worker.log() for worker in self.workers)


@contextmanager
def crew(environment: Mapping[str, str], folder: Path) -> Iterator[Crew]:
    """None of its workers outlives the test."""
    members = Crew(environment, folder)
    try:
        yield members
    finally:
        for worker in members.workers:
            worker.kill()
