"""What the live version and its run measured, as the demo prints it; the records keep everything."""

from catalog.models import Import
from explanations.models import VersionCheck
from recommendations import figures
from recommendations.models import ModelVersion, Run

KINDS = {"new": "products new to the shopper", "repeat": "repeat purchases", "all": "all products"}
NAMES = {
    "transformer": "transformer",
    "item_knn": "item-kNN",
    "recent_popular": "popular in four weeks",
    "popular": "popular",
    "personal_frequency": "personal frequency",
}


def lines() -> list[str]:
    """Nothing where no run is live."""
    run = Run.objects.live().select_related("version").first()
    if run is None:
        return []
    return [*_import(), *_ranking(run.version), *_calibration(run.version), *_explanations(run)]


def _import() -> list[str]:
    """The largest import: how fast it was."""
    largest = Import.objects.filter(state=Import.State.FINISHED).order_by("-rows_read").first()
    if largest is None or largest.finished_at is None:
        return []
    seconds = (largest.finished_at - largest.started_at).total_seconds()
    return [f"  Imported {largest.rows_read:,} rows at {largest.rows_read / max(seconds, 1e-3):,.0f} a second"]


def _ranking(version: ModelVersion) -> list[str]:
    found = []
    for kind, title in KINDS.items():
        measured = version.metrics.get(kind)
        if measured is None:
            continue
        found.append(f"  Next basket, {title}, last month, {measured['shoppers']:,} shoppers, full ranking:")
        for name, shown in NAMES.items():
            means = measured[name]
            row = "  ".join(f"{column} {means[column]:.4f}" for column in ("ndcg@10", "hr@10", "mrr@10", "coverage@10"))
            against = measured["against"].get(name)
            difference = (
                f"  transformer {against['difference']:+.4f} [{against['low']:+.4f}, {against['high']:+.4f}]"
                if against
                else ""
            )
            found.append(f"    {shown:<22}{row}{difference}")
    found += [f"  {line}" for line in figures.of_seeds(version)]
    together = version.metrics.get("companions")
    if together:
        found.append(
            f"  Similar products, same-basket HR@10: {together['same_basket_hr@10']:.4f}, "
            f"co-occurrence alone {together['co_occurrence_hr@10']:.4f}, "
            f"difference {together['difference']:+.4f} [{together['low']:+.4f}, {together['high']:+.4f}]"
        )
    return found


def _calibration(version: ModelVersion) -> list[str]:
    errors = ", ".join(f"{placement} {entry['ece']:.4f}" for placement, entry in version.calibration.items())
    return [f"  Expected calibration error of the shown chances: {errors}"] if errors else []


def _explanations(run: Run) -> list[str]:
    found = []
    check = VersionCheck.objects.filter(version=run.version).first()
    measures = check.measures if check else {}
    if measures.get("shoppers"):
        rows = ", ".join(
            f"{name} {measures[f'{name}_del@3']:.3f} / {measures[f'{name}_ins@3']:.3f}"
            for name in ("ours", "recency", "random")
        )
        found.append(f"  Faithfulness, DEL@3 (lower) / INS@3 (higher), {measures['shoppers']} shoppers: {rows}")
    if "explained_a_second" in measures:
        found.append(
            f"  A process scores {measures['scored_a_second']:,.0f} shoppers a second; with choosing and checking "
            f"reasons for ten products, {measures['explained_a_second']:,.0f}"
        )
    causes = run.summary.get("placements", {}).get("home", {}).get("causes", {})
    total = sum(causes.values())
    if total:
        shares = ", ".join(f"{cause} {count / total:.1%}" for cause, count in sorted(causes.items()))
        found.append(f"  Causes on the home page: {shares}")
    seconds, slates = run.summary.get("seconds", 0), run.summary.get("slates", 0)
    if seconds:
        found.append(
            f"  Scored, explained and verified {slates:,} slates at {slates / seconds:.0f} a second and process"
        )
    return found
