"""The other processes of a training: one for each GPU, or as many as TRAINING_PROCESSES says."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from django.conf import settings

from recommendations.ml import parallel

HOST = "127.0.0.1"


def wanted(device: str) -> int:
    """How many processes share a training on this machine."""
    chosen: int = settings.TRAINING_PROCESSES
    if chosen:
        return chosen
    return max(1, torch.cuda.device_count()) if device.startswith("cuda") else 1


def own_device(device: str, rank: int) -> str:
    """A GPU for each process; several share one only where TRAINING_PROCESSES asks for more than there are."""
    if not device.startswith("cuda"):
        return device
    number = rank % max(1, torch.cuda.device_count())
    torch.cuda.set_device(number)
    return f"cuda:{number}"


@contextmanager
def started(*, version_id: int, device: str) -> Iterator[parallel.Group]:
    """Start the others and lead them; they are ended with the block, however it ends."""
    size = wanted(device)
    if size == 1:
        yield parallel.ALONE
        return
    port = _free_port()
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "train_rank", str(version_id)]
    others = [
        subprocess.Popen([*command, "--rank", str(rank), "--size", str(size), "--port", str(port)])
        for rank in range(1, size)
    ]
    try:
        yield parallel.join(rank=0, size=size, port=port, device=own_device(device, 0), host=HOST)
    finally:
        parallel.leave()
        for other in others:
            other.terminate()
        for other in others:
            other.wait()


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind((HOST, 0))
        port: int = asked.getsockname()[1]
    return port
