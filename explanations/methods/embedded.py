"""The model as a function of its embedded history lines, which gradients need: hooks on the model's own forward."""

# B shoppers, K recommended products, F rows (a shopper with one product), L lines, D width, J products of the pool.
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from explanations.methods.protocol import Question, competition
from recommendations.ml.history import History
from recommendations.ml.model import Block, Recommender


@contextmanager
def hooked(module: nn.Module, see: Callable[[Tensor], Tensor | None]) -> Iterator[None]:
    """While open, `see` gets every output of `module`; what it returns, if anything, takes the output's place."""

    def hook(_module: nn.Module, _inputs: tuple[Any, ...], output: Tensor) -> Tensor | None:
        return see(output)

    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def attention_weights(model: Recommender) -> list[nn.Module]:
    """Of each block, the module that its attention weights [B, H, Q, 1 + L] pass through: the null key's come first."""
    return [block.attention.dropout for block in model.blocks if isinstance(block, Block)]


@torch.no_grad()
def embed(model: Recommender, history: History) -> Tensor:
    """[B, L, D]: the lines as they enter the first block, which is where the model applies its first dropout."""
    seen: list[Tensor] = []
    with hooked(model.dropout, seen.append):
        model.tokens_BLD(history)
    return seen[0].clone()


class LogProbability:
    """log p [F] of each product over the pool, as a differentiable function of its shopper's embedded lines [F, L, D].

    Rows stand shopper after shopper, each once for every product, so that one backward answers for all of them.
    """

    def __init__(self, asked: Question):
        self.model = asked.model
        self.products = asked.items_BK.shape[1]
        self.history = History(*(column.repeat_interleave(self.products, 0) for column in asked.cases.history))
        self.visible_F1L = asked.cases.real_BL.repeat_interleave(self.products, 0).unsqueeze(1)
        self.next_F1 = asked.cases.next_basket_B.repeat_interleave(self.products, 0).unsqueeze(1)
        self.now_F1 = torch.full_like(self.next_F1, asked.cases.now)
        self.pool = competition(asked)
        self.vectors_FD = asked.vectors_BKD.flatten(0, 1)
        self.offset_F = asked.offset_BK.flatten()

    def inputs_FLD(self) -> Tensor:
        return embed(self.model, self.history)

    def __call__(self, inputs_FLD: Tensor) -> Tensor:
        with hooked(self.model.dropout, lambda _: inputs_FLD):
            tokens = self.model.tokens_BLD(self.history)
        state_FD = self.model.read_out(tokens, self.history, self.visible_F1L, self.next_F1, self.now_F1)[:, 0]
        state_BKD = state_FD.unflatten(0, (-1, self.products))
        scores_BKJ = state_BKD @ self.pool.vectors_BJD.mT + self.pool.offset_BJ.unsqueeze(1)
        return (state_FD * self.vectors_FD).sum(-1) + self.offset_F - torch.logsumexp(scores_BKJ, -1).flatten()

    def gradient_FLD(self, inputs_FLD: Tensor) -> Tensor:
        inputs = inputs_FLD.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(self(inputs).sum(), inputs)
        return gradient
