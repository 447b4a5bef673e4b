"""The figures under the Ready line."""

from datetime import timedelta

import pytest
from django.utils import timezone

from catalog.models import Import
from config.demo import figures
from explanations.models import VersionCheck
from recommendations.models import Run
from tests.factories import ImportFactory
from tests.worlds import live_shop

PACE = {"scored_a_second": 1500.0, "explained_a_second": 300.0}


@pytest.mark.django_db
def test_nothing_is_printed_before_a_run_is_live() -> None:
    assert figures.lines() == []


@pytest.mark.django_db
def test_the_live_version_is_printed_beside_its_baselines() -> None:
    live_shop()
    run = Run.objects.live().get()
    means = {"ndcg@10": 0.25, "hr@10": 0.5, "mrr@10": 0.125, "coverage@10": 0.0625}
    names = ("transformer", "item_knn", "recent_popular", "popular", "personal_frequency")
    run.version.metrics = {
        "new": {
            "shoppers": 1234,
            **dict.fromkeys(names, means),
            "against": {"item_knn": {"difference": 0.01, "low": 0.005, "high": 0.015}},
        }
    }
    run.version.calibration = {"home": {"ece": 0.0125}}
    run.version.save()
    measures = {f"{name}_{what}": 0.5 for name in ("ours", "recency", "random") for what in ("del@3", "ins@3")}
    VersionCheck.objects.create(version=run.version, placebo_floor=0.1, measures={"shoppers": 7, **measures} | PACE)
    ended = timezone.now()
    imported = ImportFactory(state=Import.State.FINISHED, rows_read=866_191, finished_at=ended)
    Import.objects.filter(pk=imported.pk).update(started_at=ended - timedelta(seconds=43.30955))

    printed = figures.lines()

    assert printed[0] == "  Imported 866,191 rows at 20,000 a second"
    assert printed[1] == ("  Next basket, products new to the shopper, last month, 1,234 shoppers, full ranking:")
    row = "ndcg@10 0.2500  hr@10 0.5000  mrr@10 0.1250  coverage@10 0.0625"
    assert printed[2] == f"    {'transformer':<22}{row}"
    assert printed[3] == f"    {'item-kNN':<22}{row}  transformer +0.0100 [+0.0050, +0.0150]"
    assert "  Expected calibration error of the shown chances: home 0.0125" in printed
    assert (
        "  Faithfulness, DEL@3 (lower) / INS@3 (higher), 7 shoppers: "
        "ours 0.500 / 0.500, recency 0.500 / 0.500, random 0.500 / 0.500" in printed
    )
    pace = "A process scores 1,500 shoppers a second; with choosing and checking reasons for ten products, 300"
    assert f"  {pace}" in printed
