"""Importing interactions: what is taken, what is refused and why."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection

from catalog.importing import checks, services
from catalog.importing.options import Options
from catalog.importing.problems import REMEDIES
from catalog.models import Import, Interaction, Partner, Shopper
from tests.catalog.importing.files import CUP, event_types, import_interactions, problems
from tests.factories import ImportFactory, PartnerFactory, ProductFactory, ShopperFactory


@pytest.fixture
def partner(db: None) -> Partner:
    event_types()
    ProductFactory(external_id="cup")
    return PartnerFactory()


def test_a_row_becomes_an_interaction_of_a_new_shopper(partner: Partner) -> None:
    source = import_interactions(CUP, partner=partner)

    row = Interaction.objects.visible().get()
    assert (row.partner, row.event_id, row.product.external_id, row.event_type.code) == (
        partner,
        "e1",
        "cup",
        "purchase",
    )
    assert row.shopper == Shopper.objects.get(partner=partner, external_id="s1")
    assert row.occurred_at == datetime(2011, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert (row.quantity, row.unit_price, row.currency, row.value) == (2, Decimal("4.950"), "GBP", None)
    assert (source.state, source.rows_read, source.rows_merged) == (Import.State.FINISHED, 1, 1)
    assert row.shopper.changed_at == source.finished_at


def test_a_row_without_shopper_belongs_to_nobody(partner: Partner) -> None:
    import_interactions("e1,,cup,view,2011-01-02T03:04:05Z,,,", partner=partner)

    row = Interaction.objects.get()
    assert (row.shopper, row.quantity, row.unit_price) == (None, None, None)
    assert Shopper.objects.count() == 0


def test_a_shopper_that_is_known_is_found_again(partner: Partner) -> None:
    known = ShopperFactory(partner=partner, external_id="s1")
    ShopperFactory(external_id="s1")  # of another partner

    import_interactions(CUP, partner=partner)

    assert Interaction.objects.get().shopper == known
    assert Shopper.objects.count() == 2


def test_importing_a_file_twice_changes_nothing(partner: Partner) -> None:
    import_interactions(CUP, partner=partner)

    again = import_interactions(CUP, partner=partner)

    assert (again.rows_merged, again.rows_known, again.rows_rejected) == (0, 1, 0)
    assert Interaction.objects.count() == 1


def test_of_rows_with_one_event_id_the_first_counts(partner: Partner) -> None:
    source = import_interactions(CUP, CUP.replace(",2,4.95", ",3,4.95"), partner=partner)

    assert (source.rows_merged, source.rows_known) == (1, 1)
    assert Interaction.objects.get().quantity == 2


def test_the_same_event_id_of_another_partner_is_another_event(partner: Partner) -> None:
    import_interactions(CUP, partner=partner)

    source = import_interactions(CUP, partner=PartnerFactory())

    assert (source.rows_merged, Interaction.objects.count()) == (1, 2)


@pytest.mark.parametrize(
    ("row", "field", "value", "code"),
    [
        (",s,cup,view,2011-01-02T03:04:05Z,,,", "event_id", "", "missing"),
        (f"{'x' * 101},s,cup,view,2011-01-02T03:04:05Z,,,", "event_id", "x" * 101, "too_long"),
        ("e,s,plate,view,2011-01-02T03:04:05Z,,,", "product", "plate", "unknown_product"),
        ("e,s,cup,bought,2011-01-02T03:04:05Z,,,", "event_type", "bought", "unknown_event_type"),
        ("e,s,cup,view,,,,", "occurred_at", "", "missing"),
        ("e,s,cup,view,02/01/2011 03:04,,,", "occurred_at", "02/01/2011 03:04", "bad_time"),
        ("e,s,cup,view,2011-02-30T03:04:05Z,,,", "occurred_at", "2011-02-30T03:04:05Z", "bad_time"),
        ("e,s,cup,view,now,,,", "occurred_at", "now", "bad_time"),
        ("e,s,cup,view,2011-01-02T03:04:05,,,", "occurred_at", "2011-01-02T03:04:05", "no_zone"),
        ("e,s,cup,view,2011-01-02,,,", "occurred_at", "2011-01-02", "no_zone"),
        ("e,s,cup,view,1911-01-02T03:04:05Z,,,", "occurred_at", "1911-01-02T03:04:05Z", "too_early"),
        ("e,s,cup,view,2999-01-02T03:04:05Z,,,", "occurred_at", "2999-01-02T03:04:05Z", "in_future"),
        ("e,s,cup,view,2011-01-02T03:04:05Z,two,,", "quantity", "two", "bad_whole_number"),
        ("e,s,cup,view,2011-01-02T03:04:05Z,1.5,,", "quantity", "1.5", "bad_whole_number"),
        ("e,s,cup,view,2011-01-02T03:04:05Z,99999999999,,", "quantity", "99999999999", "bad_whole_number"),
        ('e,s,cup,view,2011-01-02T03:04:05Z,,"4,95",', "unit_price", "4,95", "bad_number"),
        ("e,s,cup,view,2011-01-02T03:04:05Z,,NaN,", "unit_price", "NaN", "bad_number"),
        ("e,s,cup,view,2011-01-02T03:04:05Z,,1e40,", "unit_price", "1e40", "out_of_range"),
        ("e,s,cup,view,2011-01-02T03:04:05Z,,4.95,gbp", "currency", "gbp", "bad_currency"),
        ('e,s,cup,"view,2011-01-02T03:04:05Z,,,', "row", 'e,s,cup,"view,2011-01-02T03:04:05Z,,,', "broken_quotes"),
        ("e,s,cup", "row", "e,s,cup", "wrong_number_of_columns"),
    ],
)
def test_a_bad_row_is_named_with_its_remedy_and_the_others_are_taken(
    partner: Partner, row: str, field: str, value: str, code: str
) -> None:
    source = import_interactions(row, CUP, partner=partner)

    assert problems(source) == [(2, field, value, code)]
    assert source.rejections.get().remedy == REMEDIES[code]
    assert (source.rows_read, source.rows_rejected, source.rows_merged) == (2, 1, 1)
    assert source.rejection_counts == {code: 1}
    assert Interaction.objects.get().event_id == "e1"


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("2011-07-02T03:04:05+01:00", "2011-07-02T02:04:05"),
        ("2011-07-02 03:04Z", "2011-07-02T03:04:00"),
        ("2011-07-02T03:04:05.250+0100", "2011-07-02T02:04:05.250000"),
        ("2011-07-02T03:04:05-05", "2011-07-02T08:04:05"),
    ],
)
def test_times_with_any_iso_zone_are_understood(partner: Partner, text: str, stored: str) -> None:
    import_interactions(f"e,s,cup,view,{text},,,", partner=partner)

    assert Interaction.objects.get().occurred_at == datetime.fromisoformat(stored).replace(tzinfo=UTC)


def test_a_time_without_a_zone_is_in_the_zone_of_the_file(partner: Partner) -> None:
    import_interactions(
        "e1,s,cup,view,2011-07-02T03:04:05,,,",
        "e2,s,cup,view,2011-07-02,,,",
        "e3,s,cup,view,2011-07-02T03:04:05Z,,,",
        partner=partner,
        options=Options(time_zone="Europe/London"),
    )

    times = Interaction.objects.order_by("event_id").values_list("occurred_at", flat=True)
    assert [time.isoformat() for time in times] == [
        "2011-07-02T02:04:05+00:00",
        "2011-07-01T23:00:00+00:00",
        "2011-07-02T03:04:05+00:00",
    ]


@pytest.mark.parametrize(("text", "stored"), [("3.0", 3), ("+3", 3), ("-3", -3), ("0", 0)])
def test_whole_numbers_may_come_out_of_a_spreadsheet(partner: Partner, text: str, stored: int) -> None:
    import_interactions(f"e,s,cup,view,2011-01-02T03:04:05Z,{text},,", partner=partner)

    assert Interaction.objects.get().quantity == stored


def test_every_problem_of_a_row_is_named(partner: Partner) -> None:
    source = import_interactions("e,s,plate,view,yesterday,two,,", partner=partner)

    assert problems(source) == [
        (2, "occurred_at", "yesterday", "bad_time"),
        (2, "product", "plate", "unknown_product"),
        (2, "quantity", "two", "bad_whole_number"),
    ]
    assert source.rows_rejected == 1


def test_rejections_beyond_the_cap_are_counted_but_not_kept(partner: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "REPORTED", 3)

    source = import_interactions(*[f"e{n},s,plate,view,2011-01-02T03:04:05Z,,," for n in range(9)], partner=partner)

    assert [row for row, *_rest in problems(source)] == [2, 3, 4]
    assert (source.rows_rejected, source.rejection_counts) == (9, {"unknown_product": 9})


def test_a_strict_import_takes_all_or_none(partner: Partner) -> None:
    with pytest.raises(services.ImportFailed, match="1 rows were rejected"):
        import_interactions(CUP, "e2,s,plate,view,2011-01-02T03:04:05Z,,,", partner=partner, is_strict=True)

    source = Import.objects.get()
    assert (source.state, source.rows_merged) == (Import.State.FAILED, 0)
    assert problems(source) == [(3, "product", "plate", "unknown_product")]
    assert Interaction.objects.count() == Shopper.objects.count() == 0


def test_a_dry_run_counts_and_merges_nothing(partner: Partner) -> None:
    import_interactions(CUP, partner=partner)

    source = import_interactions(
        CUP,
        "e2,s2,cup,view,2011-01-02T03:04:05Z,,,",
        "e3,s2,plate,view,2011-01-02T03:04:05Z,,,",
        partner=partner,
        is_dry_run=True,
    )

    assert (source.state, source.rows_accepted, source.rows_known, source.rows_rejected) == ("checked", 2, 1, 1)
    assert list(Interaction.objects.values_list("event_id", flat=True)) == ["e1"]
    assert Shopper.objects.count() == 1


def test_headings_that_are_wrong_are_all_named_at_once(partner: Partner) -> None:
    with pytest.raises(services.ImportFailed) as failure:
        import_interactions("1,2,3", partner=partner, headings="event_id,Product,colour")

    product, *others = str(failure.value).splitlines()
    assert product.startswith("\"Product\" is no column. Did you mean --map 'Product'=product? Leave it out with")
    assert others[:-1] == [
        "\"colour\" is no column. Leave it out with --map 'colour'= (nothing after =).",
        '"product" is missing.',
        '"event_type" is missing.',
        '"occurred_at" is missing.',
    ]
    assert others[-1].startswith("The columns are: event_id, shopper, product, event_type, occurred_at, quantity,")
    assert Import.objects.get().error == str(failure.value)


def test_headings_can_be_mapped_and_left_out(partner: Partner) -> None:
    import_interactions(
        "e1,s1,cup,view,2011-01-02T03:04:05Z,red",
        partner=partner,
        headings="id,who,sku,event_type,occurred_at,colour",
        options=Options(renamed={"id": "event_id", "who": "shopper", "sku": "product", "colour": ""}),
    )

    row = Interaction.objects.get()
    assert (row.event_id, row.product.external_id) == ("e1", "cup")


def test_an_unknown_time_zone_is_refused(partner: Partner) -> None:
    with pytest.raises(services.ImportFailed, match='"Europe/Paris/Nord" is no time zone'):
        import_interactions(CUP, partner=partner, options=Options(time_zone="Europe/Paris/Nord"))


def test_an_import_that_stopped_half_way_blocks_the_next_of_its_partner(partner: Partner) -> None:
    stopped = ImportFactory(partner=partner, state=Import.State.MERGING, finished_at=None)

    with pytest.raises(services.ImportBlocked, match=f"Import {stopped.pk} of this partner stopped half-way"):
        import_interactions(CUP, partner=partner)

    assert Interaction.objects.count() == 0


def test_reverting_takes_the_interactions_of_one_import_back(partner: Partner) -> None:
    kept = import_interactions(CUP, partner=partner)
    wrong = import_interactions(CUP, "e2,s2,cup,view,2011-01-02T03:04:05Z,,,", partner=partner)
    noon = datetime(2011, 12, 1, 12, tzinfo=UTC)

    services.revert_import(source=wrong, at=noon)

    assert list(Interaction.objects.values_list("event_id", "source")) == [("e1", kept.pk)]
    assert Import.objects.get(pk=wrong.pk).state == Import.State.REVERTED
    assert Shopper.objects.get(external_id="s2").changed_at == noon


def test_rows_of_an_unfinished_import_are_invisible(partner: Partner) -> None:
    source = import_interactions(CUP, partner=partner)

    Import.objects.filter(pk=source.pk).update(state=Import.State.MERGING)

    assert (Interaction.objects.count(), Interaction.objects.visible().count()) == (1, 0)


def test_the_report_of_rejections_is_csv_that_no_spreadsheet_runs(partner: Partner) -> None:
    source = import_interactions("e,s,=1+1,view,2011-01-02T03:04:05Z,,,", partner=partner)

    assert "".join(services.rejection_report(source=source)).splitlines() == [
        "row,field,value,problem,remedy",
        '2,product,\'=1+1,unknown_product,"Import the product first, or correct its id."',
    ]


def test_staging_leaves_no_table_behind(partner: Partner) -> None:
    import_interactions(CUP, "bad", partner=partner)

    tables = connection.introspection.table_names()
    assert [name for name in tables if name.startswith("catalog_import_")] == []
