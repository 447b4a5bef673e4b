"""What is chosen on validation baskets after the training, carried over to the weights that learnt them too."""

# I products.
from dataclasses import dataclass

from torch import Tensor

from recommendations.ml import newcomers
from recommendations.ml.balance import Balance, balance, put
from recommendations.ml.data import Histories
from recommendations.ml.evaluation import Question
from recommendations.ml.model import Recommender


@dataclass(frozen=True, kw_only=True, slots=True)
class Finish:
    """`newcomers`: by how much products that nobody had are raised; None where validation could not tell."""

    newcomers: float | None
    balance: Balance


def choose(model: Recommender, validation: Question) -> Finish:
    """Find both on baskets that `model` did not learn, and put them into it: whatever it is to go on learning, it
    learns before, since `carry_over` puts them into that."""
    return Finish(newcomers=newcomers.place(model, validation), balance=balance(model, validation))


def carry_over(finish: Finish, later: Recommender, histories: Histories, popularity_I: Tensor | None) -> None:
    """Put both into the weights that caught up, for products that nobody had until the end of `histories`."""
    newcomer_I = newcomers.newcomers(histories, len(later.bias.weight) - 1)
    if finish.newcomers is not None and newcomer_I.any():
        newcomers.lift(later, newcomer_I, popularity_I, finish.newcomers)
    put(later, finish.balance)
