"""A model in memory and a question to it, in the same process."""

from collections.abc import Iterator
from typing import Any

import pytest
from celery import current_app
from django.core.cache import cache

from explanations import asking, tasks
from tests.explanations.shown import shown_world
from tests.explanations.test_engine import World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return shown_world(monkeypatch)


@pytest.fixture
def fresh_answers() -> Iterator[None]:
    """Answers of another test, about rows with the same numbers, are forgotten."""
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def worker(fresh_answers: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Questions are answered at once by the task itself; what was asked. Other messages go nowhere."""
    asked: list[str] = []

    def send_task(task: str, kwargs: dict[str, Any], queue: str, **_: Any) -> None:
        if task == asking.TASK:
            assert queue == "realtime"
            asked.append(kwargs["kind"])
            tasks.answer(**kwargs)

    monkeypatch.setattr(current_app, "send_task", send_task)
    return asked


@pytest.fixture
def no_worker(fresh_answers: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Nobody answers; what was asked."""
    asked: list[str] = []

    def send_task(task: str, kwargs: dict[str, Any], **_: Any) -> None:
        asked.append(kwargs.get("kind", task))

    monkeypatch.setattr(current_app, "send_task", send_task)
    return asked
