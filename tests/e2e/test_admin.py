"""The admin in a browser: nothing breaks the policy, and progress shows itself."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import CrontabSchedule, PeriodicTask
from playwright.sync_api import Page, expect

from recommendations.foreign import import_version
from recommendations.models import Run, Shard
from tests import factories, worlds
from tests.recommendations.situations import version_file


@pytest.fixture
def shop(transactional_db: None) -> worlds.Shop:
    return worlds.live_shop()


@pytest.fixture
def signed_in(page: Page, live_server: Any, transactional_db: None) -> Page:
    """A page of somebody who may do everything."""
    client = Client()
    client.force_login(factories.StaffFactory())
    page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    return page


@pytest.fixture
def staff_page(signed_in: Page) -> Iterator[Page]:
    """The same, and it must end without a complaint in the console."""
    complaints: list[str] = []
    signed_in.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    signed_in.on("pageerror", lambda error: complaints.append(str(error)))
    yield signed_in
    assert complaints == []


def test_no_page_of_the_admin_breaks_the_policy(shop: worlds.Shop, staff_page: Page, live_server: Any) -> None:
    slate = shop.run.slates.filter(shopper=shop.shopper).order_by("pk")[0]
    pages = [
        reverse("admin:index"),
        reverse("admin:recommendations_modelversion_retrain"),
        reverse("admin:recommendations_modelversion_upload"),
        reverse("admin:recommendations_modelversion_change", args=[shop.run.version_id]),
        reverse("admin:recommendations_run_change", args=[shop.run.pk]),
        reverse("admin:catalog_import_upload"),
        reverse("admin:explanations_inspector") + f"?shopper={shop.shopper.pk}",
        reverse("admin:explanations_inspected", args=[slate.pk, 1]),
        reverse("admin:catalog_shopper_change", args=[shop.shopper.pk]),  # with autocompletes
        reverse("admin:catalog_partnerkey_add"),  # with calendar and clock
        *[
            reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
            for model in admin.site._registry
        ],
    ]
    for url in pages:
        staff_page.goto(live_server.url + url)
        assert staff_page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), url


@pytest.mark.parametrize(
    ("width", "scheme", "language"),
    [(768, "light", "zh-hans"), (1440, "dark", "en")],
    ids=["tablet-light-zh", "desk-dark-en"],
)
def test_our_pages_of_the_admin_are_for_everybody(
    shop: worlds.Shop, signed_in: Page, live_server: Any, width: int, scheme: Any, language: str
) -> None:
    """axe finds nothing in what we drew (the change lists are the framework's), nothing sticks out."""
    for number in (1, 2, 3):
        factories.TrainingEpochFactory(version=shop.run.version, number=number)
    rejection = factories.ImportRejectionFactory()
    foreign = import_version(file=version_file(), name="teas.safetensors", by=None, at=factories.NOON)
    slate = shop.run.slates.filter(shopper=shop.shopper, placement="home").get()
    assert shop.run.version.snapshot is not None
    pages = {
        "index": reverse("admin:index"),
        "retrain": reverse("admin:recommendations_modelversion_retrain"),
        "begin with": reverse("admin:recommendations_modelversion_upload"),
        "foreign": reverse("admin:recommendations_modelversion_change", args=[foreign.pk]),
        "version": reverse("admin:recommendations_modelversion_change", args=[shop.run.version_id]),
        "run": reverse("admin:recommendations_run_change", args=[shop.run.pk]),
        "upload": reverse("admin:catalog_import_upload"),
        "inspector": reverse("admin:explanations_inspector") + f"?shopper={shop.shopper.pk}",
        "inspected": reverse("admin:explanations_inspected", args=[slate.pk, 1]),
        "quality": reverse("admin:catalog_qualityreport_change", args=[shop.run.version.snapshot.report_id]),
        "import": reverse("admin:catalog_import_change", args=[rejection.source_id]),
    }
    signed_in.context.add_cookies([{"name": "django_language", "value": language, "url": live_server.url}])
    signed_in.set_viewport_size({"width": width, "height": 900})
    signed_in.emulate_media(color_scheme=scheme)
    found: dict[str, list[str]] = {}

    for name, url in pages.items():
        signed_in.goto(live_server.url + url)
        violations = Axe().run(signed_in).response["violations"]
        found[name] = [f"{each['id']}: {node['html'][:140]}" for each in violations for node in each["nodes"]]
        assert signed_in.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), url

    assert {name: each for name, each in found.items() if each} == {}


def test_progress_moves_without_a_reload_and_stops_at_the_end(
    shop: worlds.Shop, staff_page: Page, live_server: Any
) -> None:
    run = factories.RunFactory(state=Run.State.COMPUTING, ready_at=None)
    for number in range(4):
        factories.ShardFactory(run=run, number=number)
    staff_page.goto(live_server.url + reverse("admin:recommendations_run_change", args=[run.pk]))
    staff_page.evaluate("window.isSamePage = true")
    expect(staff_page.locator("progress")).to_have_attribute("value", "0")

    Shard.objects.filter(run=run, number__lt=3).update(state=Shard.State.DONE, slates=100)

    expect(staff_page.locator("progress")).to_have_attribute("value", "3")
    Run.objects.filter(pk=run.pk).update(state=Run.State.FAILED, error="Shard 3 was tried 5 times")
    expect(staff_page.locator("pre.error")).to_have_text("Shard 3 was tried 5 times")
    expect(staff_page.locator("#live[data-refresh]")).to_have_count(0)
    assert staff_page.evaluate("window.isSamePage")


def test_a_schedule_says_its_crontab_in_words(staff_page: Page, live_server: Any) -> None:
    crontab = CrontabSchedule.objects.create(minute="0", hour="3")
    task = PeriodicTask.objects.create(name="nightly", task="config.tasks.nightly", crontab=crontab)

    staff_page.goto(live_server.url + reverse("admin:django_celery_beat_periodictask_change", args=[task.pk]))

    expect(staff_page.locator(".field-crontab")).to_contain_text("03:00")


def test_a_shopper_is_chosen_by_autocomplete(shop: worlds.Shop, staff_page: Page, live_server: Any) -> None:
    staff_page.goto(live_server.url + reverse("admin:catalog_partnerkey_add"))
    staff_page.locator(".field-partner .select2-selection").click()
    staff_page.locator(".select2-search__field").fill("sho")

    expect(staff_page.locator(".select2-results__option").first).to_have_text("Shop")
