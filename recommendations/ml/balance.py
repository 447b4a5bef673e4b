"""How much repeats weigh against products that are new to the shopper: set on the newest baskets.

Training sees every basket of a shop's life, and most are early ones of young histories, in which little was bought
before. What is asked of the model is the next basket now. Three numbers of the repeat term are therefore chosen after
training, on the validation baskets, as hyperparameters are: how much the similarity to the shopper's state counts among
products that made that state (see `Repeats`), how steeply the term rises with the count, and its level.
"""

# E shoppers, I products.
import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from recommendations.ml.evaluation import AT, Question, measured
from recommendations.ml.model import Recommender

TRUST = (1.0, 0.8, 0.6, 0.5, 0.4, 0.3)
STEEPNESS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
LEVELS = (0.0, 0.5, 1.0, 2.0, 3.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Balance:
    trust: float = 1.0  # times h·v
    steepness: float  # times what the counts add
    level: float  # added for every product of the history


def of(metrics: Mapping[str, Any]) -> Balance:
    """As a version's metrics hold it, beside other things; earlier releases knew no trust."""
    return Balance(trust=metrics.get("trust", 1.0), steepness=metrics["steepness"], level=metrics["level"])


@torch.no_grad()
def balance(model: Recommender, validation: Question) -> Balance:
    """1. The trust with the best NDCG@10 of repeats among products of the history. 2. With it, the steepness likewise.
    3. With both, the level with the best NDCG@10 of all products. Ties keep what changes least; products that are new
    to the shopper keep their scores.
    """
    repeats = model.repeats
    if repeats is None or not len(validation.by_kind["repeat"].shoppers):
        return Balance(steepness=1.0, level=0.0)
    learnt = copy.deepcopy(repeats.state_dict())

    def ndcg(kind: str, tried: Balance) -> float:
        repeats.load_state_dict(learnt)
        put(model, tried)
        return measured(model, validation, kinds=(kind,))[kind][f"ndcg@{AT}"]

    found = Balance(trust=1.0, steepness=1.0, level=0.0)
    found = max((replace(found, trust=value) for value in TRUST), key=lambda tried: ndcg("repeat", tried))
    found = max((replace(found, steepness=value) for value in STEEPNESS), key=lambda tried: ndcg("repeat", tried))
    found = max((replace(found, level=value) for value in LEVELS), key=lambda tried: ndcg("all", tried))
    repeats.load_state_dict(learnt)
    put(model, found)
    return found


@torch.no_grad()
def put(model: Recommender, balance: Balance) -> None:
    """Into a model as it was learnt."""
    if model.repeats is not None:
        model.repeats.count.weight *= balance.steepness
        model.repeats.rise.mul_(balance.steepness)
        model.repeats.inclination.bias[1] += balance.level
        model.repeats.trust.fill_(balance.trust)


@torch.no_grad()
def take_out(model: Recommender, balance: Balance) -> None:
    """Of weights that a training begins with: what is put in afterwards only rises, and would pile up."""
    if model.repeats is not None:
        model.repeats.count.weight /= balance.steepness
        model.repeats.rise.div_(balance.steepness)
        model.repeats.inclination.bias[1] -= balance.level
        model.repeats.trust.fill_(1.0)
