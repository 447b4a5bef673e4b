"""What every test of recommendations shares."""

import pytest
from celery import current_app

from tests.recommendations.situations import Sent


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What would go to the broker: task, queue, arguments."""
    messages: Sent = []
    monkeypatch.setattr(current_app, "send_task", lambda task, kwargs, queue: messages.append((task, queue, kwargs)))
    return messages
