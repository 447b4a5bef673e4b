import io

import pytest

from config.demo.console import Console
from config.demo.pipeline import ModelFailed, Pipeline
from recommendations.models import ModelVersion, Run
from tests.factories import ModelVersionFactory, RunFactory
from tests.worlds import live_shop


def _pipeline() -> tuple[Pipeline, io.StringIO]:
    output = io.StringIO()
    return Pipeline(Console(output, every=0)), output


def test_a_live_run_ends_the_wait(db: None) -> None:
    live_shop()
    pipeline, _ = _pipeline()

    assert pipeline.is_live()


def test_a_run_that_waits_beside_the_live_one_does_not_keep_the_shop_closed(db: None) -> None:
    live_shop()
    RunFactory(version=ModelVersionFactory(), state=Run.State.READY)
    pipeline, _ = _pipeline()

    assert pipeline.is_live()


def test_a_failed_training_ends_the_wait_with_its_reason(db: None) -> None:
    ModelVersionFactory(state=ModelVersion.State.FAILED, error="no usable interaction")
    pipeline, _ = _pipeline()

    with pytest.raises(ModelFailed, match="failed: no usable interaction"):
        pipeline.is_live()


def test_an_epoch_is_told_with_its_measures(db: None) -> None:
    version = ModelVersionFactory(state=ModelVersion.State.QUEUED)
    version.epochs.create(number=3, loss=4.25, validation_ndcg=0.1234, seconds=9)
    pipeline, output = _pipeline()

    assert not pipeline.is_live()

    assert output.getvalue() == f"  … {version} queued: epoch 3, loss 4.2500, validation NDCG@10 0.1234 (0 s)\n"
