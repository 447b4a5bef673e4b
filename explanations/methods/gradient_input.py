"""Gradient × input (Shrikumar et al. 2016): the first-order share of each embedded line."""

from torch import Tensor

from explanations.methods.embedded import LogProbability
from explanations.methods.protocol import Question, per_unit


def gradient_input(asked: Question) -> Tensor:
    function = LogProbability(asked)
    inputs_FLD = function.inputs_FLD()
    lines_FL = (function.gradient_FLD(inputs_FLD) * inputs_FLD).sum(-1)
    return per_unit(asked.cases, lines_FL.unflatten(0, (-1, function.products)))
