"""Before a run goes live, staff see what it would change, on the lists that both runs have."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from catalog.models import Product, Shopper
from explanations import comparison
from explanations.comparison import Change, compare
from explanations.contract import Cause, Contract, Status
from explanations.models import Audit, VersionCheck
from explanations.refusals import SENTENCES
from recommendations.models import Placement, Run
from tests import worlds
from tests.explanations.test_dashboard import MEASURES
from tests.factories import NOON, ModelVersionFactory, ProductFactory, RunFactory, ShopperFactory, StaffFactory
from tests.worlds import contract, evidence, explained_slate, reason

pytestmark = pytest.mark.django_db


@pytest.fixture
def products() -> list[Product]:
    return [ProductFactory() for _ in range(6)]


@pytest.fixture
def runs(products: list[Product]) -> tuple[Run, Run]:
    """The live one, and the one that could take its place; each with what is the same for everybody."""
    live, ready = RunFactory(), RunFactory(version=ModelVersionFactory(), state=Run.State.READY)
    for run in (live, ready):
        explained_slate(run=run, contracts=[contract(products[0], cause=Cause.NOT_PERSONAL)])
    worlds.publish(live)
    return live, ready


def test_the_database_joins_no_slates_of_a_run_of_which_it_may_know_nothing(runs: tuple[Run, Run]) -> None:
    """Of a run that was just written there are no statistics: then the plan of such a join may take minutes."""
    live, ready = runs

    with CaptureQueriesContext(connection) as asked:
        comparison.compare(live, ready)

    read = [len(re.findall(r'(FROM|JOIN) "?recommendations_slate\b', query["sql"])) for query in asked]
    assert read == [1, 1, 1, 0]  # the first one counts


def because(product: Product, *named: Product, rank: int = 1) -> Contract:
    units = [reason(evidence(one), delta=1.0 - place / 10) for place, one in enumerate(named)]
    return contract(product, rank=rank, reasons=tuple(units))


def page(admin: Client, run: Run) -> Any:
    return admin.get(reverse("admin:explanations_promotion", args=[run.pk]))


def test_only_lists_that_both_runs_have_are_compared(products: list[Product], runs: tuple[Run, Run]) -> None:
    live, ready = runs
    shared, only_live, only_ready = ShopperFactory(), ShopperFactory(), ShopperFactory()
    a, b, c, d, e, f = products
    explained_slate(
        run=live, shopper=shared, contracts=[because(a, d), because(b, e), contract(c, cause=Cause.POPULAR)]
    )
    explained_slate(run=live, shopper=only_live, contracts=[because(a, d)])
    explained_slate(run=ready, shopper=shared, contracts=[because(a, d, f), because(b, f, e), because(f, e)])
    explained_slate(run=ready, shopper=only_ready, contracts=[because(a, d)])

    found = compare(live, ready)

    assert found.before["home"].causes == {"history": 2, "popular": 1}
    assert found.after["home"].causes == {"history": 3}
    assert (found.before["home"].verified, found.after["home"].verified) == (2 / 3, 1.0)
    # a stays for the same first reason, b for another one, c is gone.
    assert found.changes == {"home": Change(slates=1, shoppers=1, same_history=1, listed=3, kept=2, otherwise=1)}
    (changed,) = found.products
    assert found.reasons == found.products
    assert (changed.shopper_id, changed.listed, changed.kept, changed.otherwise) == (shared.pk, 3, 2, 1)


def test_what_is_withheld_counts_for_no_cause(products: list[Product], runs: tuple[Run, Run]) -> None:
    shopper = ShopperFactory()
    withheld = contract(products[0], cause=Cause.POPULAR, status=Status.WITHHELD)
    for run in runs:
        explained_slate(run=run, shopper=shopper, contracts=[withheld, contract(products[1], cause=Cause.POPULAR)])

    assert compare(*runs).after["home"].causes == {"withheld": 1, "popular": 1}


def test_the_first_reason_is_the_strongest_and_another_cause_is_a_change(
    products: list[Product], runs: tuple[Run, Run]
) -> None:
    live, ready = runs
    a, b, c, d, *_ = products
    shopper = ShopperFactory()
    weak, strong = reason(evidence(c), delta=0.2), reason(evidence(d), delta=0.9)
    explained_slate(
        run=live,
        shopper=shopper,
        contracts=[contract(a, reasons=(weak, strong)), contract(b, cause=Cause.POPULAR)],
    )
    explained_slate(
        run=ready,
        shopper=shopper,
        contracts=[contract(a, reasons=(strong, weak)), contract(b, cause=Cause.NEW)],
    )

    found = compare(live, ready)

    assert found.changes["home"].otherwise == 1  # b


def test_what_changed_most_comes_first_and_products_are_compared_by_placement(
    products: list[Product], runs: tuple[Run, Run]
) -> None:
    live, ready = runs
    a, b, c, d, *_ = products
    little, much, same = ShopperFactory(), ShopperFactory(), ShopperFactory()
    for shopper, before, after in (
        (little, [because(a, d), because(b, d)], [because(a, c), because(b, d)]),
        (much, [because(a, d), because(b, d)], [because(c, d)]),
        (same, [because(a, d)], [because(a, d)]),
    ):
        explained_slate(run=live, shopper=shopper, contracts=before)
        explained_slate(run=ready, shopper=shopper, contracts=after)
    for run in runs:
        explained_slate(run=run, placement=Placement.PRODUCT, context_product=d, contracts=[because(a, d)])

    found = compare(live, ready)

    assert [(row.shopper_id, row.kept) for row in found.products] == [(much.pk, 0)]
    assert [(row.shopper_id, row.otherwise) for row in found.reasons] == [(little.pk, 1)]
    assert found.changes["product"] == Change(slates=1, shoppers=0, same_history=1, listed=1, kept=1, otherwise=0)


def test_of_many_lists_the_same_sample_is_taken_from_both(
    products: list[Product], runs: tuple[Run, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explanations.comparison.MOST_SLATES", 10)
    a, b, *_ = products
    for _ in range(40):
        shopper = ShopperFactory()
        for run in runs:
            explained_slate(run=run, shopper=shopper, contracts=[because(a, b)])

    found = compare(*runs)

    assert found.every == 5  # 41 lists, that for everybody among them
    assert 1 <= found.changes["home"].slates <= 25
    assert found == compare(*runs)


def _shared(products: list[Product], runs: tuple[Run, Run]) -> Shopper:
    live, ready = runs
    a, b, c, *_ = products
    shopper = ShopperFactory(external_id="<b>grace</b>")
    before = explained_slate(run=live, shopper=shopper, contracts=[because(a, c), because(b, c)])
    after = explained_slate(run=ready, shopper=shopper, contracts=[because(a, b), contract(b, cause=Cause.POPULAR)])
    assert before.pk != after.pk
    return shopper


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_page_says_what_would_change_and_leads_to_each_list(
    products: list[Product], runs: tuple[Run, Run], admin: Client, language: str
) -> None:
    live, ready = runs
    shopper = _shared(products, runs)
    for run in runs:
        VersionCheck.objects.create(version=run.version, placebo_floor=0.01, measures=MEASURES | {"verified": 0.9})
    admin.cookies["django_language"] = language

    response = page(admin, ready)

    html = response.content.decode()
    before, after = live.slates.get(shopper=shopper), ready.slates.get(shopper=shopper)
    for url in (
        reverse("admin:explanations_inspector") + f"?slate={before.pk}",
        reverse("admin:explanations_inspector") + f"?slate={after.pk}",
        reverse("admin:explanations_versions", args=[before.pk]) + f"?version={ready.version_id}",
        reverse("admin:recommendations_run_publish", args=[ready.pk]),
    ):
        assert url in html
        assert admin.get(url).status_code in {200, 302}
    assert html.count('<svg class="chart"') == 1
    assert " style=" not in html
    assert "<b>grace" not in html
    assert [figure.value for figure in response.context["figures"]] == ["1", "100 %", "100 %", "50 %"]
    (table,) = response.context["mix_tables"]
    assert [row[1:] for row in table.rows] == [
        ("2", "100 %", "1", "50 %", "−50"),
        ("0", "0 %", "1", "50 %", "+50"),
        ("2", "100 %", "1", "50 %", "−50"),
    ]


def test_both_versions_are_measured_side_by_side(products: list[Product], runs: tuple[Run, Run], admin: Client) -> None:
    live, ready = runs
    _shared(products, runs)
    VersionCheck.objects.create(version=live.version, placebo_floor=0.01, measures=MEASURES | {"verified": 0.9})
    again = {  # on the shoppers that the new version is measured on
        "version": live.version_id,
        "verified": 0.8,
        "ours_del@3": 0.66,
        "advantage_del@3": 0.21,
        "beside": {"ours_del@3": 0.71, "advantage_del@3": 0.17},  # of these, whom the live one knows too
    }
    measures = MEASURES | {"verified": 0.85, "ours_del@3": 0.7, "live": again}
    VersionCheck.objects.create(version=ready.version, placebo_floor=0.01, measures=measures)
    for version, ndcg, error in ((live.version, 0.05, 0.01), (ready.version, 0.06, 0.02)):
        version.metrics = {"new": {"shoppers": 9, "transformer": {"ndcg@10": ndcg}}}
        version.calibration = {"home": {"ece": error}}
        version.save()

    context = page(admin, ready).context

    (checks,) = context["check_tables"]
    rows = {row[0]: row[1:] for row in checks.rows}
    assert rows["verified reasons, of the first ten"] == ("0.8000", "0.8500", "+0.0500 (better)")
    assert rows["DEL@3 of our reasons (lower is better)"] == ("0.6600", "0.7100", "+0.0500")
    ahead = "DEL@3: how far our reasons are ahead of the latest things, 0 to 1"
    assert rows[ahead] == ("0.2100", "0.1700", "−0.0400 (worse)")
    assert rows["same reasons with one more thing"] == ("—", "—", "")
    new, calibration = context["metric_tables"]
    assert new.rows == (("NDCG@10", "0.0500", "0.0600", "+0.0100 (better)"),)
    assert calibration.rows == (("New for you", "0.0100", "0.0200", "+0.0100 (worse)"),)


def test_without_a_live_run_there_is_nothing_to_compare_with(products: list[Product], admin: Client) -> None:
    ready = RunFactory(state=Run.State.READY)
    explained_slate(run=ready, shopper=ShopperFactory(), contracts=[because(*products[:2])])

    html = page(admin, ready).content.decode()

    assert "Nothing is live now, so there is nothing to compare with." in html
    assert '<button type="submit" class="button">Publish</button>' in html


def test_runs_without_a_shopper_in_common_say_so(products: list[Product], runs: tuple[Run, Run], admin: Client) -> None:
    for run in runs:
        explained_slate(run=run, shopper=ShopperFactory(), contracts=[because(*products[:2])])

    nothing = page(admin, runs[1])
    for run in runs:
        explained_slate(
            run=run, placement=Placement.PRODUCT, context_product=products[2], contracts=[because(*products[:2])]
        )
    beside = page(admin, runs[1])

    assert "have no shopper and no product in common" in nothing.content.decode()
    assert nothing.context["figures"] == []
    assert "have no shopper in common: only the lists beside products" in beside.content.decode()
    assert [row[0] for row in beside.context["change_tables"][0].rows] == ["Similar to what you are viewing"]


def test_what_cannot_be_published_has_no_button(runs: tuple[Run, Run], admin: Client) -> None:
    pages = [
        page(admin, run).content.decode()
        for run in (runs[0], RunFactory(state=Run.State.COMPUTING), RunFactory(state=Run.State.FAILED))
    ]

    assert ["Publish</button>" in html for html in pages] == [False, False, False]
    assert ["This run is live." in html for html in pages] == [True, False, False]
    assert all("Back to the run" in html for html in pages)


def test_what_speaks_against_publishing_is_said_before_the_button(
    products: list[Product], runs: tuple[Run, Run], admin: Client
) -> None:
    live, ready = runs
    _shared(products, runs)
    Audit.objects.create(run=live, created_at=NOON, slates=5, moved_on=0, checks={"polarity": [9, 2]}, is_passed=False)
    gate = [{"code": "verified_share", "passed": False, "value": 0.4, "bound": 0.5}]
    VersionCheck.objects.create(version=ready.version, placebo_floor=0.1, measures={"gate": gate})

    alerts = [alert.text for alert in page(admin, ready).context["alerts"]]

    remedy = "Look at it in the admin and acknowledge it."
    assert alerts == [
        f"The audit of run {live.pk} on 2011-12-01 12:00 failed (polarity 2/9). {remedy}",
        str(SENTENCES["verified_share"]) % {"value": 0.4, "bound": 0.5},
    ]


def test_the_page_is_for_those_who_see_runs_and_its_button_for_those_who_publish(
    products: list[Product], runs: tuple[Run, Run]
) -> None:
    _shared(products, runs)
    url = reverse("admin:explanations_promotion", args=[runs[1].pk])

    def seen(*codes: str) -> Any:
        user = StaffFactory(is_superuser=False)
        user.user_permissions.set(Permission.objects.filter(codename__in=codes))
        client = Client()
        client.force_login(user)
        return client.get(url)

    assert seen("view_explanation").status_code == 403
    viewed, published = seen("view_run").content.decode(), seen("publish_run").content.decode()
    assert ("Publish</button>" in viewed, "Publish</button>" in published) == (False, True)
    assert "You may not publish runs." in viewed


def test_publishing_from_the_page_makes_the_run_live(
    products: list[Product], runs: tuple[Run, Run], admin: Client
) -> None:
    ready = runs[1]
    _shared(products, runs)

    admin.post(reverse("admin:recommendations_run_publish", args=[ready.pk]))

    assert Run.objects.live().get() == ready


def test_the_page_costs_few_queries(
    products: list[Product], runs: tuple[Run, Run], admin: Client, django_assert_max_num_queries: Any
) -> None:
    _shared(products, runs)
    page(admin, runs[1])

    with django_assert_max_num_queries(20):
        page(admin, runs[1])
