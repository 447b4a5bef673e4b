"""Loading the demo shop, on its first two thousand lines."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from pytest_django import Settings

from catalog.demo_shop import load, prepare
from catalog.demo_shop.source import RAW_LINES
from catalog.importing.progress import Progress
from catalog.models import Category, Import, Interaction, Partner, Product, Shopper
from tests.catalog.importing.files import event_types
from tests.factories import PartnerFactory


@pytest.fixture
def partner(db: None) -> Partner:
    event_types()
    return PartnerFactory(slug="shop")


@pytest.fixture
def prepared(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders into which files were prepared."""
    settings.LOCAL_DIR = tmp_path
    raw = tmp_path / "raw.parquet"
    with parquet.ParquetFile(RAW_LINES) as file:
        parquet.write_table(pa.Table.from_batches([next(file.iter_batches(batch_size=2_000))]), raw)
    folders: list[Path] = []
    write: Callable[..., prepare.Prepared] = prepare.write_files

    def write_few(*, into: Path, weeks: int) -> prepare.Prepared:
        folders.append(into)
        return write(into=into, source=raw, weeks=weeks)

    monkeypatch.setattr(prepare, "write_files", write_few)
    return folders


def test_the_demo_shop_has_its_groups_products_and_interactions(partner: Partner, prepared: list[Path]) -> None:
    loaded = load.load_demo_shop(partner=partner)

    assert (loaded.interactions.state, loaded.interactions.rows_merged) == (Import.State.FINISHED, 2_000)
    assert loaded.interactions.rows_rejected == loaded.products.rows_rejected == 0
    assert Interaction.objects.visible().count() == 2_000
    assert Product.objects.count() == loaded.products.rows_merged
    assert Shopper.objects.filter(partner=partner, external_id="13085").exists()
    group = Category.objects.get(path="kitchen/baking")
    assert (group.name_en, group.name_zh_hans, group.parent) == (
        "Baking and cake stands",
        "烘焙与蛋糕架",
        Category.objects.get(path="kitchen"),
    )
    assert Product.objects.exclude(category__glyph="").count() == Product.objects.count()


def test_loading_again_does_nothing(partner: Partner, prepared: list[Path]) -> None:
    first = load.load_demo_shop(partner=partner)

    again = load.load_demo_shop(partner=partner)

    assert (again, len(prepared)) == (first, 1)
    assert Import.objects.count() == 2


def test_loading_that_was_interrupted_goes_on(partner: Partner, prepared: list[Path]) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.phase == "merging":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load.load_demo_shop(partner=partner, progress=interrupt)

    loaded = load.load_demo_shop(partner=partner)

    assert (loaded.interactions.rows_merged, Import.objects.count(), len(prepared)) == (2_000, 2, 1)
