"""Shapley values of one recommendation, asked of the worker by staff, beside the stored reasons."""

import pytest
import torch
from django.test import Client
from django.urls import reverse

from explanations import answering, charts, inspection
from explanations.methods.protocol import Question
from explanations.methods.shapley import shapley
from explanations.replaying import Opinion, SecondOpinion, second_opinion
from recommendations.models import Placement, Slate
from tests.explanations.shown import home_of
from tests.explanations.test_engine import World

pytestmark = pytest.mark.django_db


def test_the_values_are_those_of_the_method_that_the_benchmark_measures(world: World) -> None:
    slate = home_of(world.shoppers[0])
    found = answering.asked(slate.pk)
    assert found is not None
    product = slate.product_ids[0]
    question = Question(
        model=found.shared.model.bundle.model,
        cases=found.cases,
        items_BK=torch.tensor([[found.number(product)]]),
        candidates_BI=found.candidates_I.unsqueeze(0),
        vectors_ID=found.shared.model.vectors_ID,
        offset_I=found.shared.offset_I,
    )

    answer = answering.shapley(slate_id=slate.pk, product_id=product)

    expected = shapley(question)[0, :, 0]  # over a pool that holds all of these forty products
    assert [unit["value"] for unit in answer["units"]] == pytest.approx(expected.tolist(), abs=1e-5)
    assert answer == answering.shapley(slate_id=slate.pk, product_id=product) | {"seconds": answer["seconds"]}


def test_the_values_add_up_to_what_the_whole_history_changes(world: World) -> None:
    row = inspection.inspect(home_of(world.shoppers[0]))[0]
    item_alone = Slate.objects.live().get(shopper=world.shoppers[0], placement=Placement.BUY_AGAIN)
    again = inspection.inspect(item_alone)[0]

    for each in (row, again):
        answer = answering.shapley(slate_id=each.slate.pk, product_id=each.contract.product_id)
        found = answering.asked(each.slate.pk)
        assert found is not None
        scores = found.scores_I.masked_fill(~found.candidates_I, float("-inf"))
        item = found.number(each.contract.product_id)
        assert float(torch.log_softmax(scores, 0)[item]) == pytest.approx(
            each.contract.target.log_probability, abs=1e-4
        )
        assert sum(unit["value"] for unit in answer["units"]) == pytest.approx(answer["sum"], abs=1e-5)
        assert answer["orders"] == 64


def test_staff_read_it_beside_the_reasons(world: World, admin: Client, worker: list[str]) -> None:
    slate = home_of(world.shoppers[0])
    rank = next(row.rank for row in inspection.inspect(slate) if row.contract.verified_reasons)
    url = reverse("admin:explanations_inspected", args=[slate.pk, rank])

    before = admin.get(url).content.decode()
    assert worker == []
    response = admin.get(url + "?opinion=1")

    html = response.content.decode()
    opinion = response.context["opinion"]
    assert "Ask for Shapley values" in before
    assert worker == ["shapley"]
    assert "A second opinion: Shapley values" in html
    assert "64 orders" in html
    assert " style=" not in html
    assert [each.value for each in opinion.opinions] == sorted((each.value for each in opinion.opinions), reverse=True)
    assert 0 <= opinion.agree <= opinion.named > 0
    assert sum(each.place > 0 for each in opinion.opinions) == opinion.named


def test_the_page_waits_for_the_worker_and_says_when_it_failed(
    world: World, admin: Client, no_worker: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explanations.asking.WAIT", 0.01)
    slate = home_of(world.shoppers[0])
    url = reverse("admin:explanations_inspected", args=[slate.pk, 1]) + "?opinion=1"

    assert 'data-refresh="1"' in admin.get(url).content.decode()
    assert no_worker == ["shapley"]
    monkeypatch.setattr("explanations.replaying.ask", lambda question, wait: {"failed": "RuntimeError"})
    assert "It could not be computed" in admin.get(url).content.decode()


def test_without_a_shopper_there_is_nothing_to_ask(world: World, admin: Client, worker: list[str]) -> None:
    slate = Slate.objects.filter(shopper=None).earliest("pk")
    url = reverse("admin:explanations_inspected", args=[slate.pk, 1])

    assert "Ask for Shapley values" not in admin.get(url).content.decode()
    assert second_opinion(inspection.inspect(slate)[0]) == SecondOpinion(is_pending=False)


def test_the_chart_holds_the_ten_strongest_and_marks_our_reasons() -> None:
    opinions = [
        Opinion(name=f"t{n}", value=n - 6.5, error=0.1, place=1 if n == 12 else 0, delta=None) for n in range(13)
    ]
    drawn = str(charts.second_opinion(SecondOpinion(is_pending=False, opinions=tuple(opinions))))

    assert drawn.count("<rect") == 10
    assert "t12: +5.5 (our reason 1)" in drawn
    assert charts.second_opinion(SecondOpinion(is_pending=True)) is None
