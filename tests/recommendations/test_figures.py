"""Stored metrics and summaries as tables and charts."""

from recommendations import figures
from recommendations.models import ModelVersion, Run
from tests.factories import ModelVersionFactory, SnapshotFactory

METRICS = {
    "new": {
        "shoppers": 1234,
        "transformer": {"coverage@10": 0.61, "ndcg@10": 0.0812, "hr@10": 0.153},
        "popular": {"coverage@10": 0.01, "ndcg@10": 0.021, "hr@10": 0.05},
        "item_knn": {"coverage@10": 0.7, "ndcg@10": 0.069, "hr@10": 0.13},
        "against": {
            "popular": {"difference": 0.0602, "low": 0.055, "high": 0.065},
            "item_knn": {"difference": 0.0122, "low": -0.001, "high": 0.02},
        },
    },
    "companions": {"same_basket_hr@10": 0.31, "co_occurrence_hr@10": 0.29},
}
CURVE = [{"chance": 0.02, "rate": 0.018, "count": 900.0}, {"chance": 0.1, "rate": 0.11, "count": 100.0}]


def test_the_headline_is_ndcg_on_products_new_to_the_shopper() -> None:
    assert figures.headline(ModelVersion(metrics=METRICS)) == 0.0812
    assert figures.headline(ModelVersion(metrics={})) is None


def test_contestants_stand_side_by_side_ours_first_then_the_strongest() -> None:
    (table,) = figures.contest(ModelVersion(metrics=METRICS))

    assert table.title == "Products new to the shopper, 1,234 shoppers"
    assert table.columns == ("ndcg@10", "hr@10", "coverage@10", "difference in NDCG@10, 95 % interval")
    assert table.rows == (
        ("transformer", "0.0812", "0.1530", "0.6100", ""),
        ("item k-nearest neighbours", "0.0690", "0.1300", "0.7000", "+0.0122 (−0.0010 … +0.0200)"),
        ("popular", "0.0210", "0.0500", "0.0100", "+0.0602 (+0.0550 … +0.0650)"),
    )


def test_versions_that_differ_in_their_seed_alone_stand_beside_their_mean(db: None) -> None:
    def measured(seed: int, ndcg: float, **fields: object) -> ModelVersion:
        metrics = {kind: {"transformer": {"ndcg@10": ndcg}} for kind in ("new", "all")}
        config = {"model": {"width": 64}, "training": {"seed": seed, "epochs": 3}}
        return ModelVersionFactory(**{"seed": seed, "metrics": metrics, "config": config, "snapshot": one, **fields})

    one = SnapshotFactory()
    second, first = measured(2, 0.10), measured(1, 0.08, state="rejected")
    measured(3, 0.5, snapshot=SnapshotFactory())
    measured(4, 0.5, config={"model": {"width": 32}})
    measured(5, 0.5, metrics={})

    table = figures.seeds(first)

    assert table == figures.seeds(second)
    assert table is not None
    assert table.title == "NDCG@10 of 2 seeds on one snapshot"
    assert table.columns == ("Products new to the shopper", "All purchases")
    assert table.rows == (
        ("seed 1", "0.0800", "0.0800"),
        ("seed 2", "0.1000", "0.1000"),
        ("mean", "0.0900", "0.0900"),
        ("standard deviation", "0.0141", "0.0141"),
    )
    assert figures.of_seeds(first)[0] == (
        "NDCG@10 of 2 seeds on one snapshot: Products new to the shopper, All purchases"
    )
    assert figures.seeds(ModelVersionFactory()) is None


def test_what_is_no_contest_is_shown_as_it_is() -> None:
    (table,) = figures.other_metrics(ModelVersion(metrics=METRICS))

    assert table.rows == (("products that go together", "0.3100", "0.2900"),)


def test_every_placement_has_its_reliability_diagram() -> None:
    version = ModelVersion(
        calibration={"home": {"ece": 0.003, "pairs": 1000, "curve": CURVE}, "buy_again": {"ece": 0.1}}
    )

    ((placement, error, chart),) = figures.calibration_charts(version)

    assert (placement, error) == ("New for you", 0.003)
    assert "stated 2 %, happened 1.8 %, of 900" in chart


def test_a_runs_causes_and_placements_are_counted() -> None:
    run = Run(
        summary={
            "slates": 3,
            "causes": {"history": 75, "popular": 25},
            "statuses": {"verified": 75, "fallback": 25},
            "placements": {"home": {"slates": 3, "causes": {"history": 75, "popular": 25}}},
        }
    )

    assert figures.verified_share(run) == 0.75
    assert "one thing in the history: 75 (75%)" in str(figures.cause_chart(run))
    table = figures.coverage(run)
    assert table is not None
    assert table.columns == ("slates", "one thing in the history", "popular")
    assert table.rows == (("New for you", "3", "75", "25"),)
    assert [row for table in figures.other_summary(run) for row in table.rows] == [
        ("slates", "3"),
        ("statuses", "75", "25"),
    ]


def test_the_verified_share_is_that_of_home_alone() -> None:
    summary = {
        "statuses": {"verified": 100, "fallback": 300},
        "placements": {
            "home": {"slates": 3, "statuses": {"verified": 90, "fallback": 10}},
            "product": {"slates": 9, "statuses": {"verified": 10, "fallback": 290}},
        },
    }
    assert figures.verified_share(Run(summary=summary)) == 0.9


def test_an_empty_run_has_no_charts() -> None:
    run = Run(summary={})

    assert figures.verified_share(run) is None
    assert figures.cause_chart(run) is None
    assert figures.coverage(run) is None


def test_deep_facts_become_titled_tables() -> None:
    facts = {
        "passed": True,
        "live": {"home": {"a": 1, "b": 0.5}, "product": {"a": 2}},
        "tags": ["x", "y"],
        "none": None,
    }

    found = list(figures.tables(facts))

    assert found[0].rows == (("passed", "yes"), ("tags", "x, y"), ("none", "—"))
    assert found[1] == figures.Table(
        title="live", columns=("a", "b"), rows=(("home", "1", "0.5000"), ("product", "2", ""))
    )
