"""Training, precomputing, publishing and rolling back from the admin: asked first, done by the services, logged."""

import html
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from catalog.models import User
from recommendations.models import ModelVersion, Run, Shard
from recommendations.training_form import TrainingForm
from tests import worlds
from tests.factories import (
    NOON,
    ModelVersionFactory,
    ProductFactory,
    RunFactory,
    ShardFactory,
    ShopperFactory,
    StaffFactory,
    TrainingEpochFactory,
)
from tests.recommendations.situations import version_file


@pytest.fixture
def staff(db: None) -> User:
    return StaffFactory()


@pytest.fixture
def admin(client: Client, staff: User) -> Client:
    client.force_login(staff)
    return client


def client_with(*codes: str) -> Client:
    """Staff with these permissions and no other."""
    user = StaffFactory(is_superuser=False)
    user.user_permissions.set(Permission.objects.filter(codename__in=codes))
    client = Client()
    client.force_login(user)
    return client


def said(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def training_choices(**changes: Any) -> dict[str, Any]:
    form = TrainingForm()
    initial = {name: field.initial for name, field in form.fields.items() if field.initial is not None}
    return initial | {"seed": 7} | changes


def explained_run(**fields: Any) -> Run:
    run = RunFactory(**fields)
    worlds.explained_slate(run=run, contracts=[worlds.contract(ProductFactory())])
    return run


def test_a_training_is_requested_with_the_chosen_configuration(admin: Client, staff: User) -> None:
    url = reverse("admin:recommendations_modelversion_retrain")

    response = admin.post(url, training_choices(size="base", epochs=5, blocks=3, uses_times="false"))

    version = ModelVersion.objects.get()
    assert response["Location"] == reverse("admin:recommendations_modelversion_change", args=[version.pk])
    assert version.state == ModelVersion.State.QUEUED
    assert version.created_by == staff
    assert version.seed == 7
    assert version.config["size"] == "base"
    assert version.config["model"] == {"blocks": 3, "uses_times": False}
    assert version.config["training"]["epochs"] == 5
    assert not version.is_publish_wanted
    assert said(response) == [f"Training v{version.pk} is queued."]
    assert LogEntry.objects.get().object_id == str(version.pk)


def test_an_impossible_configuration_is_refused_with_the_reason(admin: Client) -> None:
    url = reverse("admin:recommendations_modelversion_retrain")

    response = admin.post(url, training_choices(width=65, heads=2))

    assert response.status_code == 200
    assert "width 65 cannot be divided among 2 heads" in response.content.decode()
    assert not ModelVersion.objects.exists()


def test_the_form_begins_with_the_choices_of_an_earlier_version(admin: Client) -> None:
    config = {"size": "base", "model": {"blocks": 3, "uses_times": False}, "training": {"epochs": 9}}
    earlier = ModelVersionFactory(config=config)

    form = admin.get(reverse("admin:recommendations_modelversion_retrain") + f"?from={earlier.pk}").context["form"]

    assert [form[name].value() for name in ("size", "blocks", "uses_times", "epochs", "patience")] == [
        "base",
        3,
        "false",
        9,
        form.fields["patience"].initial,
    ]


def uploaded(content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("teas.safetensors", content)


def test_another_shops_version_is_uploaded_and_a_training_begins_with_it(admin: Client, staff: User) -> None:
    upload = reverse("admin:recommendations_modelversion_upload")

    response = admin.post(upload, {"file": uploaded(version_file().getvalue())})

    theirs = ModelVersion.objects.get()
    page = reverse("admin:recommendations_modelversion_change", args=[theirs.pk])
    assert (response["Location"], theirs.state, theirs.created_by) == (page, "foreign", staff)
    assert said(response) == [f"v{theirs.pk} is there to begin trainings with."]
    shown = admin.get(page).content.decode()
    assert "Only trainings begin with it; it is never shown to shoppers." in shown
    assert "Teas" in shown
    assert "/precompute/" not in shown

    retrain = reverse("admin:recommendations_modelversion_retrain")
    form = admin.get(f"{retrain}?from={theirs.pk}").context["form"]
    assert (form["started_from"].value(), form["width"].value()) == (theirs.pk, 8)
    chosen = {"started_from": theirs.pk, "shares_product_ids": "on"}
    refused = admin.post(retrain, training_choices(**chosen))
    assert f"A model with width 64 cannot begin with {theirs}, which has width 8." in html.unescape(
        refused.content.decode()
    )
    assert not ModelVersion.objects.own().exists()
    admin.post(retrain, training_choices(**chosen, width=8))

    version = ModelVersion.objects.own().get()
    assert (version.started_from, version.shares_product_ids) == (theirs, True)
    shown = admin.get(reverse("admin:recommendations_modelversion_change", args=[version.pk])).content.decode()
    assert f"It began with the weights of {theirs}. Equal product ids were taken for the same product." in shown


def test_what_a_training_may_begin_with_stays_on_offer_however_many_came_since(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin.post(reverse("admin:recommendations_modelversion_upload"), {"file": uploaded(version_file().getvalue())})
    theirs, earlier = ModelVersion.objects.get(), ModelVersionFactory()
    monkeypatch.setattr("recommendations.training_form.OFFERED", 1)
    newest = ModelVersionFactory()
    retrain = reverse("admin:recommendations_modelversion_retrain")

    form = admin.get(retrain).context["form"]
    admin.post(retrain, training_choices(started_from=earlier.pk))

    assert list(form.fields["started_from"].queryset) == [newest, theirs]
    assert ModelVersion.objects.own().latest("pk").started_from == earlier


def test_an_upload_that_is_too_large_for_a_web_process_is_refused(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recommendations.admin.versions.LARGEST_UPLOAD", 10)

    response = admin.post(reverse("admin:recommendations_modelversion_upload"), {"file": uploaded(bytes(11))})

    said_of_it = "The file is larger than 10\xa0bytes. Remedy: take it in with manage.py import_version."
    assert said_of_it in html.unescape(response.content.decode())
    assert not ModelVersion.objects.exists()


def test_an_upload_that_is_no_version_is_refused_in_the_readers_language(admin: Client) -> None:
    upload = reverse("admin:recommendations_modelversion_upload")
    damaged = version_file().getvalue()[:-1] + b"?"

    for content, english, chinese in (
        (b"product,title", "This is no exported version.", "这不是导出的模型版本。"),
        (damaged, "The file is damaged: its contents", "文件已损坏："),
    ):
        assert english in admin.post(upload, {"file": uploaded(content)}).content.decode()
        response = admin.post(upload, {"file": uploaded(content)}, headers={"Accept-Language": "zh-hans"})
        assert chinese in response.content.decode()

    assert not ModelVersion.objects.exists()


def test_uploading_a_version_needs_the_permission_to_train(db: None) -> None:
    upload = reverse("admin:recommendations_modelversion_upload")

    response = client_with("view_modelversion").post(upload, {"file": uploaded(version_file().getvalue())})

    assert response.status_code == 403
    assert not ModelVersion.objects.exists()


def test_a_waiting_training_is_cancelled_after_a_question(admin: Client) -> None:
    version = ModelVersionFactory(state="queued", weights="", weights_checksum="", snapshot=None, finished_at=None)
    url = reverse("admin:recommendations_modelversion_cancel", args=[version.pk])

    asked = admin.get(url)
    version.refresh_from_db()
    assert (asked.status_code, version.cancel_requested_at) == (200, None)
    response = admin.post(url)

    version.refresh_from_db()
    assert version.state == ModelVersion.State.CANCELLED
    assert said(response) == [f"Cancelling v{version.pk}."]


def test_cancelling_what_has_ended_says_so(admin: Client) -> None:
    version = ModelVersionFactory()

    response = admin.post(reverse("admin:recommendations_modelversion_cancel", args=[version.pk]))

    assert said(response) == ["This training has ended or is being cancelled already."]
    assert not LogEntry.objects.exists()


def test_a_precomputation_starts_and_leads_to_its_progress(admin: Client, staff: User) -> None:
    version = ModelVersionFactory()
    ShopperFactory()

    response = admin.post(reverse("admin:recommendations_modelversion_precompute", args=[version.pk]))

    run = Run.objects.get()
    assert (run.version, run.created_by, run.state) == (version, staff, Run.State.COMPUTING)
    assert response["Location"] == reverse("admin:recommendations_run_change", args=[run.pk])
    page = admin.get(response["Location"]).content.decode()
    assert 'id="live" data-refresh="2"' in page
    assert "admin-progress.js" in page


def test_a_rejected_version_is_not_precomputed(admin: Client) -> None:
    version = ModelVersionFactory(state="rejected")

    response = admin.post(reverse("admin:recommendations_modelversion_precompute", args=[version.pk]))

    assert said(response) == ["Only a version that passed its gate can be precomputed."]
    assert not Run.objects.exists()


def test_publishing_asks_does_and_logs(admin: Client, staff: User) -> None:
    run = explained_run()
    url = reverse("admin:recommendations_run_publish", args=[run.pk])

    asked = admin.get(url)
    assert asked["Location"] == reverse("admin:explanations_promotion", args=[run.pk])  # with what it would change
    assert not Run.objects.live().exists()
    response = admin.post(url)

    run.refresh_from_db()
    assert (run.state, run.published_by) == (Run.State.LIVE, staff)
    assert said(response) == [f"Run {run.pk} is live."]
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.change_message) == (str(run.pk), f"Publish run {run.pk}")


def test_an_unexplained_run_is_not_published(admin: Client) -> None:
    run = RunFactory()

    response = admin.post(reverse("admin:recommendations_run_publish", args=[run.pk]))

    assert said(response)[0].startswith("This run cannot be published")
    assert not Run.objects.live().exists()
    assert not LogEntry.objects.exists()


def test_rolling_back_makes_the_run_before_live_again(admin: Client) -> None:
    old, new = explained_run(), explained_run()
    for run in (old, new):
        worlds.publish(run)

    response = admin.post(reverse("admin:recommendations_run_roll_back"))

    assert Run.objects.live().get() == old
    assert said(response) == [f"Run {old.pk} is live again."]


def test_rolling_back_without_an_earlier_run_says_so(admin: Client) -> None:
    worlds.publish(explained_run())

    response = admin.post(reverse("admin:recommendations_run_roll_back"))

    assert said(response) == ["There is no earlier run to go back to."]


def test_publishing_and_rolling_back_are_granted_by_name(db: None) -> None:
    old, new = explained_run(), explained_run()
    worlds.publish(old)
    publish, roll_back = (
        reverse("admin:recommendations_run_publish", args=[new.pk]),
        reverse("admin:recommendations_run_roll_back"),
    )
    everything_else = client_with("view_run", "add_run", "change_run", "delete_run", "add_modelversion")

    assert [everything_else.post(url).status_code for url in (publish, roll_back)] == [403, 403]
    assert Run.objects.live().get() == old
    assert client_with("publish_run").post(roll_back).status_code == 403
    assert client_with("view_run", "publish_run").post(publish).status_code == 302
    assert Run.objects.live().get() == new


def test_training_and_precomputing_need_their_permissions(db: None) -> None:
    version = ModelVersionFactory()
    viewer = client_with("view_modelversion", "view_run")
    train = reverse("admin:recommendations_modelversion_retrain")

    assert viewer.post(train, training_choices()).status_code == 403
    assert viewer.post(reverse("admin:recommendations_modelversion_precompute", args=[version.pk])).status_code == 403
    assert viewer.post(reverse("admin:recommendations_modelversion_cancel", args=[version.pk])).status_code == 403
    assert list(ModelVersion.objects.all()) == [version]
    assert not Run.objects.exists()
    page = viewer.get(reverse("admin:recommendations_modelversion_change", args=[version.pk])).content.decode()
    assert "/precompute/" not in page
    assert train not in page


def test_the_page_of_a_training_shows_epochs_as_they_end(admin: Client) -> None:
    version = ModelVersionFactory(
        state="training", weights="", weights_checksum="", finished_at=None, config={"training": {"epochs": 30}}
    )
    url = reverse("admin:recommendations_modelversion_change", args=[version.pk])
    before = admin.get(url)
    TrainingEpochFactory(version=version, number=1, loss=5.5, validation_ndcg=0.04, seconds=10)
    TrainingEpochFactory(version=version, number=2, loss=4.5, validation_ndcg=0.05, seconds=14)

    response = admin.get(url)

    assert before.context["epoch_charts"] == []
    assert len(response.context["epoch_charts"]) == 2
    progress = response.context["progress"]
    assert (progress.epochs, progress.most, progress.best, progress.seconds_per_epoch) == (2, 30, 0.05, 12.0)
    assert progress.left.total_seconds() == 28 * 12


def test_the_page_of_a_run_counts_shards_and_names_troubles(admin: Client) -> None:
    run = RunFactory(state="computing", ready_at=None)
    for number in range(4):
        ShardFactory(run=run, number=number, state="done", slates=100)
    ShardFactory(run=run, number=4, state=Shard.State.PENDING, error="OutOfMemoryError: 2 GiB")

    response = admin.get(reverse("admin:recommendations_run_change", args=[run.pk]))

    progress = response.context["progress"]
    assert (progress.done, progress.total, progress.slates, progress.failed) == (4, 5, 400, 0)
    assert "OutOfMemoryError: 2 GiB" in response.content.decode()


def test_an_ended_run_does_not_refresh_itself(admin: Client) -> None:
    run = RunFactory(summary={"causes": {"history": 75, "popular": 25}, "shoppers_per_second": 310.5})

    page = admin.get(reverse("admin:recommendations_run_change", args=[run.pk])).content.decode()

    assert "data-refresh" not in page
    assert "75 (75%)" in page
    assert "shoppers per second" in page


def test_what_jobs_write_cannot_be_edited_by_hand(admin: Client) -> None:
    run = RunFactory()
    url = reverse("admin:recommendations_run_change", args=[run.pk])

    assert admin.post(url, {"state": "live"}).status_code == 403
    assert admin.post(reverse("admin:recommendations_run_delete", args=[run.pk]), {"post": "yes"}).status_code == 403
    assert Run.objects.get().state == Run.State.READY
    assert Run.objects.get().as_of == NOON
