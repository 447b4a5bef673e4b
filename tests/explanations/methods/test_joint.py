"""Sets that are needed and enough are worth more, by that measure, than those chosen for one of both."""

import itertools

import torch

from explanations.methods.choosing import SUFFICIENCY
from explanations.methods.joint import joint
from explanations.methods.leave_one_out import greedy, leave_one_out
from explanations.methods.pools import log_p
from explanations.methods.protocol import Question, competition
from explanations.methods.removal import only, states, without
from recommendations.ml.data import DAY
from tests.explanations.methods.asking import ask
from tests.recommendations.ml.made import random_model


def worth(asked: Question, units: tuple[int, ...], product: int) -> float:
    """Computed for one set alone."""
    sets = torch.tensor([[units]])
    views = [asked.cases.real_BL.unsqueeze(1), torch.zeros(1, 1, 8, dtype=torch.bool)]
    views += [without(asked.cases, sets), only(asked.cases, sets)]
    reached = log_p(
        states(asked.model, asked.cases, torch.cat(views, 1)), competition(asked), asked.vectors_BKD, asked.offset_BK
    )
    everything, nothing, left, kept = reached[0, :, product].tolist()
    return float(everything - left + SUFFICIENCY * (kept - nothing))


def test_the_set_is_worth_more_than_what_removal_alone_chooses() -> None:
    ours, theirs = [], []
    for seed in range(12):
        asked = ask(random_model(seed, products=40), [[(day * DAY, day, 1) for day in range(1, 9)]])
        order = torch.argsort(joint(asked), dim=1, descending=True)[0].T.tolist()
        other = torch.argsort(greedy(asked), dim=1, descending=True)[0].T.tolist()
        for product, units in enumerate(order):
            best = max(worth(asked, three, product) for three in itertools.combinations(range(8), 3))
            ours.append(worth(asked, tuple(units[:3]), product) / best)
            theirs.append(worth(asked, tuple(other[product][:3]), product) / best)

    assert sum(ours) / len(ours) > max(0.8, 1.02 * sum(theirs) / len(theirs))


def test_what_costs_most_stands_first() -> None:
    for seed in range(12):
        asked = ask(random_model(seed, products=40), [[(day * DAY, day, 1) for day in range(1, 9)]])
        lost, value = leave_one_out(asked)[0], joint(asked)[0]

        for product, first in enumerate(torch.argsort(value, dim=0, descending=True)[:3].T.tolist()):
            assert lost[first[0], product] == lost[:, product].max()
