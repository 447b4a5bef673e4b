"""What a snapshot freezes: histories, and what shoppers do not want beside them."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from pytest_django.fixtures import Settings

from catalog.impressions import note_shown
from catalog.models import EventType, Interaction, Product
from recommendations import snapshots
from recommendations.ml import encoders
from tests.factories import NOON, EventTypeFactory, InteractionFactory, ProductFactory, ShopperFactory


@pytest.fixture
def _shop(transactional_db: None, settings: Settings, tmp_path: Path) -> None:
    """Two shoppers with sixty baskets each, of five products in turn."""
    settings.LOCAL_DIR = tmp_path
    purchase, products = EventTypeFactory(), ProductFactory.create_batch(5)
    Interaction.objects.bulk_create(
        InteractionFactory.build(
            shopper=shopper,
            partner=shopper.partner,
            product=products[(day + number) % 5],
            event_type=purchase,
            occurred_at=NOON - timedelta(days=day),
            received_at=NOON,
        )
        for number, shopper in enumerate(ShopperFactory.create_batch(2))
        for day in range(1, 61)
    )
    Interaction.objects.update(received_at=NOON)


def say(shopper_number: int, product_number: int, *, days_ago: int, taken_back: bool = False) -> None:
    shopper_ids = sorted(set(Interaction.objects.values_list("shopper_id", flat=True)))
    product_ids = sorted(set(Interaction.objects.values_list("product_id", flat=True)))
    against, _ = EventType.objects.update_or_create(
        code="not_interested", defaults={"polarity": -1, "strength": 0.5, "is_target": False}
    )
    said = InteractionFactory(
        shopper_id=shopper_ids[shopper_number],
        product_id=product_ids[product_number],
        event_type=against,
        occurred_at=NOON - timedelta(days=days_ago),
        quantity=None,
        unit_price=None,
        excluded_at=NOON - timedelta(days=1) if taken_back else None,
    )
    Interaction.objects.filter(pk=said.pk).update(received_at=NOON)


@pytest.mark.usefixtures("_shop")
def test_what_is_not_wanted_stands_beside_the_histories_with_its_strength() -> None:
    say(1, 2, days_ago=10)
    say(1, 0, days_ago=30)
    say(0, 4, days_ago=20, taken_back=True)

    snapshot = snapshots.freeze(at=NOON + timedelta(minutes=1))
    arrays = snapshots.build(snapshot)

    unwanted = arrays.unwanted
    assert unwanted.offsets.tolist() == [0, 0, 2]
    assert unwanted.items.tolist() == [1, 3]  # oldest first
    assert unwanted.weights.tolist() == [0.5, 0.5]
    assert len(arrays.histories.items) == 120
    assert snapshot.counts["unwanted"] == 2
    earlier = unwanted.before(int((NOON - timedelta(days=20)).timestamp()))
    assert (earlier.offsets.tolist(), earlier.items.tolist()) == ([0, 0, 1], [1])


@pytest.mark.usefixtures("_shop")
def test_what_was_shown_in_vain_stands_beside_the_histories() -> None:
    shopper_ids = sorted(set(Interaction.objects.values_list("shopper_id", flat=True)))
    product_ids = sorted(set(Interaction.objects.values_list("product_id", flat=True)))
    new = ProductFactory()
    days = [NOON.date() - timedelta(days=days) for days in (70, 69, 68)]
    note_shown((shopper_ids[1], day, new.pk) for day in days)
    note_shown((shopper_ids[0], day, product_ids[0]) for day in days)  # bought since
    stranger = ShopperFactory()  # of whom nothing else is known
    note_shown((stranger.pk, day, new.pk) for day in days)

    snapshot = snapshots.freeze(at=NOON + timedelta(minutes=1))
    arrays = snapshots.build(snapshot)

    known = arrays.ignored.before(int(NOON.timestamp()))
    assert (known.offsets.tolist(), known.items.tolist()) == ([0, 0, 1], [6])
    assert arrays.ignored.offsets.tolist() == [0, 1, 2]
    assert snapshot.counts["ignored"] == 3
    assert len(arrays.histories.items) == 120  # no line of a history, so nothing that a reason could cite


@pytest.mark.usefixtures("_shop")
def test_a_shop_where_nobody_said_anything_has_no_wishes() -> None:
    arrays = snapshots.build(snapshots.freeze(at=NOON + timedelta(minutes=1)))

    assert arrays.unwanted.offsets.tolist() == [0, 0, 0]
    assert len(arrays.unwanted.items) == 0
    assert arrays.ignored.offsets.tolist() == [0, 0, 0]


@pytest.mark.usefixtures("_shop")
def test_what_the_shop_says_of_its_products_is_frozen_in_one_table_beside_groups_and_brands() -> None:
    Product.objects.update(attributes={"made of": "wood"}, brand="Sköld")
    snapshot = snapshots.freeze(at=NOON + timedelta(minutes=1))

    catalogue = snapshots.build(snapshot).catalogue
    snapshots.forget(snapshot)
    again = snapshots.build(snapshot).catalogue

    assert catalogue.attributes["other"].tolist() == [[0], *[[1]] * 5]
    assert (catalogue.sizes["other"], catalogue.labels["other"]) == (1, ("made of=wood",))
    assert catalogue.labels["brand"] == ("Sköld",)
    assert {name: values.tolist() for name, values in again.attributes.items()} == {
        name: values.tolist() for name, values in catalogue.attributes.items()
    }


@pytest.mark.usefixtures("_shop")
def test_texts_are_frozen_memory_mapped_beside_the_arrays_where_there_is_an_encoder(settings: Settings) -> None:
    without = snapshots.build(snapshots.freeze(at=NOON + timedelta(minutes=1))).catalogue
    settings.TEXT_ENCODER = encoders.MULTILINGUAL
    snapshot = snapshots.freeze(at=NOON + timedelta(minutes=1))

    catalogue = snapshots.build(snapshot).catalogue
    Product.objects.update(title="Something else")
    again = snapshots.build(snapshot).catalogue

    assert (without.texts, without.encoder) == (None, "")
    assert isinstance(catalogue.texts, np.memmap)
    assert (catalogue.texts.shape, catalogue.encoder) == ((6, 512), encoders.identity(encoders.MULTILINGUAL))
    assert snapshot.counts["encoder"] == catalogue.encoder
    assert again.texts is not None
    assert np.array_equal(again.texts, catalogue.texts)  # frozen
