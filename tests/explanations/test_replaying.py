"""Staff compute a stored contract again, now, and see every fact beside what is stored."""

import re
from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from catalog.services import exclude_history
from explanations import inspection
from explanations.contract import pack, unpack
from explanations.models import Explanation, VersionCheck
from explanations.replaying import compared, replayed
from recommendations import artifacts
from recommendations.ml import bundle as bundles
from recommendations.models import ModelVersion, Placement, Slate
from tests.explanations.shown import home_of
from tests.explanations.test_engine import PRODUCTS, World
from tests.factories import NOON, ModelVersionFactory, StaffFactory
from tests.recommendations.ml.made import random_model

pytestmark = pytest.mark.django_db


def rows(world: World, placement: Placement = Placement.HOME) -> list[inspection.Inspected]:
    slates = Slate.objects.live().select_related("run__version", "shopper")
    return inspection.inspect(slates.get(shopper=world.shoppers[0], placement=placement))


def other_version(world: World) -> ModelVersion:
    """Of the same shape, with other weights."""
    version: ModelVersion = ModelVersionFactory(state=ModelVersion.State.PASSED)
    bundle = world._bundle(random_model(7, products=PRODUCTS, history=64))
    for parameter in bundle.model.parameters():
        parameter.data.mul_(-1.0)
    name = artifacts.weights_name(version.pk)
    version.weights, version.weights_checksum = name, artifacts.save_bytes(name, bundles.dump(bundle))
    version.save()
    VersionCheck.objects.create(version=version, placebo_floor=0.0, measures={})
    return version


@pytest.mark.parametrize("placement", [Placement.HOME, Placement.BUY_AGAIN])
def test_what_is_stored_comes_again(world: World, worker: list[str], placement: Placement) -> None:
    found = rows(world, placement)

    for row in found:
        again = replayed(row)
        assert again.is_equal, [each for each in again.differences if not each.is_equal]
        assert not again.is_other_history
        assert len(again.differences) >= 8
    assert found
    assert worker == ["replay"]  # one answer for the whole list


def test_every_fact_has_its_name_in_chinese(world: World, worker: list[str]) -> None:
    with translation.override("zh-hans"):
        again = replayed(rows(world)[0])

    names = [each.what.split("：")[0].replace("Δ", "") for each in again.differences]
    assert len(names) >= 8
    assert [name for name in names if re.search("[A-Za-z]", name)] == []
    assert {each.stored for each in again.differences} & {"verified", "True", "loses_place", "history"} == set()


def test_a_number_that_was_changed_is_found(world: World, worker: list[str]) -> None:
    explanation = home_of(world.shoppers[0]).explanation
    stored = unpack(explanation.contracts["contracts"][0])
    reasons = (replace(stored.reasons[0], delta=stored.reasons[0].delta + 0.01), *stored.reasons[1:])
    explanation.contracts["contracts"][0] = pack(replace(stored, reasons=reasons))
    explanation.save()

    again = replayed(rows(world)[0])

    assert not again.is_equal
    (wrong,) = [each for each in again.differences if not each.is_equal]
    assert wrong.what.startswith("Δ log p: ")


def test_a_changed_history_is_said(world: World, worker: list[str]) -> None:
    row = next(row for row in rows(world) if row.contract.reasons)
    exclude_history(
        shopper=world.shoppers[0], product=world.product(row.contract.reasons[0].evidence[0].product_id), at=NOON
    )

    assert replayed(row).is_other_history


def test_the_page_replays_at_the_press_of_a_button(world: World, admin: Client, worker: list[str]) -> None:
    url = reverse("admin:explanations_inspected", args=[home_of(world.shoppers[0]).pk, 1])

    before = admin.get(url).content.decode()
    after = admin.get(url + "?replay=1").content.decode()

    assert 'name="replay" value="1"' in before
    assert worker == ["replay"]
    assert "Everything came as it is stored." in after
    assert "data-refresh" not in after


def test_the_page_asks_again_until_the_worker_has_answered(
    world: World, admin: Client, no_worker: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explanations.asking.WAIT", 0.01)
    url = reverse("admin:explanations_inspected", args=[home_of(world.shoppers[0]).pk, 1])

    html = admin.get(url + "?replay=1").content.decode()

    assert 'data-refresh="1"' in html
    assert "admin-progress.js" in html  # which asks again
    assert "admin-progress.js" not in admin.get(url).content.decode()
    assert no_worker == ["replay"]


def test_the_comparison_of_versions_asks_again_too(
    world: World, admin: Client, no_worker: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explanations.asking.WAIT", 0.01)
    url = reverse("admin:explanations_versions", args=[home_of(world.shoppers[0]).pk])

    html = admin.get(f"{url}?version={other_version(world).pk}").content.decode()

    assert 'data-refresh="1"' in html
    assert "admin-progress.js" in html


def test_two_versions_are_compared_on_one_history(world: World, worker: list[str]) -> None:
    slate, other = home_of(world.shoppers[0]), other_version(world)

    found = compared(slate, inspection.inspect(slate), other)

    here = [pair.product_id for pair in found.pairs if pair.one is not None]
    there = [
        pair.product_id for pair in sorted(found.pairs, key=lambda p: p.other.place if p.other else 99) if pair.other
    ]
    assert here == slate.product_ids[:10]
    assert len(there) == 10
    assert there != here
    assert found.moves is not None
    assert {pk for pk, _ in found.moves.enters} == set(there) - set(here)


def test_a_version_agrees_with_itself(world: World, worker: list[str]) -> None:
    slate = home_of(world.shoppers[0])

    found = compared(slate, inspection.inspect(slate), world.run.version)

    assert found.agree == 10
    assert not found.moves


def test_the_page_of_versions_offers_those_with_weights(world: World, admin: Client, worker: list[str]) -> None:
    url = reverse("admin:explanations_versions", args=[home_of(world.shoppers[0]).pk])
    assert "There is no other version with weights." in admin.get(url).content.decode()
    other = other_version(world)

    html = admin.get(f"{url}?version={other.pk}").content.decode()

    assert "Same cause and first reason" in html
    assert html.count("<tr>") >= 11
    assert admin.get(reverse("admin:explanations_versions", args=[0])).status_code == 404


def test_the_inspector_narrows_to_a_product_or_says_why_it_is_not_there(
    world: World, admin: Client, worker: list[str]
) -> None:
    shopper, slate = world.shoppers[0], home_of(world.shoppers[0])
    shown, missing = world.product(slate.product_ids[4]), world.product(slate.product_ids[25])
    url = reverse("admin:explanations_inspector") + f"?q={shopper.external_id}&product="

    found = admin.get(url + shown.external_id)
    absent = admin.get(url + missing.external_id).content.decode()

    assert [row.rank for row, _ in found.context["rows"]] == [5]
    assert "Why it is not there" in absent
    assert "Other products fit your history better than" in absent
    assert "No product is known as" in admin.get(url + "nothing").content.decode()


def test_whoever_may_not_see_explanations_may_not_replay(client: Client, world: World, worker: list[str]) -> None:
    client.force_login(StaffFactory(is_superuser=False))
    slate = home_of(world.shoppers[0])

    for url in (
        reverse("admin:explanations_inspected", args=[slate.pk, 1]) + "?replay=1",
        reverse("admin:explanations_versions", args=[slate.pk]),
        reverse("admin:explanations_dashboard"),
    ):
        assert client.get(url).status_code == 403
    assert worker == []
    assert Explanation.objects.exists()
