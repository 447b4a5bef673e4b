"""All methods by name. The product's own come first; the last ones are controls."""

from collections.abc import Sequence

from explanations.methods.attention import attention
from explanations.methods.chance import chance
from explanations.methods.gradient_input import gradient_input
from explanations.methods.integrated_gradients import integrated_gradients
from explanations.methods.joint import joint
from explanations.methods.learned_mask import train
from explanations.methods.leave_one_out import greedy, leave_one_out
from explanations.methods.protocol import Method, Question
from explanations.methods.recency import recency
from explanations.methods.rollout import rollout
from explanations.methods.shapley import shapley
from explanations.methods.similarity import similarity

LEARNED = "learned_mask"

METHODS: dict[str, Method] = {
    "joint": joint,
    "greedy": greedy,
    "leave_one_out": leave_one_out,
    "shapley": shapley,
    "integrated_gradients": integrated_gradients,
    "gradient_input": gradient_input,
    "attention": attention,
    "rollout": rollout,
    "similarity": similarity,
    "recency": recency,
    "random": chance,
}


class UnknownMethod(Exception):
    """No method has that name."""

    def __init__(self, name: str):
        super().__init__(f"There is no method {name!r}. Known: {', '.join(sorted([*METHODS, LEARNED]))}.")


def named(name: str, *, learn_from: Sequence[Question] = ()) -> Method:
    """The method of that name; `learned_mask` is trained on `learn_from` first."""
    if name == LEARNED:
        return train(learn_from).attribute
    if name not in METHODS:
        raise UnknownMethod(name)
    return METHODS[name]
