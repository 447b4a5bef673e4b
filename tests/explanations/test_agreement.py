"""What a reason owes to the seed of the training."""

import pytest
from django.core.management import CommandError, call_command

from explanations import agreement
from explanations.models import VersionCheck
from recommendations import artifacts
from recommendations.ml import bundle as bundles
from recommendations.models import ModelVersion
from tests.explanations.test_engine import PRODUCTS, World
from tests.factories import NOON, ModelVersionFactory
from tests.recommendations.ml.made import random_model

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    made = World(blocks=1)
    ModelVersion.objects.filter(pk=made.run.version_id).update(metrics={"new": {}}, seed=1)
    return made


def of_another_seed(world: World) -> ModelVersion:
    """A version with other weights, alike in all that was chosen."""
    first = ModelVersion.objects.get(pk=world.run.version_id)
    version: ModelVersion = ModelVersionFactory(
        snapshot=first.snapshot, config=first.config, state=first.state, metrics={"new": {}}, seed=2
    )
    other = world._bundle(random_model(8, products=PRODUCTS, history=64))
    version.weights = artifacts.weights_name(version.pk)
    version.weights_checksum = artifacts.save_bytes(version.weights, bundles.dump(other))
    version.save()
    return version


def test_a_version_agrees_with_itself_in_everything(world: World) -> None:
    version = ModelVersion.objects.get(pk=world.run.version_id)

    found = agreement.measure([version, version], now=NOON)

    assert found == {
        "versions": [version.pk, version.pk],
        "shoppers": 8,
        "same_products": 1.0,
        "likeness@3": 1.0,
        "same_first": 1.0,
    }


def test_other_weights_agree_less_and_the_check_keeps_it(world: World) -> None:
    other = of_another_seed(world)

    found = agreement.ensure(ModelVersion.objects.get(pk=world.run.version_id), now=NOON)

    assert found["versions"] == [world.run.version_id, other.pk]
    assert 0 < found["same_products"] < 1
    assert 0 <= found["likeness@3"] < 1
    assert VersionCheck.objects.get(version=world.run.version_id).measures == {"seeds": found}


def test_a_version_without_a_twin_has_nothing_to_compare(world: World) -> None:
    with pytest.raises(CommandError, match=r"Remedy: manage\.py train --seeds 3"):
        call_command("seed_agreement", str(world.run.version_id))
