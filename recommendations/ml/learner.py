"""What learns: a model, its optimizer, and the running mean of the weights that is measured and served."""

from typing import Any, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from recommendations.ml.config import TrainingConfig
from recommendations.ml.model import Recommender

Tensors = tuple[Tensor, ...] | list[Tensor]


class Learner:
    """After step n: mean = a · mean + (1 - a) · weights, a = min(averaging, (1 + n) / (10 + n)).

    The mean goes where the weights would go with ever smaller steps, without a schedule of the learning rate (Polyak
    and Juditsky, 1992). The first steps are soon forgotten, so that a short training has a mean too. With `averaging`
    0 the weights themselves are served.
    """

    def __init__(self, model: Recommender, config: TrainingConfig) -> None:
        self.model = model
        self._clip = config.clip
        self._optimizer = torch.optim.AdamW(
            model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        self._averaging = config.averaging
        self._mean = AveragedModel(model, multi_avg_fn=self._average) if config.averaging else None

    @property
    def served(self) -> Recommender:
        return self.model if self._mean is None else cast(Recommender, self._mean.module)

    def begin(self) -> None:
        """Forget the gradients of the step before."""
        self._optimizer.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Move the weights by their gradients, cut to the length `clip`."""
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._clip)
        self._optimizer.step()
        if self._mean is not None:
            self._mean.update_parameters(self.model)

    @torch.no_grad()
    def _average(self, means: Tensors, weights: Tensors, steps: Tensor | int) -> None:
        kept = min(self._averaging, (1 + int(steps)) / (10 + int(steps)))
        torch._foreach_lerp_(list(means), list(weights), 1 - kept)

    def state_dict(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "mean": None if self._mean is None else self._mean.state_dict(),
        }

    def load_state_dict(self, stored: dict[str, Any]) -> None:
        self.model.load_state_dict(stored["model"])
        self._optimizer.load_state_dict(stored["optimizer"])
        if self._mean is not None:
            self._mean.load_state_dict(stored["mean"])
