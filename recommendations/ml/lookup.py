"""Looking up few small rows very often: the gradient is counted, not scattered."""

# N lookups of any shape, T rows of the table, H numbers in a row (a few).
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


class _Lookup(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table_TH: Tensor, index_N: Tensor) -> Tensor:
        ctx.save_for_backward(index_N)
        ctx.rows = len(table_TH)
        return functional.embedding(index_N, table_TH)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        (index_N,) = ctx.saved_tensors
        flat, slope = index_N.flatten(), slopes[0].flatten(0, -2)
        columns = [
            torch.bincount(flat, weights=slope[:, column], minlength=ctx.rows) for column in range(slope.shape[1])
        ]
        return torch.stack(columns, dim=1).to(slope.dtype), None


def lookup(table_TH: Tensor, index_N: Tensor) -> Tensor:
    """[N, H]: as `functional.embedding`, ten times faster backwards on a CPU where N is much larger than T.

    Elsewhere it is `functional.embedding`, whose gradient does not depend on the order of threads.
    """
    if index_N.device.type != "cpu":
        return functional.embedding(index_N, table_TH)
    found: Tensor = _Lookup.apply(table_TH, index_N)
    return found
