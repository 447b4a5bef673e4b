"""Sets that are needed and enough are worth more, by that measure, than those chosen for one of both."""

import itertools

import torch

from explanations.methods.joint import SUFFICIENCY, joint
from explanations.methods.leave_one_out import greedy
from explanations.methods.occlusion import log_p
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


def test_the_first_unit_is_worth_most_and_the_set_more_than_what_removal_alone_chooses() -> None:
    ours, theirs = [], []
    for seed in range(12):
        asked = ask(random_model(seed, products=40), [[(day * DAY, day, 1) for day in range(1, 9)]])
        order = torch.argsort(joint(asked), dim=1, descending=True)[0].T.tolist()
        other = torch.argsort(greedy(asked), dim=1, descending=True)[0].T.tolist()
        for product, units in enumerate(order):
            singles = {unit: worth(asked, (unit,), product) for unit in range(8)}
            assert units[0] == max(singles, key=lambda unit: singles[unit])
            best = max(worth(asked, three, product) for three in itertools.combinations(range(8), 3))
            ours.append(worth(asked, tuple(units[:3]), product) / best)
            theirs.append(worth(asked, tuple(other[product][:3]), product) / best)

    assert sum(ours) / len(ours) > max(0.8, sum(theirs) / len(theirs))
