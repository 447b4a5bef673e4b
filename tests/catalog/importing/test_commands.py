"""The commands that import."""

import io
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from catalog.importing.columns import INTERACTIONS, markdown
from catalog.models import Import, Interaction, Partner
from tests.catalog.importing.files import CUP, HEADINGS, event_types
from tests.factories import PartnerFactory, ProductFactory


@pytest.fixture
def partner(db: None) -> Partner:
    event_types()
    ProductFactory(external_id="cup")
    return PartnerFactory(slug="shop")


def test_a_file_is_imported_and_its_rejections_are_written(
    partner: Partner, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, report = tmp_path / "events.csv", tmp_path / "report.csv"
    file.write_text(f"{HEADINGS}\n{CUP}\ne2,s1,plate,view,2011-01-02T03:04:05Z,,,\n")

    call_command("import_interactions", str(file), report=str(report))

    source = Import.objects.get()
    assert capsys.readouterr().out.splitlines() == [
        f"Import {source.pk} finished: 2 rows read, 1 merged, 0 known already, 1 rejected.",
        "  1 × unknown_product",
    ]
    assert report.read_text().splitlines()[1].startswith("3,product,plate,unknown_product,")


def test_rows_are_read_from_standard_input(partner: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{HEADINGS}\n{CUP}\n".encode())))

    call_command("import_interactions", "-")

    assert Interaction.objects.get().event_id == "e1"


def test_products_are_imported_with_their_own_headings(db: None, tmp_path: Path) -> None:
    PartnerFactory(slug="shop")
    file = tmp_path / "products.csv"
    file.write_text("sku;name\ncup;Cup\n")

    call_command("import_products", str(file), "--map", "sku=external_id", "--map", "name=title")

    assert Import.objects.get().rows_merged == 1


def test_a_partner_must_be_named_where_there_are_several(partner: Partner) -> None:
    PartnerFactory(slug="other")

    with pytest.raises(CommandError, match=r"--partner SLUG\. There are: other, shop"):
        call_command("import_interactions", "-")


def test_resume_and_revert_name_an_import_that_exists(partner: Partner) -> None:
    with pytest.raises(CommandError, match="There is no import 4711 of interactions"):
        call_command("import_interactions", revert=4711)


def test_revert_takes_an_import_back(partner: Partner, tmp_path: Path) -> None:
    file = tmp_path / "events.csv"
    file.write_text(f"{HEADINGS}\n{CUP}\n")
    call_command("import_interactions", str(file))

    call_command("import_interactions", revert=Import.objects.get().pk)

    assert Interaction.objects.count() == 0


def test_a_file_that_is_not_there_is_a_plain_message(partner: Partner) -> None:
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_interactions", "/nowhere/events.csv")


def test_the_table_of_columns_names_what_is_required() -> None:
    lines = markdown(INTERACTIONS).splitlines()

    assert len(lines) == 2 + len(INTERACTIONS)
    assert lines[2].startswith("| `event_id` | required | text |")
