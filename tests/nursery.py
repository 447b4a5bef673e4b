"""Trainings in processes that are forked from one that has torch loaded already, so that a test can kill many.

Reads `version id, folder` line by line; for each, forks a trainer whose disk is that folder, answers its process id
at once and its exit code when it has ended.
"""

import os
import sys
import time
from pathlib import Path

import django

django.setup()

from django.conf import settings  # noqa: E402

from recommendations import leases, training, trainings  # noqa: E402
from recommendations.models import ModelVersion  # noqa: E402


def main() -> None:
    for line in sys.stdin:
        version, folder = line.split()
        child = os.fork()
        if child == 0:
            os._exit(_train(int(version), Path(folder)))
        _answer(child)
        _, status = os.waitpid(child, 0)
        _answer(os.waitstatus_to_exitcode(status))


def _answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _train(version_id: int, folder: Path) -> int:
    settings.LOCAL_DIR = folder  # a node of its own: what another one left on its disk does not help
    _slow_down(float(os.environ.get("STEP_SECONDS", "0")))
    return 0 if trainings.work(version_id=version_id, train=training.run) else 1


def _slow_down(seconds: float) -> None:
    """Each step takes a while, as with more data, so that there is something to interrupt."""
    is_cancelled = leases.Lease.is_cancelled

    def slow(lease: leases.Lease[ModelVersion]) -> bool:
        time.sleep(seconds)
        return is_cancelled(lease)

    setattr(leases.Lease, "is_cancelled", slow)  # noqa: B010  mypy allows no assignment to a method


if __name__ == "__main__":
    main()
