"""Retraining every week: from scratch, from last week's weights, or going on with the newest baskets alone.

python -m tests.benchmarks.ranking.weekly --data .local/snapshots/1-… [--weeks 6] [--cache FOLDER]

For each of the last weeks of the demo shop the model is trained on what was known before it and asked for the next
baskets of that week, by the functions that the product uses. What is finished is kept in results/weekly.json (and the
weights in the cache), so an interrupted run goes on where it stopped; results/weekly.md is written after each training.
"""

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recommendations.ml import finishing
from recommendations.ml.catching_up import Newest, catch_up
from recommendations.ml.config import ModelConfig, TrainingConfig, from_json, to_json
from recommendations.ml.data import DAY, Histories, next_baskets, recent_popularity
from recommendations.ml.evaluation import AT, Question, measure, question
from recommendations.ml.loop import TrainingData, build, train
from recommendations.ml.metrics import paired_bootstrap
from recommendations.ml.model import Recommender
from recommendations.ml.ranking import period_of, rank
from recommendations.ml.transfer import kind_keys, places, warm_start
from tests.benchmarks.ranking import demo_shop
from tests.benchmarks.ranking.measuring import pack, unpack
from tests.benchmarks.ranking.running import RESULTS

WEEK = 7 * DAY
VALIDATION = 28 * DAY  # stops the training early, as in the product
KEPT, TABLE = RESULTS / "weekly.json", RESULTS / "weekly.md"
FRESH = 7.0  # days: --incremental 7, as a weekly schedule would say
WAYS = {
    "scratch": "from scratch",
    "from": "`--from` last week's version",
    "incremental": f"`--from` last week's version `--incremental {FRESH:.0f}`",
}
ASKED = ("new", "all")


class Weeks:
    """The shop, cut at the beginning of each week; week 0 is the one before the first that is asked."""

    def __init__(self, folder: Path, weeks: int):
        self.histories, self.catalogue, self.kinds = demo_shop.read(folder)
        self.is_target = self.kinds.is_target[self.histories.types]
        self.end = int(self.histories.times[self.is_target].max()) + 1
        self.weeks = weeks

    def cutoff(self, week: int) -> int:
        return self.end - (self.weeks - week + 1) * WEEK

    def asked(self, start: int, end: int) -> Question:
        known = self.histories.before(start)
        targets = next_baskets(self.histories, self.is_target, start=start, end=end)
        return question(known, targets, self.catalogue.products, self.popularity(known, start))

    def popularity(self, known: Histories, now: int) -> Tensor:
        start = int(known.times.min())
        table = recent_popularity(known, self.catalogue.products, start=start, end=now)
        return torch.from_numpy(table[int(period_of(torch.tensor(now), start, len(table)))])

    def train(
        self, week: int, model_config: ModelConfig, config: TrainingConfig, earlier: Recommender | None
    ) -> tuple[Recommender, dict[str, Tensor], dict[str, Any]]:
        """As `recommendations.training` does it: train, stop early, balance, catch up; the clock stops there.

        The model, and its weights without the balance, which the next week's training begins with.
        """
        began = time.process_time()
        now = self.cutoff(week)
        validation = self.asked(now - VALIDATION, now)
        data = TrainingData(
            histories=self.histories.before(now - VALIDATION),
            catalogue=self.catalogue,
            kinds=self.kinds,
            validation=validation.by_kind["new"],
        )

        def prepare(model: Recommender) -> None:
            if earlier is not None:
                keys = kind_keys(self.kinds)
                warm_start(model, self.catalogue, earlier.state_dict(), self.catalogue, places(keys, keys))

        chosen, epochs = train(model_config, config, data, prepare=prepare)
        known = self.histories.before(now)
        model = catch_up(chosen, config, self.kinds, Newest(histories=known, since=now - VALIDATION, now=now))
        # What last week's version learnt of these baskets is no measure of what it makes of others.
        finish = finishing.choose(chosen, validation if earlier is None else self.asked(now - WEEK, now))
        beginning = {name: value.clone() for name, value in model.state_dict().items()}
        finishing.carry_over(finish, model, known, self.popularity(known, now))
        best = max(epochs, key=lambda epoch: (epoch.ndcg, -epoch.number))
        return (
            model,
            beginning,
            {
                "cpu_seconds": round(time.process_time() - began, 1),
                "epochs": len(epochs),
                "best_epoch": best.number,
                "validation": [round(epoch.ndcg, 5) for epoch in epochs],
            },
        )

    def test(self, week: int, model: Recommender) -> dict[str, Any]:
        """NDCG@10 of the week's next baskets."""
        now = self.cutoff(week)
        asked = self.asked(now, now + WEEK)
        found: dict[str, Any] = {}
        for kind in ASKED:
            targets = asked.by_kind[kind]
            ranked = rank(
                model,
                asked.histories,
                targets.shoppers,
                now=now,
                popularity_I=asked.popularity_I,
                count=AT,
                only=kind,
            )
            means, values = measure(ranked, targets, asked.products)
            found[kind] = {
                "shoppers": len(targets.shoppers),
                "ndcg@10": means["ndcg@10"],
                "packed": pack(values["ndcg@10"]),
            }
        return found


def table(kept: dict[str, Any]) -> str:
    """Each week, then all weeks together with paired intervals over shoppers of a week."""
    results = kept["results"]
    weeks = sorted({int(name.split("-")[-1]) for name in results} - {0})
    lines = [
        "# Retraining every week",
        "",
        "Demo shop, product defaults, seed 1, one core. Each week's model is trained on what was known before it",
        "(validation: the 28 days before, then learnt too) and asked for the next baskets of the week. CPU seconds are",
        "those of all of it. Week 0 is trained from scratch; the others go on from their own",
        "version of the week before. Written by `python -m tests.benchmarks.ranking.weekly`.",
        "",
        "| week | way | CPU s | epochs (best) | " + " | ".join(f"NDCG@10, {kind}" for kind in ASKED) + " |",
        "|---|---|--:|--:|" + "--:|" * len(ASKED),
    ]
    for week in weeks:
        for way, label in WAYS.items():
            found = results.get(f"{way}-{week}")
            if found is not None:
                figures = " | ".join(f"{found['test'][kind]['ndcg@10']:.4f}" for kind in ASKED)
                lines.append(
                    f"| {week}, from {found['cutoff']} | {label} | {found['cpu_seconds']:.0f} "
                    f"| {found['epochs']} ({found['best_epoch']}) | {figures} |"
                )
    complete = [week for week in weeks if all(f"{way}-{week}" in results for way in WAYS)]
    if complete:
        lines += ["", f"## Weeks finished: {len(complete)} of {kept['weeks']}", "", *_together(results, complete)]
    return "\n".join([*lines, ""])


def _together(results: dict[str, Any], weeks: list[int]) -> list[str]:
    heads = [f"NDCG@10, {kind} | against scratch (95 %)" for kind in ASKED]
    lines = ["| way | CPU s a week | " + " | ".join(heads) + " |", "|---|--:|" + "--:|--:|" * len(ASKED)]

    def values(way: str, kind: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.concatenate([unpack(results[f"{way}-{week}"]["test"][kind]["packed"]) for week in weeks])

    for way, label in WAYS.items():
        cells = []
        for kind in ASKED:
            mine = values(way, kind)
            difference, low, high = paired_bootstrap(mine, values("scratch", kind))
            against = "" if way == "scratch" else f"{difference:+.4f} ({low:+.4f} … {high:+.4f})"
            cells.append(f"{mine.mean():.4f} | {against}")
        spent = np.mean([results[f"{way}-{week}"]["cpu_seconds"] for week in weeks])
        lines.append(f"| {label} | {spent:.0f} | " + " | ".join(cells) + " |")
    counts = ", ".join(f"{len(values('scratch', kind)):,} ({kind})" for kind in ASKED)
    return [*lines, "", f"Baskets asked: {counts}."]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a snapshot's folder")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "because-ranking", help="for weights")
    parser.add_argument("--weeks", type=int, default=6)
    given = parser.parse_args()
    torch.set_num_threads(1)
    model_config, config = from_json({})
    shop = Weeks(given.data, given.weeks)
    kept: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {"results": {}}
    kept |= {"weeks": given.weeks, "settings": to_json(model_config, config), "torch": torch.__version__}
    folder: Path = given.cache / "weekly"
    folder.mkdir(parents=True, exist_ok=True)

    def weights(name: str) -> Path:
        return folder / f"{name}.pt"

    def earlier(way: str, week: int) -> Recommender:
        model = build(model_config, shop.catalogue, shop.kinds)
        model.load_state_dict(torch.load(weights(f"{way}-{week}" if week else "scratch-0"), weights_only=True))
        return model

    for week in range(given.weeks + 1):
        for way in WAYS if week else ("scratch",):
            name = f"{way}-{week}"
            if name in kept["results"] and weights(name).exists():
                continue
            chosen = replace(config, fresh_days=FRESH) if way == "incremental" else config
            begin = None if way == "scratch" else earlier(way, week - 1)
            model, beginning, found = shop.train(week, model_config, chosen, begin)
            torch.save(beginning, weights(name))
            found["cutoff"] = time.strftime("%Y-%m-%d", time.gmtime(shop.cutoff(week)))
            found["load"] = round(os.getloadavg()[0], 1)
            kept["results"][name] = found | {"test": shop.test(week, model)}
            KEPT.write_text(json.dumps(kept, indent=1) + "\n")
            TABLE.write_text(table(kept))
            print(name, found, {kind: found["ndcg@10"] for kind, found in kept["results"][name]["test"].items()})


if __name__ == "__main__":
    main()
