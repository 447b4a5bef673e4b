"""No reason exposes anybody: others change nothing of what one reads, and nobody's traits are an input or a reason."""

from dataclasses import fields
from datetime import timedelta

import numpy as np
import polib
import pytest

from catalog.models import Category, Interaction, Product, Shopper
from catalog.services import erase_shopper, exclude_history
from explanations import engine, fallback
from explanations.contract import Contract, Evidence, Reason, Target
from explanations.models import FrozenCounts
from explanations.phrasing import phrase
from explanations.slates import ExplainedSlate
from recommendations import inference
from recommendations.ml.history import History
from recommendations.models import Placement
from tests.api_client import PartnerClient
from tests.explanations.test_engine import World
from tests.factories import NOON, InteractionFactory, ShopperFactory
from tests.update_translations import CATALOGUE
from tests.worlds import live_shop

LANGUAGES = ("en", "zh-hans")


def texts(slates: list[ExplainedSlate]) -> list[object]:
    """Everything that is said of them, in both languages."""
    products, categories = Product.objects.in_bulk(), Category.objects.in_bulk()
    return [
        (
            slate.placement,
            slate.product_ids,
            phrase(stated, products=products, categories=categories, language=language),
        )
        for slate in slates
        for stated in slate.contracts
        for language in LANGUAGES
    ]


def said_to(world: World, shopper: Shopper) -> list[object]:
    shared = engine.context(world.run, now=NOON)
    beside = list(fallback.similar(shared, first_id=world.products[0].pk, last_id=world.products[-1].pk))
    assert len(beside) == len(world.products)
    return texts([*engine.personal(shared, [shopper.pk]), *fallback.non_personal(shared), *beside])


def bought_together(world: World) -> None:
    """Each product was bought with the next two by thirty people."""
    bundle = inference.loaded(world.run.version).bundle
    number = np.arange(len(world.products) + 1)
    bundle.companions = np.stack([number % len(world.products) + 1, (number + 1) % len(world.products) + 1], 1)
    bundle.companions[0] = 0
    bundle.companion_log_p = np.full(bundle.companions.shape, -1.0, np.float32)
    bundle.popularity_log_p = np.full(len(number), -4.0, np.float32)
    bundle.companion_people = np.full(bundle.companions.shape, 30)
    bundle.companion_buyers = np.full(len(number), 320)


def disturb(world: World, others: list[Shopper], seed: int) -> None:
    """Whatever other shoppers may do: before and after the run, seen and unseen, many and few."""
    chance = np.random.default_rng(seed)
    for _ in range(int(chance.integers(5, 40))):
        InteractionFactory(
            shopper=others[int(chance.integers(len(others)))] if chance.random() < 0.8 else ShopperFactory(),
            product=world.products[int(chance.integers(len(world.products)))],
            event_type=world.event_types[int(chance.integers(2))],
            occurred_at=NOON - timedelta(days=float(chance.uniform(-2, 40))),
            quantity=int(chance.integers(1, 500)),
        )
    for other in others:
        rows = list(Interaction.objects.filter(shopper=other).select_related("product"))
        if rows and chance.random() < 0.5:
            exclude_history(shopper=other, product=rows[int(chance.integers(len(rows)))].product, at=NOON)
        if rows and chance.random() < 0.3:
            rows[int(chance.integers(len(rows)))].delete()
    Shopper.objects.filter(pk__in=[other.pk for other in others if chance.random() < 0.3]).update(is_personalised=False)
    if others and chance.random() < 0.5:
        erase_shopper(shopper=others.pop())


@pytest.mark.django_db
def test_nothing_that_others_do_changes_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explanations.engine.timezone.now", lambda: NOON)
    world = World(blocks=1)
    bought_together(world)
    shopper, others = world.shoppers[0], list(world.shoppers[1:])
    before = said_to(world, shopper)
    counted = inference.recent_popularity(inference.loaded(world.run.version), as_of=NOON)

    for seed in range(12):
        disturb(world, others, seed)
        assert said_to(world, shopper) == before, seed

    assert len(before) > 200
    now_counted = inference.recent_popularity(inference.loaded(world.run.version), as_of=NOON)
    assert not np.array_equal(now_counted.numpy(), counted.numpy())  # the disturbance would have been seen


@pytest.mark.django_db
def test_what_the_counts_are_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above is not empty: with other counts the same shopper reads something else."""
    monkeypatch.setattr("explanations.engine.timezone.now", lambda: NOON)
    world = World(blocks=1)
    bought_together(world)
    before = said_to(world, world.shoppers[0])
    disturb(world, list(world.shoppers[1:]), seed=1)

    FrozenCounts.objects.all().delete()

    assert said_to(world, world.shoppers[0]) != before


@pytest.mark.django_db
def test_a_refresh_uses_the_counts_of_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explanations.engine.timezone.now", lambda: NOON)
    world = World(blocks=1)
    list(engine.refresh([world.shoppers[0].pk]))

    assert FrozenCounts.objects.get().run == world.run
    assert len(bytes(FrozenCounts.objects.get().recent_popularity)) == 4 * (len(world.products) + 1)


def test_nothing_about_a_person_is_an_input_or_a_reason() -> None:
    """Who adds a field here must ask first whether it tells who somebody is."""
    assert set(History._fields) == {"items_BL", "types_BL", "times_BL", "baskets_BL"}
    assert {field.name for field in Shopper._meta.concrete_fields} == {
        "id",
        "partner",
        "external_id",
        "user",
        "is_personalised",
        "changed_at",
        "created_at",
    }
    assert {field.name for field in fields(Evidence)} == {
        "product_id",
        "interaction_ids",
        "event_type",
        "times",
        "last_at",
    }
    assert {field.name for field in fields(Reason)} == {
        "type",
        "evidence",
        "category_id",
        "delta",
        "rank_without",
        "rank_only",
        "share",
        "threshold",
        "is_verified",
        "every_days",
    }
    assert {field.name for field in fields(Target)} >= {"score", "rank"}
    assert "shopper" not in {field.name for field in fields(Contract)}


def test_no_sentence_says_who_somebody_is() -> None:
    for entry in polib.pofile(str(CATALOGUE)):
        for text in (entry.msgid, entry.msgid_plural, entry.msgstr, *entry.msgstr_plural.values()):
            lowered = text.lower()
            assert "because you are" not in lowered
            assert "people like you" not in lowered
            assert "因为您是" not in text
            assert "像您这样的人" not in text


@pytest.mark.django_db
def test_the_api_names_no_sensitive_product_anywhere() -> None:
    shop = live_shop()
    home = shop.shopper.slates.get(placement=Placement.HOME)
    replacement = shop.product("Recipe box pantry yellow design")
    hidden = Category.objects.create(path="pharmacy", name_en="Pharmacy", is_sensitive=True)
    Product.objects.filter(pk=replacement.pk).update(category=hidden)

    answer = PartnerClient(sees_all_shoppers=True).get(f"explanations/{home.pk}-1").json()

    change = answer["explanation"]["counterfactual"]
    assert change["replacement"] is None
    assert "a product that is not named here would take its place" in change["text"]
    assert replacement.title not in str(answer)
