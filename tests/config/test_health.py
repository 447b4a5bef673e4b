from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from tests.worlds import live_shop, publish


def test_the_process_is_alive_without_asking_anybody(client: Client) -> None:
    response = client.get("/livez")

    assert (response.status_code, response.content) == (200, b"ok")


def test_ready_tells_the_age_of_what_is_shown(db: None, client: Client) -> None:
    run = publish(live_shop().run, at=timezone.now() - timedelta(minutes=5))

    response = client.get("/readyz")

    assert response.status_code == 200
    body = response.json()
    assert body["checks"] == {"database": "ok", "broker": "ok"}
    assert body["live_run"]["id"] == run.pk
    assert body["live_run"]["age_seconds"] == pytest.approx(300, abs=30)


def test_not_ready_without_the_broker(db: None, client: Client, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json() == {"ready": False, "checks": {"database": "ok", "broker": "error"}, "live_run": None}
