"""The web process starts without the model's packages: they are for workers."""

import os
import subprocess
import sys

SERVES = """
import django
django.setup()
import config.urls, config.wsgi, sys
print(*[name for name in ("torch", "transformers", "sentence_transformers") if name in sys.modules])
"""
NOWHERE = {"DATABASE_URL": "postgres://x@127.0.0.1:1/x", "REDIS_URL": "redis://127.0.0.1:1", "SECRET_KEY": "x"}


def test_the_web_process_loads_neither_torch_nor_a_language_model() -> None:
    environment = os.environ | NOWHERE | {"DJANGO_SETTINGS_MODULE": "config.settings"}

    loaded = subprocess.check_output([sys.executable, "-c", SERVES], env=environment, text=True, timeout=60)

    assert loaded.strip() == ""
