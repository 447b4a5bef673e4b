"""The admin's first page: figures that link to what they count, and what needs a hand."""

from datetime import timedelta

import pytest

from catalog.models import Import, User
from config import dashboard, diagnosis
from config.diagnosis import Finding, Level
from recommendations.foreign import import_version
from recommendations.models import ModelVersion
from tests import worlds
from tests.factories import NOON, ImportFactory, ModelVersionFactory, RunFactory, ShardFactory, StaffFactory
from tests.recommendations.situations import version_file


@pytest.fixture
def staff(db: None, monkeypatch: pytest.MonkeyPatch) -> User:
    def well(_at: object) -> Finding:
        return Finding(check="x", level=Level.OK, detail="")

    for check in ("live_run", "broker", "beat", "disk"):
        monkeypatch.setattr(diagnosis, check, well)
    return StaffFactory()


def test_figures_count_and_link(staff: User) -> None:
    shop = worlds.live_shop()

    found = {figure.name: figure for figure in dashboard.figures(user=staff, at=NOON + timedelta(days=2))}

    run, products = found["Live run"], found["Products"]
    assert (run.value, run.note) == (f"{shop.run.pk} · {shop.run.version}", "published 2\xa0days ago")
    assert run.url == f"/admin/recommendations/run/{shop.run.pk}/change/"
    assert (products.value, products.url) == ("20", "/admin/catalog/product/")
    assert found["Last training"].value == "passed the gate"
    assert "NDCG@10 0.0800" in found["Last training"].note


def test_an_empty_shop_says_so(staff: User) -> None:
    found = {figure.name: figure.value for figure in dashboard.figures(user=staff, at=NOON)}

    assert found == {
        "Live run": "none", "Shoppers": "0", "Products": "0", "Interactions": "0", "Last training": "none"
    }  # fmt: skip
    assert dashboard.alerts(user=staff, at=NOON) == []


def test_alerts_name_what_failed_worst_first(staff: User) -> None:
    ready = RunFactory()
    ModelVersionFactory(state="failed", weights="", weights_checksum="", error="OutOfMemoryError")
    shard = ShardFactory(error="worker died")
    failed = ImportFactory(state=Import.State.FAILED, error="no column title")
    at = failed.started_at + timedelta(hours=1)

    found = dashboard.alerts(user=staff, at=at)

    texts = [alert.text for alert in found]
    assert [alert.kind for alert in found] == sorted((alert.kind for alert in found), key=lambda kind: kind != "alarm")
    assert f"Run {ready.pk} is ready and waits to be published." in texts
    assert f"Import {failed} failed." in texts
    assert "1 shard is in trouble." in texts
    assert {alert.mend for alert in found} >= {"no column title"}
    assert shard.run.pk != ready.pk


def test_what_came_from_another_shop_is_no_training_and_hides_none_that_failed(staff: User) -> None:
    failed = ModelVersionFactory(state="failed", weights="", weights_checksum="", error="OutOfMemoryError")
    import_version(file=version_file(), name="teas.safetensors", by=staff, at=NOON)

    last = {figure.name: figure for figure in dashboard.figures(user=staff, at=NOON)}["Last training"]

    assert (last.value, str(failed) in last.note) == ("failed", True)
    assert [alert.mend for alert in dashboard.alerts(user=staff, at=NOON)] == ["OutOfMemoryError"]


def test_a_training_that_no_worker_takes_is_an_alert(staff: User) -> None:
    version = ModelVersionFactory(
        state=ModelVersion.State.QUEUED, weights="", weights_checksum="", snapshot=None, finished_at=None
    )

    soon = dashboard.alerts(user=staff, at=version.created_at + timedelta(minutes=5))
    later = dashboard.alerts(user=staff, at=version.created_at + timedelta(minutes=15))

    assert soon == []
    assert [alert.text for alert in later] == ["1 training waits for a worker."]


def test_what_the_doctor_finds_is_an_alert_with_its_remedy(staff: User, monkeypatch: pytest.MonkeyPatch) -> None:
    sick = Finding(check="beat", level=Level.ERROR, detail="no sign of life", remedy="celery -A config beat")
    monkeypatch.setattr(diagnosis, "beat", lambda _at: sick)

    (alert,) = dashboard.alerts(user=staff, at=NOON)

    assert (alert.kind, alert.text, alert.mend) == ("alarm", "beat: no sign of life", "celery -A config beat")
