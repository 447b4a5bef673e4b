"""The result files in words: one table a subject for the reader, more with intervals below."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from explanations.methods.choosing import REASONS
from tests.benchmarks.explanations.effects import OPERATORS
from tests.benchmarks.explanations.stages import LARGEST
from tests.benchmarks.explanations.summary import BY_SIZE, POS_RANK

LABELS = {
    "joint": "**needed and enough (ours)**",
    "greedy": "greedy removal",
    "leave_one_out": "leave-one-out",
    "shapley": "Shapley, 64 paired permutations",
    "learned_mask": "learned mask (LXR style)",
    "integrated_gradients": "integrated gradients",
    "gradient_input": "gradient × input",
    "attention": "attention",
    "rollout": "attention rollout",
    "similarity": "embedding similarity",
    "recency": "recency",
    "random": "random",
}
OPERATOR_LABELS = {"mask": "masked", "drop": "dropped, gap closed"}
MEASURE_LABELS = {"pos": f"POS@{POS_RANK} ↓", "cdcg": "CDCG ↓", "del": "DEL ↓", "ins": "INS ↑"}


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heading, ["---", *(["---:"] * (len(heading) - 1))], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def number(value: float, digits: int = 3) -> str:
    """.214, as the tables of this field write it."""
    if math.isnan(value):
        return "–"
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 else text


def with_interval(values: Sequence[float]) -> str:
    mean, low, high = values
    return "–" if math.isnan(mean) else f"{number(mean)} [{number(low)}, {number(high)}]"


def main_table(result: Mapping[str, Any]) -> str:
    at = REASONS - 1
    heading = [
        "method",
        *(f"{name}@{REASONS} {operator}" for operator in OPERATORS for name in ("DEL", "INS")),
        f"POS@{POS_RANK},{REASONS}",
        f"CDCG@{REASONS}",
        "polarity violations",
        f"optimality@{REASONS}",
        "neutral mask",
        "one more",
        "sanity",
        "CPU ms",
    ]
    rows = []
    for name, entry in result["methods"].items():
        cells = [number(entry[operator][measure][at][0]) for operator in OPERATORS for measure in ("del", "ins")]
        cells += [number(entry["mask"][measure][at][0]) for measure in ("pos", "cdcg")]
        cells += [f"{100 * entry['mask']['polarity_violations'][0]:.1f} %"]
        cells += [number(entry[measure][0], 2) for measure in ("optimality", "neutral_mask", "one_more", "spearman")]
        rows.append([LABELS[name], *cells, f"{entry['cpu_ms']:.1f}"])
    return table(heading, rows)


def short_table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """What the README of the project shows: masked, three units, best deletion on the first subject first."""
    at, (first, *_) = REASONS - 1, results
    heading = ["method"]
    for subject in results:
        heading += [f"{subject}: DEL ↓", "INS ↑", "wrong way ↓"]
    names = sorted(results[first]["methods"], key=lambda name: results[first]["methods"][name]["mask"]["del"][at][0])
    rows = []
    for name in names:
        cells = [LABELS[name]]
        for result in results.values():
            mask = result["methods"][name]["mask"]
            cells += [number(mask[measure][at][0], 2) for measure in ("del", "ins")]
            cells.append(f"{100 * mask['polarity_violations'][0]:.0f} %")
        rows.append([*cells, f"{results[first]['methods'][name]['cpu_ms']:.1f}"])
    return table([*heading, "CPU ms"], rows)


def detailed_tables(result: Mapping[str, Any]) -> str:
    parts = []
    for operator in OPERATORS:
        for measure in BY_SIZE:
            rows = [
                [LABELS[name], *(with_interval(values) for values in entry[operator][measure])]
                for name, entry in result["methods"].items()
            ]
            title = f"### {MEASURE_LABELS[measure]}, {OPERATOR_LABELS[operator]}\n\n"
            parts.append(title + table(["units", *(str(size) for size in range(1, LARGEST + 1))], rows))
    rows = [
        [
            LABELS[name],
            *(with_interval(value) for measure in ("del", "ins") for value in entry["mask"]["by_rank"][measure]),
        ]
        for name, entry in result["methods"].items()
    ]
    ranks = range(1, len(next(iter(result["methods"].values()))["mask"]["by_rank"]["del"]) + 1)
    heading = ["recommended at rank", *(f"{name} {rank}" for name in ("DEL", "INS") for rank in ranks)]
    parts.append(f"### By the rank of the recommendation, {REASONS} units, masked\n\n" + table(heading, rows))
    rows = [
        [
            LABELS[name],
            *(with_interval(entry[operator]["minus_joint"][measure]) for operator in OPERATORS for measure in BY_SIZE),
        ]
        for name, entry in result["methods"].items()
        if name != "joint"
    ]
    heading = ["minus ours", *(f"{MEASURE_LABELS[m]} {operator}" for operator in OPERATORS for m in BY_SIZE)]
    parts.append(f"### Paired difference to ours, {REASONS} units\n\n" + table(heading, rows))
    return "\n".join(parts)


def page(results: Mapping[str, Mapping[str, Any]]) -> str:
    command = "`python -m tests.benchmarks.explanations`"
    parts = [f"# Methods of explanation, compared\n\nWritten by {command}; [what is measured](../README.md).\n"]
    for name, result in results.items():
        facts = result["facts"]
        parts.append(
            f"## {name}\n\n{facts['shoppers']:,} shoppers, {facts['products']:,} products; the model's NDCG@10 is "
            f"{facts['ndcg@10']}. {facts['asked']} shoppers were asked about; they have {facts['units']} units on "
            "average.\n\n"
            + main_table(result)
            + f"\n![Measures by number of units]({name}.svg)\n\n"
            + detailed_tables(result)
        )
    return "\n".join(parts)
