"""What tests of trainings and runs begin with."""

from datetime import timedelta
from typing import Any

from explanations.contract import Cause
from recommendations.models import ModelVersion, Run
from tests.factories import NOON, ModelVersionFactory, ProductFactory, RunFactory
from tests.worlds import contract, explained_slate

LATER = NOON + timedelta(minutes=5)

Sent = list[tuple[str, str, dict[str, Any]]]


def explained_run(**fields: Any) -> Run:
    run = RunFactory(**fields)
    explained_slate(run=run, contracts=[contract(ProductFactory(), cause=Cause.POPULAR)])
    return run


def queued(**fields: Any) -> ModelVersion:
    return ModelVersionFactory(
        **{"state": "queued", "weights": "", "weights_checksum": "", "started_at": None, "finished_at": None} | fields
    )
