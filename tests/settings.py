"""The settings under which the tests run: the product's own, on servers that the demo never touches."""

import os
from pathlib import Path

# Inherited by the processes that tests start. The last of them to end stops the servers. When several processes share
# the tests each has servers of its own, so that nothing is shared but the processor.
FOLDERS = Path(__file__).resolve().parent.parent / ".local-tests"
if os.environ.setdefault("BECAUSE_LOCAL_DIR", str(FOLDERS / "one")) == str(FOLDERS / "one"):
    os.environ["BECAUSE_LOCAL_DIR"] = str(FOLDERS / os.environ.get("PYTEST_XDIST_WORKER", "one"))

from config.settings import *  # noqa: E402, F403
from config.settings import DATABASES  # noqa: E402

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the slowness of the real one is not under test
AXES_ENABLED = False

# pytest creates `test_because`; a worker or web process started by a test is told to use it too.
if "TEST_DATABASE" in os.environ:
    DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE"]
