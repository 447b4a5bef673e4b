"""What tests of trainings and runs begin with."""

import io
from datetime import timedelta
from typing import Any

from explanations.contract import Cause
from recommendations.ml.config import ModelConfig
from recommendations.ml.exported import Exported
from recommendations.ml.model import Recommender
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


def version_file() -> io.BytesIO:
    """What another shop exported: width 8, no products."""
    config = ModelConfig(width=8, uses_repeats=False)
    model = Recommender(config, products=0, event_types=1)
    exported = Exported(
        config=config,
        keys=(),
        labels={},
        kinds=("purchase -inf",),
        encoder="",
        origin={"shop": "Teas", "version": "v7"},
        weights={name: value.numpy() for name, value in model.state_dict().items()},
    )
    file = io.BytesIO()
    exported.write(file)
    return file
