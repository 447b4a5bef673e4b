"""What every test shares."""

import os
import sys
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import translation

from tests.factories import StaffFactory


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """A language that one test chose is not the next one's."""
    with translation.override("en"):
        yield


@pytest.fixture
def admin(client: Client, db: None) -> Client:
    """Staff who may do everything, in the admin."""
    client.force_login(StaffFactory())
    return client


@pytest.fixture
def process_environment(transactional_db: None) -> dict[str, str]:
    """For `subprocess`: a web or worker process with these variables sees the rows that the test commits."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": settings.SETTINGS_MODULE,
        "TEST_DATABASE": connection.settings_dict["NAME"],
        "PYTHONPATH": os.pathsep.join(filter(None, [str(settings.BASE_DIR), os.environ.get("PYTHONPATH")])),
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": "1",
        "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]),
    }
