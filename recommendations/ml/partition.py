"""The softmax over the whole catalogue, some rows at a time, its gradient written out by hand."""

# R rows, C rows of a stretch, D width, I products, P pairs of a row and a product, T targets' periods.
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

SCORES = 1 << 20  # held at a time: a stretch stays in the processor's cache
ROWS = 32  # at least, whatever the catalogue: each stretch reads every product's vector and writes its slope


class Scored(NamedTuple):
    """What scores are made of beside what is learnt: popularity at each row's moment, places of the pairs' values.

    `weight_R` is how much each row counts; pairs are in ascending order of row, none twice.
    """

    weight_R: Tensor
    popularity_TI: Tensor | None
    period_R: Tensor | None
    row_P: Tensor
    column_P: Tensor


class Partition(torch.autograd.Function):
    """Σ_R weight · log(Σ_I exp(score) + exp(pushed)); score = state · vector + bias + w · popularity + a pair's value.

    With p = exp(score - log-partition): ∂/∂score = weight · p, ∂/∂pushed = weight · (1 - Σ_I p). Each stretch of rows
    gives its part of all gradients while its scores are at hand, so R × I numbers are never held, and nothing is
    computed a second time. `low` is the type in which the three products of matrices are taken, sums stay in float32.
    """

    @staticmethod
    def forward(
        ctx: Any,
        state_RD: Tensor,
        vectors_ID: Tensor,
        bias_I: Tensor,
        popularity_weight: Tensor,
        value_P: Tensor,
        pushed_R: Tensor | None,
        scored: Scored,
        low: torch.dtype,
    ) -> Tensor:
        is_learning = any(ctx.needs_input_grad)
        rows, products = len(state_RD), len(vectors_ID)
        stretch = max(ROWS, SCORES // products)
        state, vectors = state_RD.to(low), vectors_ID.to(low)
        slopes = [torch.zeros_like(x) for x in (state_RD, vectors_ID, bias_I, popularity_weight, value_P)]
        d_state, d_vectors, d_bias, d_popularity, d_value = slopes
        d_pushed = None if pushed_R is None else torch.zeros_like(pushed_R)
        total = torch.zeros((), device=state_RD.device)
        held_CI = torch.empty(min(stretch, rows), products, device=state_RD.device)
        low_CI = held_CI if low == held_CI.dtype else torch.empty_like(held_CI, dtype=low)
        bounds = torch.searchsorted(scored.row_P, torch.arange(0, rows + stretch, stretch, device=state_RD.device))
        for place, first in enumerate(range(0, rows, stretch)):
            last = min(first + stretch, rows)
            scores_CI = torch.mm(state[first:last], vectors.T, out=low_CI[: last - first])
            scores_CI = torch.add(scores_CI, bias_I, out=held_CI[: last - first])
            popularity_CI = None
            if scored.popularity_TI is not None and scored.period_R is not None:
                popularity_CI = scored.popularity_TI[scored.period_R[first:last]]
                scores_CI.addcmul_(popularity_CI, popularity_weight)
            pairs = slice(*bounds[place : place + 2].tolist())
            where = (scored.row_P[pairs] - first, scored.column_P[pairs])
            scores_CI[where] += value_P[pairs]
            most_C = scores_CI.amax(1)
            p_CI = torch.softmax(scores_CI, 1, out=scores_CI)
            partition_C = most_C - p_CI.amax(1).log()
            weight_C = scored.weight_R[first:last]
            if pushed_R is not None and d_pushed is not None:
                whole_C = torch.logaddexp(partition_C, pushed_R[first:last])
                share_C = torch.exp(partition_C - whole_C)
                d_pushed[first:last] = weight_C * torch.exp(pushed_R[first:last] - whole_C)
                partition_C = whole_C
            total += torch.dot(weight_C, partition_C)
            if not is_learning:
                continue
            slope_CI = p_CI.mul_((weight_C if pushed_R is None else weight_C * share_C).unsqueeze(1))
            d_bias += slope_CI.sum(0)
            d_value[pairs] = slope_CI[where]
            if popularity_CI is not None:
                d_popularity += torch.dot(slope_CI.flatten(), popularity_CI.flatten())
            slope_low_CI = slope_CI if low == slope_CI.dtype else low_CI[: last - first].copy_(slope_CI)
            d_state[first:last] = slope_low_CI @ vectors
            if low == d_vectors.dtype:
                d_vectors.addmm_(slope_low_CI.T, state[first:last])
            else:
                d_vectors += slope_low_CI.T @ state[first:last]
        ctx.save_for_backward(*slopes, d_pushed)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        found = [None if x is None else x * slope for x in ctx.saved_tensors]
        return (*found, None, None)
