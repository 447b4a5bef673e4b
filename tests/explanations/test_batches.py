"""What is stored of a shopper does not depend on who is computed beside, nor on their order: not in one byte."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta

import numpy as np
import pytest
import torch

from catalog.models import Interaction, Shopper
from explanations import engine
from explanations.contract import pack
from explanations.methods import partition, pools
from explanations.methods.own import Own
from explanations.methods.tiles import padded_length
from explanations.slates import ExplainedSlate
from tests.explanations.test_engine import World
from tests.factories import NOON, InteractionFactory
from tests.recommendations.ml.made import random_model, trained_model

Stored = dict[tuple[int | None, str], str]


def stored(slates: Sequence[ExplainedSlate]) -> Stored:
    """All that is stored, contracts in their packed form, by shopper and placement."""
    return {
        (slate.shopper_id, slate.placement.value): json.dumps(
            [
                [pack(each) for each in slate.contracts],
                [slate.product_ids, slate.scores, slate.probabilities, slate.history_hash],
                asdict(slate.provenance),
            ]
        )
        for slate in slates
    }


def computed(shoppers: Sequence[Shopper], at_once: int) -> Stored:
    found: Stored = {}
    for first in range(0, len(shoppers), at_once):
        found |= stored(list(engine.refresh([shopper.pk for shopper in shoppers[first : first + at_once]])))
    return found


def uneven_world(model: str) -> World:
    """Twenty shoppers of 250 products, with histories from very short to longer than what the model reads."""
    if model == "trained":
        made = trained_model(3, products=250)
    else:
        made = random_model(3, products=250, blocks=2, history=64, uses_repeats=True)
    assert made.repeats is not None
    made.repeats.trust.fill_(0.4)
    world = World(model=made, products=250, shoppers=20)
    chance = np.random.default_rng(4)
    rows = [
        InteractionFactory.build(
            shopper=shopper,
            partner=shopper.partner,
            product=world.products[int(number)],
            event_type=world.event_types[0],
            occurred_at=NOON - timedelta(days=int(chance.integers(5, 400))),
        )
        for place, shopper in enumerate(world.shoppers)
        for number in chance.choice(60, (0, 2, 9, 33, 58)[place % 5])
    ]
    Interaction.objects.bulk_create(rows)
    few = world.shoppers[0].interactions.order_by("occurred_at").values_list("pk", flat=True)[1:]
    Interaction.objects.filter(pk__in=list(few)).delete()  # one line is left
    return world


@pytest.mark.django_db
@pytest.mark.parametrize("model", ["trained", "deep"])
def test_alone_or_among_others_in_any_order_the_same_bytes_are_stored(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explanations.engine.timezone.now", lambda: NOON)
    world = uneven_world(model)
    shoppers, mixed = world.shoppers, [world.shoppers[n] for n in np.random.default_rng(5).permutation(20)]

    together = computed(shoppers, 20)

    assert len(together) == 2 * 20
    assert {len(json.loads(row)[0]) for (_, placement), row in together.items() if placement == "home"} == {20}
    assert computed(shoppers, 1) == together
    assert computed(shoppers, 7) == together
    assert computed(mixed, 7) == together
    assert computed(mixed[::-1], 20) == together


def test_what_a_product_of_the_history_gets_does_not_depend_on_how_many_are_asked_about() -> None:
    model = random_model(5, uses_repeats=True)
    term, unit = model.repeats, torch.ones(1, 1)
    assert term is not None
    mine = Own(term, unit > 0, unit * 3.7, unit.long())
    states = torch.randn(200, 8, generator=torch.Generator().manual_seed(3))
    owner, seen = torch.zeros(200, dtype=torch.int64), torch.ones(200, 1, dtype=torch.bool)

    with torch.inference_mode():
        together = mine.added(states, owner, seen)
        parts = [mine.added(states[n : n + 7], owner[:7], seen[:7]) for n in range(193)]

    assert all(torch.equal(part, together[n : n + 7]) for n, part in enumerate(parts))


def test_a_history_is_padded_by_its_own_length_alone() -> None:
    assert [padded_length(lines, 128) for lines in (0, 1, 16, 17, 33, 64, 65, 100, 128)] == [
        *(16, 16, 16, 24, 40, 64, 80, 112, 128)
    ]
    assert [padded_length(lines, 50) for lines in (12, 49, 50)] == [16, 50, 50]
    assert padded_length(4, 8) == 8


def test_candidates_that_add_nothing_change_no_sum() -> None:
    scores = torch.randn(5, 700, generator=torch.Generator().manual_seed(1)) * 6
    spread = torch.full((5, 3_000), float("-inf"))
    spread[:, torch.randperm(3_000, generator=torch.Generator().manual_seed(2))[:700]] = scores

    assert torch.equal(partition.log_partition(spread), partition.log_partition(scores.clone()))


def test_equal_scores_are_ordered_by_number() -> None:
    scores = torch.tensor([[1.0, -0.0, 2.0, 0.0, float("-inf"), 2.0, -3.5, 0.0, -1e-30]])

    assert pools.ordered(scores).tolist() == [[2, 5, 0, 1, 3, 7, 8, 6, 4]]
