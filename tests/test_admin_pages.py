"""Every page of the admin renders, under the policy, within its budget of queries, for those who may see it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule

from catalog.models import Import
from tests import factories, worlds

SCRIPT = re.compile(r"<script\b([^>]*)>(.*?)</script>", re.DOTALL)
BUDGET = 40  # queries of the dearest page


@dataclass
class House:
    client: Client
    rows: dict[type[Model], Model]  # the newest of each model
    shop: worlds.Shop


@pytest.fixture
def house(client: Client, db: None) -> House:
    """Staff who may do everything, and one row or more of every model."""
    shop = worlds.live_shop()
    staff = factories.StaffFactory()
    client.force_login(staff)
    for factory in (
        factories.PartnerKeyFactory,
        factories.ImportRejectionFactory,
        factories.ImpressionFactory,
        factories.TrainingEpochFactory,
        factories.ArtifactChunkFactory,
        factories.ShardFactory,
    ):
        factory()
    Group.objects.create(name="shopkeepers")
    crontab = CrontabSchedule.objects.create(minute="0", hour="3")
    PeriodicTask.objects.create(name="nightly", task="config.tasks.nightly", crontab=crontab)
    IntervalSchedule.objects.create(every=1, period="hours")
    ClockedSchedule.objects.create(clocked_time=factories.NOON)
    SolarSchedule.objects.create(event="sunrise", latitude=1, longitude=1)
    rows = {}
    for model in admin.site._registry:
        row = model._default_manager.order_by("-pk").first()
        if row is not None:
            rows[model] = row
    return House(client=client, rows=rows, shop=shop)


def _names(model: type[Model]) -> str:
    return f"admin:{model._meta.app_label}_{model._meta.model_name}"


def _pages(house: House) -> Iterator[str]:
    yield reverse("admin:index")
    for model in admin.site._registry:
        yield reverse(f"{_names(model)}_changelist")
        if model in house.rows:
            yield reverse(f"{_names(model)}_change", args=[house.rows[model].pk])
            yield reverse(f"{_names(model)}_history", args=[house.rows[model].pk])
        yield reverse(f"{_names(model)}_add")


def assert_obeys_the_policy(response: Any, url: str) -> None:
    """No inline style, no inline script without the nonce, no handler attribute."""
    html = response.content.decode()
    policy = response["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert " style=" not in html, f"{url}: {html[html.index(' style=') - 80 :][:160]}"
    assert "<style" not in html, url
    assert not re.search(r"<[^>]+\son\w+=", html), url
    for attributes, body in SCRIPT.findall(html):
        is_data = 'type="application/json"' in attributes
        assert is_data or not body.strip(), f"{url}: inline script {body[:80]}"


def test_every_page_of_every_model_renders_under_the_policy(house: House) -> None:
    pages = list(_pages(house))
    for url in pages:
        with CaptureQueriesContext(connection) as queries:
            response = house.client.get(url)
        assert len(queries) <= BUDGET, f"{url}: {len(queries)} queries"
        is_closed = url.endswith("/add/") and response.status_code == 403  # what jobs write cannot be added
        assert is_closed or response.status_code == 200, f"{url}: {response.status_code}"
        assert_obeys_the_policy(response, url)
    assert len(pages) > 80


def test_more_rows_cost_no_more_queries(house: House) -> None:
    lists = [reverse(f"{_names(model)}_changelist") for model in house.rows]
    before = {url: _queries(house.client, url) for url in lists}

    for _ in range(3):
        factories.InteractionFactory(shopper__user=factories.UserFactory())
        factories.PartnerKeyFactory()
        factories.ImportRejectionFactory()
        factories.ImpressionFactory()
        factories.TrainingEpochFactory()
        factories.ShardFactory()
        factories.SlateFactory(run=house.shop.run, shopper=factories.ShopperFactory())
        factories.ExplanationFactory(slate__run=house.shop.run, slate__shopper=factories.ShopperFactory())
        factories.ExplanationFactory(slate__run=house.shop.run, slate__context_product=factories.ProductFactory())

    assert {url: _queries(house.client, url) for url in lists} == before


def _queries(client: Client, url: str) -> int:
    client.get(url)  # content types and the like are remembered afterwards
    with CaptureQueriesContext(connection) as queries:
        client.get(url)
    return len(queries)


def test_nobody_gets_in_without_signing_in(house: House) -> None:
    stranger = Client()

    for url in (*_pages(house), *_acts(house)):
        response = stranger.get(url)
        assert response.status_code == 302, url
        assert response["Location"].startswith("/admin/login/"), url


def test_staff_without_permissions_see_no_figures_and_no_rows(house: House) -> None:
    client = Client()
    client.force_login(factories.StaffFactory(is_superuser=False))

    index = client.get(reverse("admin:index"))
    assert index.status_code == 200
    assert index.context["figures"] == index.context["alerts"] == index.context["doings"] == []
    for url in (*_pages(house), *_acts(house)):
        if url != reverse("admin:index"):
            assert client.get(url).status_code == 403, url


def _acts(house: House) -> list[str]:
    """Pages of ours beside those of every model."""
    run, source = house.shop.run, house.rows[Import]
    slate = run.slates.order_by("pk").first()
    assert slate is not None
    return [
        reverse("admin:recommendations_modelversion_retrain"),
        reverse("admin:recommendations_modelversion_upload"),
        reverse("admin:recommendations_modelversion_cancel", args=[run.version_id]),
        reverse("admin:recommendations_modelversion_precompute", args=[run.version_id]),
        reverse("admin:explanations_promotion", args=[run.pk]),
        reverse("admin:recommendations_run_roll_back"),
        reverse("admin:catalog_import_upload"),
        reverse("admin:catalog_import_rejected", args=[source.pk]),
        reverse("admin:catalog_import_resume", args=[source.pk]),
        reverse("admin:catalog_import_revert", args=[source.pk]),
        reverse("admin:explanations_inspector"),
        reverse("admin:explanations_inspected", args=[slate.pk, 1]),
        reverse("admin:explanations_versions", args=[slate.pk]),
        reverse("admin:explanations_dashboard"),
    ]


def test_our_own_pages_render_under_the_policy(house: House) -> None:
    for url in _acts(house):
        response = house.client.get(url)
        assert response.status_code == 200, url
        if "html" in response["Content-Type"]:
            assert_obeys_the_policy(response, url)
