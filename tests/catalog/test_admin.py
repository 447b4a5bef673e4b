"""The catalogue's pages in the admin: what they change goes through the services, is counted and logged."""

from typing import Any

import pytest
from celery import current_app
from django.contrib.admin import site
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog.models import Category, Import, Interaction, PartnerKey, Product, Shopper
from catalog.tasks import run_import
from tests.factories import (
    SECRET,
    CategoryFactory,
    ImportFactory,
    ImportRejectionFactory,
    ImpressionFactory,
    InteractionFactory,
    PartnerFactory,
    PartnerKeyFactory,
    ProductFactory,
    QualityReportFactory,
    ShopperFactory,
)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Names and arguments of the tasks that were sent."""
    found: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, kwargs, **_options: found.append((name, dict(kwargs))))
    return found


def said(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def act(client: Client, model: type, action: str, *rows: Any) -> Any:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"  # type: ignore[attr-defined]
    return client.post(reverse(name), {"action": action, ACTION_CHECKBOX_NAME: [row.pk for row in rows]})


# --- partner keys


def test_issuing_a_key_shows_its_secret_once(admin: Client) -> None:
    partner = PartnerFactory(name="Tinsmith")
    choices = {"partner": partner.pk, "name": "web", "scopes": ["events:write"]}

    response = admin.post(reverse("admin:catalog_partnerkey_add"), choices)

    key = PartnerKey.objects.get()
    secret = response.context["secret"]
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    assert secret in response.content.decode()
    assert key.matches(secret)
    assert (key.partner, key.name, key.scopes) == (partner, "web", ["events:write"])
    assert secret not in str(LogEntry.objects.get().__dict__)
    assert said(response) == []
    shown_later = admin.get(reverse("admin:catalog_partnerkey_change", args=[key.pk])).content.decode()
    assert secret not in shown_later
    assert key.digest not in shown_later


def test_a_key_without_scopes_is_not_issued(admin: Client) -> None:
    response = admin.post(reverse("admin:catalog_partnerkey_add"), {"partner": PartnerFactory().pk, "name": "web"})

    assert response.status_code == 200
    assert "scopes" in response.context["adminform"].form.errors
    assert not PartnerKey.objects.exists()


def test_revoking_counts_the_keys_that_worked_until_now(admin: Client) -> None:
    working, revoked = PartnerKeyFactory(), PartnerKeyFactory(revoked_at=timezone.now())

    response = act(admin, PartnerKey, "revoke", working, revoked)

    assert said(response) == ["1 key revoked."]
    assert not PartnerKey.objects.usable(timezone.now()).exists()
    assert working.matches(SECRET)


def test_a_key_cannot_be_edited_or_deleted(admin: Client) -> None:
    key = PartnerKeyFactory(scopes=["events:write"])
    change = reverse("admin:catalog_partnerkey_change", args=[key.pk])

    assert admin.post(change, {"scopes": ["products:write"]}).status_code == 403
    assert admin.post(reverse("admin:catalog_partnerkey_delete", args=[key.pk]), {"post": "yes"}).status_code == 403
    key.refresh_from_db()
    assert key.scopes == ["events:write"]


# --- shoppers, groups, products


def test_switching_personalisation_off_marks_what_was_computed_as_stale(
    admin: Client, sent: list[tuple[str, dict[str, Any]]], django_capture_on_commit_callbacks: Any
) -> None:
    shopper = ShopperFactory()

    with django_capture_on_commit_callbacks(execute=True):
        admin.post(reverse("admin:catalog_shopper_change", args=[shopper.pk]), {"user": ""})

    shopper.refresh_from_db()
    assert not shopper.is_personalised
    assert shopper.changed_at is not None
    assert [arguments for _name, arguments in sent] == [{"shopper_ids": [shopper.pk]}]


def test_a_shopper_is_found_by_the_beginning_of_the_external_id(admin: Client) -> None:
    wanted = ShopperFactory(external_id="A-77")
    ShopperFactory(external_id="B-A-77")

    listed = admin.get(reverse("admin:catalog_shopper_changelist") + "?q=A-7").context["cl"]

    assert list(listed.result_list) == [wanted]


def test_marking_groups_as_sensitive_counts_those_that_changed(admin: Client) -> None:
    flagged, other = CategoryFactory(is_sensitive=True), CategoryFactory()

    response = act(admin, Category, "mark_sensitive", flagged, other)

    assert said(response) == ["1 group is never named now."]
    assert Category.objects.filter(is_sensitive=True).count() == 2
    assert LogEntry.objects.count() == 2


def test_the_effect_of_flagging_a_group_is_stated_with_what_lies_below_it(admin: Client) -> None:
    health = CategoryFactory(path="health")
    below = CategoryFactory(path="health/tests", parent=health)
    ProductFactory(category=health)
    ProductFactory.create_batch(2, category=below)
    CategoryFactory(path="healthy-food")

    page = admin.get(reverse("admin:catalog_category_change", args=[health.pk])).content.decode()

    assert "groups below: 1, products: 3" in page


def test_hiding_products_counts_those_that_were_shown(admin: Client) -> None:
    shown, hidden = ProductFactory(), ProductFactory(is_active=False)

    response = act(admin, Product, "deactivate", shown, hidden)

    assert said(response) == ["1 product is not shown any more."]
    assert not Product.objects.recommendable().exists()


def test_interactions_and_shoppers_are_never_deleted_by_hand(admin: Client) -> None:
    row = InteractionFactory()

    for model, pk in ((Interaction, row.pk), (Shopper, row.shopper_id), (Product, row.product_id)):
        name = f"admin:catalog_{model._meta.model_name}"
        assert admin.post(reverse(f"{name}_delete", args=[pk]), {"post": "yes"}).status_code == 403
    assert admin.post(reverse("admin:catalog_interaction_change", args=[row.pk]), {"quantity": 9}).status_code == 403
    assert Interaction.objects.get().quantity == 1


# --- imports


def test_an_uploaded_file_is_kept_and_imported_by_a_worker(
    admin: Client,
    sent: list[tuple[str, dict[str, Any]]],
    django_capture_on_commit_callbacks: Any,
    settings: Any,
    tmp_path: Any,
) -> None:
    settings.STORAGES = settings.STORAGES | {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}}
    }
    partner = PartnerFactory()
    file = SimpleUploadedFile("products.csv", b"external_id,title,price,currency\n1,Tin,2.50,GBP\n2,,1,GBP\n")
    given = {"kind": "products", "partner": partner.pk, "file": file, "time_zone": "Europe/London"}

    with django_capture_on_commit_callbacks(execute=True):
        response = admin.post(reverse("admin:catalog_import_upload"), given)

    source = Import.objects.get()
    assert response["Location"] == reverse("admin:catalog_import_change", args=[source.pk])
    assert (source.state, source.filename, source.partner) == (Import.State.STAGING, "products.csv", partner)
    assert sent == [("catalog.tasks.run_import", {"import_id": source.pk})]
    assert 'data-refresh="2"' in admin.get(response["Location"]).content.decode()

    run_import(import_id=source.pk)

    source.refresh_from_db()
    assert (source.state, source.rows_merged, source.rows_rejected) == (Import.State.FINISHED, 1, 1)
    page = admin.get(response["Location"]).content.decode()
    assert "data-refresh" not in page
    report = b"".join(admin.get(reverse("admin:catalog_import_rejected", args=[source.pk])).streaming_content)  # type: ignore[attr-defined]
    assert report.decode().splitlines()[0] == "row,field,value,problem,remedy"
    assert len(report.decode().splitlines()) == 2


def test_an_unknown_time_zone_is_refused_before_anything_is_kept(admin: Client) -> None:
    file = SimpleUploadedFile("products.csv", b"external_id,title\n1,Tin\n")
    given = {"kind": "products", "partner": PartnerFactory().pk, "file": file, "time_zone": "Mars/Olympus"}

    response = admin.post(reverse("admin:catalog_import_upload"), given)

    assert "is no time zone" in response.content.decode()
    assert not Import.objects.exists()


def test_a_stopped_import_is_resumed_and_a_finished_one_is_not(
    admin: Client, sent: list[tuple[str, dict[str, Any]]], django_capture_on_commit_callbacks: Any
) -> None:
    stopped = ImportFactory(state="merging", finished_at=None, error="worker died")
    finished = ImportFactory()

    with django_capture_on_commit_callbacks(execute=True):
        admin.post(reverse("admin:catalog_import_resume", args=[stopped.pk]))
        refused = admin.post(reverse("admin:catalog_import_resume", args=[finished.pk]))

    assert sent == [("catalog.tasks.run_import", {"import_id": stopped.pk})]
    assert Import.objects.get(pk=stopped.pk).error == ""
    assert "This import has ended." in said(refused)


def test_interactions_are_reverted_and_products_are_not(
    admin: Client, sent: list[tuple[str, dict[str, Any]]], django_capture_on_commit_callbacks: Any
) -> None:
    interactions, products = ImportFactory(), ImportFactory(kind=Import.Kind.PRODUCTS)

    with django_capture_on_commit_callbacks(execute=True):
        admin.post(reverse("admin:catalog_import_revert", args=[interactions.pk]))
        refused = admin.post(reverse("admin:catalog_import_revert", args=[products.pk]))

    assert sent == [("catalog.tasks.revert_import", {"import_id": interactions.pk})]
    assert any("earlier values of products are not kept" in text for text in said(refused))


def test_the_first_rejected_rows_are_shown_with_what_would_mend_them(admin: Client) -> None:
    rejection = ImportRejectionFactory()

    page = admin.get(reverse("admin:catalog_import_change", args=[rejection.source_id])).content.decode()

    assert rejection.value in page
    assert rejection.remedy in page


# --- data quality


def test_the_quality_report_names_every_rule_and_says_why_it_found_nothing(admin: Client) -> None:
    report = QualityReportFactory(
        rows_read=1000,
        rules=[
            {
                "code": "duplicate",
                "title": "Duplicates",
                "description": "The same line twice.",
                "is_left_out": True,
                "count": 60,
                "samples": [{"interaction": 12, "quantity": None}],
                "because": "",
            },
            {
                "code": "bulk_buyer",
                "title": "Bulk buyers",
                "description": "",
                "is_left_out": False,
                "count": 0,
                "samples": [],
                "because": "because nobody bought so much.",
            },
        ],
        bounds={"quantity": {"0": {"low": 0.5, "high": 12000.0}}, "price_edges": {"0": [1.0, 2.5]}},
    )

    response = admin.get(reverse("admin:catalog_qualityreport_change", args=[report.pk]))

    page = response.content.decode()
    duplicate, bulk = response.context["rules"]
    assert (duplicate["share"], duplicate["width"], duplicate["columns"]) == ("6.0 %", 6.0, ["interaction", "quantity"])
    assert duplicate["samples"] == [['<a href="/admin/catalog/interaction/?id__exact=12">12</a>', "—"]]
    assert (bulk["share"], bulk["width"], bulk["is_left_out"]) == ("", 0, False)
    assert "0, because nobody bought so much." in page
    assert "12,000" in page
    assert "1.00 · 2.50" in page


def test_what_was_shown_is_found_by_shopper_and_names_its_products(admin: Client) -> None:
    cup = ProductFactory(title="Blue cup")
    shown = ImpressionFactory(shopper=ShopperFactory(external_id="13085"), product_ids=[cup.pk, 10**9])
    ImpressionFactory()

    found = admin.get(reverse("admin:catalog_impression_changelist"), {"q": "13085"})
    page = admin.get(reverse("admin:catalog_impression_change", args=[shown.pk])).content.decode()

    assert list(found.context["cl"].result_list) == [shown]
    assert f'<a href="/admin/catalog/product/{cup.pk}/change/">Blue cup</a>, #1000000000' in page


def test_every_model_is_in_the_admin_and_can_be_searched() -> None:
    from django.apps import apps

    ours = [
        model
        for app in ("catalog", "recommendations", "explanations")
        for model in apps.get_app_config(app).get_models()
    ]

    assert [model for model in ours if model not in site._registry] == []
    assert [model for model in ours if not site._registry[model].search_fields] == []
