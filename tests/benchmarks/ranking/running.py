"""Runs one contestant in its own environment and keeps what it measured; what is kept is not run again."""

import json
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from tests.benchmarks.ranking import environments
from tests.benchmarks.ranking.contestants import Contestant
from tests.benchmarks.ranking.measuring import asked, measure
from tests.benchmarks.ranking.prepared import Prepared

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PATIENCE = 8  # the wall time allowed, in multiples of the CPU time: the machine may be shared
ONE_CORE = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
}
# Memory that was freed stays with the process: mapping large tensors anew at every step costs all of them the same.
ALONE = ONE_CORE | {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "-1",
    "MALLOC_TOP_PAD_": str(256 << 20),
}


class Failed(Exception):
    """A contestant ended without an answer; the message is the end of what it printed."""


def kept(dataset: str, contestant: Contestant, seed: int) -> Path:
    return RESULTS / dataset / f"{contestant.name}-{seed}.json"


def run(
    contestant: Contestant, prepared: Prepared, path: Path, *, cache: Path, seed: int, cap_seconds: float
) -> dict[str, Any]:
    """Train, rank and measure. Raises Failed."""
    answer = cache / "answers" / f"{prepared.name}-{contestant.name}-{seed}.npz"
    answer.parent.mkdir(parents=True, exist_ok=True)
    answer.unlink(missing_ok=True)
    python = environments.python(contestant.environment, cache) if contestant.environment else Path(sys.executable)
    script = (
        [str(HERE / "peers" / f"{contestant.script}.py")]
        if contestant.environment
        else ["-m", f"tests.benchmarks.ranking.{contestant.script}"]
    )
    command = [str(python), "-W", "ignore", *script, contestant.name, str(path), str(answer), f"--seed={seed}"]
    command.append(f"--cap-seconds={cap_seconds}")
    log = answer.with_suffix(".log")
    began = time.monotonic()
    with log.open("w") as file:
        done = subprocess.run(
            command,
            env=os.environ | ALONE,
            stdout=file,
            stderr=subprocess.STDOUT,
            timeout=cap_seconds * PATIENCE + 1_800,
            check=False,
            cwd=answer.parent if contestant.environment else None,
        )
    if done.returncode or not answer.exists():
        raise Failed(f"{contestant.name} ended with {done.returncode}; the end of {log}:\n{log.read_text()[-2_000:]}")
    with np.load(answer) as archive:
        stored = dict(archive)
    result: dict[str, Any] = {
        "contestant": contestant.name,
        "dataset": prepared.name,
        "seed": seed,
        "cap_seconds": cap_seconds,
        "measured_at": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, one used",
        "load": round(psutil.getloadavg()[2], 2),  # of the last quarter of an hour: others use the machine too
        "seconds_process_wall": round(time.monotonic() - began, 1),
        **json.loads(str(stored["about"])),
        "kinds": {
            kind: measure(stored[f"ranked_{kind}"], prepared, targets)
            for kind, targets in asked(prepared).by_kind.items()
            if kind in prepared.kinds and len(targets.shoppers)
        },
    }
    target = kept(prepared.name, contestant, seed)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=1) + "\n")
    return result
