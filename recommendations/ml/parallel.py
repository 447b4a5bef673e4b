"""Several processes that train one model: each takes a share of a step's batches, and gradients are summed."""

# G numbers of a gradient.
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed

TIMEOUT = timedelta(minutes=30)  # the longest that one process may wait for the others: a validation, a checkpoint


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """The processes; this one has number `rank` of `size`, and the first one leads: it saves and reports."""

    rank: int = 0
    size: int = 1

    @property
    def is_leader(self) -> bool:
        return self.rank == 0

    def total(self, value: float) -> float:
        """The sum over all processes."""
        if self.size == 1:
            return value
        number = torch.tensor([value], dtype=torch.float64)
        self._sum(number)
        return float(number)

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replace every gradient by its sum over all processes, in one message for each kind of number."""
        if self.size == 1:
            return
        slopes = []
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            slopes.append(parameter.grad)
        flat_G = torch.cat([slope.flatten() for slope in slopes])
        self._sum(flat_G)
        for slope, part in zip(slopes, flat_G.split([slope.numel() for slope in slopes]), strict=True):
            slope.copy_(part.view_as(slope))

    @staticmethod
    def _sum(tensor: Tensor) -> None:
        if distributed.get_backend() == "nccl" and not tensor.is_cuda:
            there = tensor.to(f"cuda:{torch.cuda.current_device()}", torch.float32)
            distributed.all_reduce(there)
            tensor.copy_(there.to(tensor))
        else:
            distributed.all_reduce(tensor)


ALONE = Group()


def join(*, rank: int, size: int, port: int, device: str, host: str = "127.0.0.1") -> Group:
    """Meet the other processes at the leader's port; NCCL between GPUs, gloo between CPUs. Leave with `leave`."""
    if size == 1:
        return ALONE
    distributed.init_process_group(
        "nccl" if device.startswith("cuda") else "gloo",
        init_method=f"tcp://{host}:{port}",
        rank=rank,
        world_size=size,
        timeout=TIMEOUT,
    )
    return Group(rank=rank, size=size)


def leave() -> None:
    if distributed.is_initialized():
        distributed.destroy_process_group()
