"""What the dashboard of explanations says of audits, of the gate and of rewritings."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from catalog.admin_cards import Alert
from explanations import alerts, dashboard
from explanations.models import Audit, Rewriting, VersionCheck
from explanations.rewriting.checker import Rejection
from tests.explanations.test_dashboard import MEASURES, SUMMARY
from tests.factories import NOON, ModelVersionFactory, StaffFactory
from tests.worlds import Shop, live_shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Shop:
    """A live run of which everything is in order."""
    shop = live_shop()
    shop.run.summary = SUMMARY
    shop.run.save()
    VersionCheck.objects.create(version=shop.run.version, placebo_floor=0.0123, measures=MEASURES)
    return shop


def audit(shop: Shop, *, at: datetime = NOON, **fields: Any) -> Audit:
    failed = {"checks": {"polarity": [310, 2], "rank": [2400, 0]}, "is_passed": False}
    return Audit.objects.create(**{"run": shop.run, "created_at": at, "slates": 146, "moved_on": 3} | failed | fields)


def said(at: datetime = NOON) -> list[Alert]:
    found: list[Alert] = dashboard.contents(at=at)["alerts"]
    return found


def test_a_failed_audit_is_said_with_its_time_and_its_checks_and_leads_to_it(shop: Shop) -> None:
    failed = audit(shop)

    (alert,) = said()

    assert alert.text == "The audit of 2011-12-01 12:00 failed: polarity 2/310."
    assert alert.mend == "Publishing waits until somebody has looked at it and acknowledged it."
    assert (alert.url, alert.kind) == (reverse("admin:explanations_audit_change", args=[failed.pk]), "alarm")


def test_an_acknowledged_failure_is_no_alarm_and_is_forgotten_after_a_week(shop: Shop) -> None:
    staff = StaffFactory(username="grace")
    audit(shop, acknowledged_at=NOON, acknowledged_by=staff)
    week = NOON + timedelta(days=7, hours=1)
    audit(shop, at=week, is_passed=True, checks={})

    (alert,) = said()

    assert (alert.mend, alert.kind) == ("Acknowledged by grace.", "warning")
    assert said(week) == []


@pytest.mark.parametrize(
    ("hours", "audited", "text"),
    [
        (47, None, None),
        (49, None, "The live run was never audited."),
        (49, 12, None),
        (72, 12, "The live run was last audited on 2011-12-02 00:00."),
    ],
)
def test_a_live_run_that_nobody_audits_for_two_days_is_an_alarm(
    shop: Shop, hours: int, audited: int | None, text: str | None
) -> None:
    if audited is not None:
        audit(shop, at=NOON + timedelta(hours=audited), is_passed=True, checks={})

    found = said(NOON + timedelta(hours=hours))

    assert [(alert.text, alert.kind) for alert in found] == ([] if text is None else [(text, "alarm")])


def test_what_the_gate_refused_after_the_live_version_is_said(shop: Shop) -> None:
    gate = [
        {"code": "verified_share", "passed": False, "value": 0.41, "bound": 0.5},
        {"code": "polarity_violations", "passed": True, "value": 0, "bound": 0},
    ]
    later = ModelVersionFactory()
    check = VersionCheck.objects.create(version=later, placebo_floor=0.1, measures=MEASURES | {"gate": gate})

    (alert,) = said()

    assert alert.text == (
        f"Explanations of {later} did not pass their gate. Only 0.41 of the first recommendations have a verified"
        " reason; at least 0.5 must. Train on longer histories, or with more of them masked."
    )
    assert alert.url == reverse("admin:explanations_versioncheck_change", args=[check.pk])


def rewritten(number: int, *rejected: Rejection, at: datetime = NOON) -> None:
    for position in range(number):
        rejection = rejected[position] if position < len(rejected) else None
        Rewriting.objects.create(
            contract_hash=f"{Rewriting.objects.count()}",
            language="en",
            source="Because you bought [title]",
            text="" if rejection else "Because of [title]",
            rejection=rejection or "",
            created_at=at,
        )


def test_rewritings_are_counted_by_cause_and_mostly_refused_ones_are_said(shop: Shop) -> None:
    rewritten(25, *[Rejection.NUMBER] * 4, *[Rejection.SUPERLATIVE] * 9)
    rewritten(30, *[Rejection.SLOW] * 30, at=NOON - timedelta(days=8))  # long ago

    contents = dashboard.contents(at=NOON)

    (alert,) = contents["alerts"]
    assert alert.text == "13 of 25 rewritings of the last seven days were not used, most for: praise."
    assert alert.url.endswith("?rejection=superlative")
    (chart,) = [chart for pair in contents["charts"] for chart in pair if "Rewritings" in chart.title]
    assert "praise: 9; a number of its own: 4" in str(chart.drawing)
    assert chart.caption.endswith("Of 25 lines that a language model reworded in the last seven days, 12 are used.")


def test_few_refusals_and_rewriting_that_is_off_are_no_alert(shop: Shop) -> None:
    off = dashboard.contents(at=NOON)
    rewritten(25, *[Rejection.NUMBER] * 4)
    few = said()

    assert not any("Rewritings" in chart.title for pair in off["charts"] for chart in pair)
    assert off["alerts"] == few == []


def test_every_cause_of_a_rejection_has_words() -> None:
    assert [code for code in Rejection if not alerts.cause_of(code)] == []
    assert len({alerts.cause_of(code) for code in Rejection}) == len(Rejection)


def test_every_alert_leads_to_a_page(shop: Shop, client: Client) -> None:
    audit(shop)
    rewritten(25, *[Rejection.NUMBER] * 24)
    client.force_login(StaffFactory())

    found = said(NOON + timedelta(days=3))

    assert len(found) == 3
    assert [client.get(alert.url).status_code for alert in found] == [200, 200, 200]
