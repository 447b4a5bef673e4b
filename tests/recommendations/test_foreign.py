"""Beginning with another shop's version: exported there, taken in here, begun with, never shown."""

import contextlib
import io
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from pytest_django.fixtures import Settings

from catalog.models import Interaction
from recommendations import artifacts, foreign, services, trainings
from recommendations.ml import bundle as bundles
from recommendations.ml import encoders
from recommendations.ml.exported import Exported
from recommendations.models import ArtifactChunk, ModelVersion, Run
from tests.factories import (
    NOON,
    CategoryFactory,
    EventTypeFactory,
    InteractionFactory,
    ModelVersionFactory,
    ProductFactory,
    ShopperFactory,
)
from tests.recommendations.situations import Sent, version_file

STILL = {"epochs": 1, "learning_rate": 1e-12, "weight_decay": 0.0, "batch_lines": 2_000}  # what it began with is kept
SMALL = {"model": {"width": 16, "history": 20, "blocks": 2}, "training": STILL}
KEPT = 1e-6


def run_command(name: str, *arguments: object, **options: object) -> list[str]:
    output = StringIO()
    call_command(name, *map(str, arguments), stdout=output, **options)
    return output.getvalue().splitlines()


def open_shop(*, products: int, shoppers: int, seed: int, brands: tuple[str, ...]) -> None:
    """Products 100, 101, …, the later ones seldom bought; each shopper has four baskets of three."""
    chance = np.random.default_rng(seed)
    category = CategoryFactory()
    made = [
        ProductFactory(
            external_id=str(100 + number),
            title=f"Tea cup number {number}",
            description="",
            category=category,
            brand=brands[number % len(brands)],
        )
        for number in range(products)
    ]
    weights = 0.7 ** np.arange(products)
    purchase = EventTypeFactory(code="purchase")
    Interaction.objects.bulk_create(
        InteractionFactory.build(
            shopper=shopper,
            partner=shopper.partner,
            product=made[number],
            event_type=purchase,
            occurred_at=NOON - timedelta(days=int(200 - 45 * basket - chance.integers(20))),
        )
        for shopper in ShopperFactory.create_batch(shoppers)
        for basket in range(4)
        for number in chance.choice(products, 3, replace=False, p=weights / weights.sum())
    )


def train(**options: Any) -> ModelVersion:
    """To its end, whatever the gate says of so little data."""
    with contextlib.suppress(CommandError):
        run_command("train", inline=True, config=SMALL, **options)
    return ModelVersion.objects.trained().latest("pk")


def weights_of(version: ModelVersion) -> tuple[bundles.Bundle, dict[str, torch.Tensor]]:
    bundle = bundles.load(artifacts.load_bytes(version.weights, version.weights_checksum))
    return bundle, bundle.model.state_dict()


def close_shop() -> None:
    """What follows is another installation: nothing of the first is left but the file."""
    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE catalog_product, catalog_shopper, catalog_category, recommendations_modelversion CASCADE"
        )
    ArtifactChunk.objects.all().delete()


@pytest.mark.django_db(transaction=True)
def test_a_training_begins_with_blocks_and_projections_of_another_shop_and_products_only_where_ids_are_the_same(
    tmp_path: Path, settings: Settings
) -> None:
    settings.LOCAL_DIR, settings.TEXT_ENCODER, settings.SHOP_NAME = tmp_path, encoders.MULTILINGUAL, "Teas"
    file = tmp_path / "teas.safetensors"
    open_shop(products=14, shoppers=60, seed=1, brands=("Alba", "Bosco"))
    theirs = train(seed=1)
    _, given = weights_of(theirs)
    bundle, _ = weights_of(theirs)
    assert bundle.companion_buyers is not None
    common = [key for key, n in zip(bundle.catalogue.keys, bundle.companion_buyers[1:].tolist(), strict=True) if n > 20]
    (line,) = run_command("export_version", theirs.pk, file)
    assert line == (
        f"{file}: {theirs}, {len(common)} products and {len(_values(bundle, common))} values of attributes that more "
        f"than 20 shoppers bought, {file.stat().st_size:,} bytes"
    )
    assert 0 < len(common) < 14
    with file.open("rb") as opened:
        exported = Exported.read(opened)
    assert list(exported.keys) == common
    steepness = theirs.metrics["balance"]["steepness"]
    count = "repeats.count.weight"  # without what was put into it after the training
    assert np.allclose(exported.weights[count] * steepness, given[count].numpy())
    assert exported.origin["shop"] == "Teas"
    close_shop()

    settings.LOCAL_DIR = tmp_path / "second"
    open_shop(products=10, shoppers=30, seed=2, brands=("Bosco", "Cima"))
    alike = train(seed=2, started_from=str(file), same_ids=True)
    taken_in = ModelVersion.objects.get(state="foreign")
    unlike = train(seed=2, started_from=str(taken_in.pk))
    fresh = train(seed=2)

    assert [version.started_from for version in (alike, unlike, fresh)] == [taken_in, taken_in, None]
    (mine, same), (_, other), (_, first) = map(weights_of, (alike, unlike, fresh))
    blocks = [name for name in same if name.startswith(("blocks.", "norm."))]
    assert len(blocks) > 40
    for name in (*blocks, "products.projection.weight"):
        assert torch.allclose(same[name], given[name], atol=KEPT), name
        assert torch.allclose(other[name], given[name], atol=KEPT), name
    assert not torch.allclose(first["products.projection.weight"], given["products.projection.weight"], atol=KEPT)
    ids = "products.ids.weight"
    there = {key: given[ids][number] for number, key in enumerate(bundle.catalogue.keys, start=1)}
    for number, key in enumerate(mine.catalogue.keys, start=1):
        assert torch.allclose(same[ids][number], there[key] if key in common else first[ids][number], atol=KEPT)
        assert torch.allclose(other[ids][number], first[ids][number], atol=KEPT)
    brand = "products.attributes.brand.weight"
    assert mine.catalogue.labels["brand"] == ("Bosco", "Cima")
    assert torch.allclose(same[brand][1], given[brand][2], atol=KEPT)
    assert torch.allclose(same[brand][2], first[brand][2], atol=KEPT)
    shared = sum(key in common for key in mine.catalogue.keys)
    assert [version.metrics["taken_over"]["products"] for version in (alike, unlike)] == [shared, 0]
    assert unlike.metrics["taken_over"]["text_projections"] == 1
    assert "taken_over" not in fresh.metrics


def _values(bundle: bundles.Bundle, common: list[str]) -> set[tuple[str, int]]:
    """The values of attributes that the common products have."""
    numbers = [number for number, key in enumerate(bundle.catalogue.keys, start=1) if key in common]
    return {
        (name, int(value))
        for name, values in bundle.catalogue.attributes.items()
        for value in values[numbers].ravel()
        if value
    }


def take_in(file: io.BytesIO, name: str = "teas.safetensors") -> ModelVersion:
    return foreign.import_version(file=file, name=name, by=None, at=NOON)


@pytest.mark.django_db
def test_a_file_is_taken_in_once_and_says_where_it_comes_from(tmp_path: Path) -> None:
    file, path = version_file(), tmp_path / "same.safetensors"
    path.write_bytes(file.getvalue())

    version, again = take_in(file, "C:/from/teas.safetensors"), take_in(file)

    assert version == again == ModelVersion.objects.get()
    assert (version.state, version.snapshot, version.config["model"]["width"]) == ("foreign", None, 8)
    assert version.origin == {
        "shop": "Teas",
        "version": "v7",
        "file": "teas.safetensors",
        "encoder": "",
        "products": 0,
        "attribute_values": {},
        "kinds": ["purchase -inf"],
    }
    assert foreign.load(version).config.width == 8
    assert run_command("import_version", path) == [
        f"{version} is v7 of Teas; begin with it: manage.py train --from {version.pk}"
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda whole: whole[:-1], r"The file is damaged: .*Remedy: copy it again, or export it again\."),
        (lambda whole: whole[:-1] + bytes([whole[-1] ^ 1]), "The file is damaged: its contents do not match"),
        (lambda _: b"product,title\n1,Cup\n" * 9, r"This is no exported version\. Remedy: .*export_version"),
        (lambda _: b"", "This is no exported version"),
    ],
)
def test_a_file_that_is_damaged_or_something_else_leaves_nothing_behind(
    tmp_path: Path, damage: Callable[[bytes], bytes], message: str
) -> None:
    path = tmp_path / "teas.safetensors"
    path.write_bytes(damage(version_file().getvalue()))

    for command in (("import_version", path), ("train", f"--from={path}")):
        with pytest.raises(CommandError, match=message):
            run_command(*command)

    assert not ModelVersion.objects.exists()
    assert not ArtifactChunk.objects.exists()


@pytest.mark.django_db
def test_a_file_of_another_format_names_both_and_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    file = version_file()
    monkeypatch.setattr("recommendations.ml.exported.FORMAT", 2)

    with pytest.raises(foreign.Unreadable, match=r"has format 1; this release reads 1\. Remedy: use the same release"):
        take_in(file)


@pytest.mark.django_db
def test_what_has_another_width_cannot_be_begun_with_and_the_remedy_is_the_configuration(sent: Sent) -> None:
    version = take_in(version_file())

    with pytest.raises(
        CommandError, match=r'width 64 cannot begin with v\d+, which has width 8\..*{"model": {"width": 8}}'
    ):
        run_command("train", started_from=str(version.pk), no_wait=True, config={})
    run_command("train", started_from=str(version.pk), same_ids=True, no_wait=True, config={"model": {"width": 8}})

    queued = ModelVersion.objects.own().get()
    assert (queued.started_from, queued.shares_product_ids) == (version, True)


@pytest.mark.django_db
def test_that_ids_are_the_same_is_only_asked_of_another_shops_version(sent: Sent) -> None:
    own = ModelVersionFactory()

    with pytest.raises(CommandError, match="--same-ids needs --from another shop's version"):
        run_command("train", started_from=str(own.pk), same_ids=True)
    with pytest.raises(services.BadConfiguration, match=r"Remedy: leave it out"):
        services.request_training(
            config={}, seed=1, by=None, at=NOON, publish_when_ready=False, started_from=own, shares_product_ids=True
        )
    with pytest.raises(CommandError, match=r"--from: no trained version 999, and no file\. Remedy"):
        run_command("train", started_from="999")

    assert ModelVersion.objects.get() == own


@pytest.mark.django_db
def test_another_shops_version_is_never_run_nor_made_one_of_ours() -> None:
    version = take_in(version_file())

    with pytest.raises(services.NotRunnable):
        services.start_run(version=version, by=None, at=NOON, publish_when_ready=True)
    with pytest.raises(CommandError, match=r"Remedy: manage\.py train"):
        run_command("precompute", version_id=version.pk)
    with pytest.raises(CommandError, match="There is no trained version"):
        run_command("export_version", version.pk, "never.safetensors")
    assert not trainings.work(version_id=version.pk, train=lambda *_: pytest.fail("trained"))
    changes: list[dict[str, Any]] = [
        {"state": "passed"},
        {"state": "queued"},
        {"is_publish_wanted": True},
        {"origin": {}},
    ]
    for change in changes:
        with pytest.raises(IntegrityError, match="foreign_version_is_weights_alone"), transaction.atomic():
            ModelVersion.objects.filter(pk=version.pk).update(**change)
    services.clean_up(at=NOON)

    version.refresh_from_db()
    assert version.state == "foreign"
    assert not Run.objects.exists()
    assert foreign.load(version).kinds == ("purchase -inf",)


@pytest.mark.django_db
def test_an_export_replaces_no_file_and_leaves_none_that_is_unfinished(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    path.write_text("mine")

    with pytest.raises(CommandError, match=r"exists already\. Remedy: choose another name"):
        run_command("export_version", ModelVersionFactory().pk, path)
    with pytest.raises(CommandError, match="no artifact"):
        run_command("export_version", ModelVersionFactory().pk, tmp_path / "new.safetensors")

    assert [file.name for file in tmp_path.iterdir()] == ["mine.safetensors"]
    assert path.read_text() == "mine"
