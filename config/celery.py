"""The Celery application: queues, limits, and nothing that imports torch."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_init
from django_structlog.celery.steps import DjangoStructLogInitStep

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("because")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.autodiscover_tasks(["config"])
app.steps["worker"].add(DjangoStructLogInitStep)


@worker_process_init.connect
def _prepare_for_shoppers(**_: Any) -> None:
    from django.conf import settings

    from explanations import warming

    if settings.SHOPPERS_CHANGED_QUEUE in app.amqp.queues.consume_from:
        warming.begin()
