"""A Celery application for worker processes in tests: the product's own, with stand-ins for model and engine."""

import sys

import django

django.setup()

import explanations  # noqa: E402
import recommendations  # noqa: E402
from config.celery import app  # noqa: E402
from tests import stand_in  # noqa: E402

__all__ = ["app"]

for package, name in ((explanations, "engine"), (recommendations, "training")):
    sys.modules[f"{package.__name__}.{name}"] = stand_in
    setattr(package, name, stand_in)
