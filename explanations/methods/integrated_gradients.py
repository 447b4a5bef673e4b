"""Integrated gradients (Sundararajan et al. 2017): gradients on the straight way from zero vectors to the lines."""

import torch
from torch import Tensor

from explanations.methods.embedded import LogProbability
from explanations.methods.protocol import Question, per_unit

STEPS = 32


def integrated_gradients(asked: Question, *, steps: int = STEPS) -> Tensor:
    """The integral by midpoints."""
    function = LogProbability(asked)
    inputs_FLD = function.inputs_FLD()
    total = torch.zeros_like(inputs_FLD)
    for step in range(steps):
        total += function.gradient_FLD(inputs_FLD * ((step + 0.5) / steps))
    lines_FL = (total / steps * inputs_FLD).sum(-1)
    return per_unit(asked.cases, lines_FL.unflatten(0, (-1, function.products)))
