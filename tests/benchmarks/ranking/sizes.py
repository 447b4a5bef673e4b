"""One epoch of each size on the demo shop, with its time and memory; every size in a process of its own.

python -m tests.benchmarks.ranking.sizes --data .local/snapshots/1-… [--sizes small,base,large] [--cap-minutes 30]

What is finished is kept in results/sizes.json; results/sizes.md is written after each size. An epoch that the cap (of
CPU minutes) cuts off is kept as such: how far it came, and what the whole would take at that pace.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recommendations.ml.batches import BatchMaker
from recommendations.ml.config import SIZES, TrainingConfig
from recommendations.ml.data import DAY, next_baskets
from recommendations.ml.evaluation import question
from recommendations.ml.loop import TrainingData, build, train
from tests.benchmarks.ranking import demo_shop
from tests.benchmarks.ranking.running import ONE_CORE, RESULTS

KEPT, TABLE = RESULTS / "sizes.json", RESULTS / "sizes.md"
VALIDATION, TEST = 28, 28  # days, as the product splits


class CapReached(Exception):
    """The epoch has used the CPU time it was given."""


def measured(name: str, folder: Path, cap: float) -> dict[str, Any]:
    """One epoch with the product's defaults, validation apart."""
    torch.set_num_threads(1)
    histories, catalogue, kinds = demo_shop.read(folder)
    is_target = kinds.is_target[histories.types]
    test = int(histories.times[is_target].max()) + 1 - TEST * DAY
    start = test - VALIDATION * DAY
    known = histories.before(start)
    baskets = next_baskets(histories, is_target, start=start, end=test)
    data = TrainingData(
        histories=known,
        catalogue=catalogue,
        kinds=kinds,
        validation=question(known, baskets, catalogue.products, None).by_kind["new"],
    )
    model_config, config = SIZES[name], replace(TrainingConfig(), epochs=1)
    batches = BatchMaker(known, kinds, model_config, config)
    total = sum(1 for _ in batches.epoch(1))
    parameters = sum(value.numel() for value in build(model_config, catalogue, kinds).parameters())
    began, steps = time.process_time(), 0
    first = stepped = began  # when the first step and the last one began

    def check() -> None:
        """Called before every step."""
        nonlocal steps, first, stepped
        stepped = time.process_time()
        first = first if steps else stepped
        if stepped - first > cap:
            raise CapReached
        steps += 1

    ndcg = None
    try:
        _, epochs = train(model_config, config, data, check=check)
        ndcg = round(epochs[0].ndcg, 5)
        spent = (stepped - first) * steps / max(steps - 1, 1)  # the last step is as long as the others
    except CapReached:
        spent = stepped - first
    return {
        "size": name,
        "parameters": parameters,
        "width": model_config.width,
        "blocks": model_config.blocks,
        "history": model_config.history,
        "batch_lines": config.batch_lines,
        "lines": len(known.items),
        "steps": steps,
        "steps_of_an_epoch": total,
        "epoch_cpu_seconds": round(spent * total / max(steps, 1), 1),
        "with_validation_cpu_seconds": round(time.process_time() - began, 1),
        "validation_ndcg@10": ndcg,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "load": round(float(np.mean(os.getloadavg()[:2])), 1),
        "torch": torch.__version__,
    }


def table(kept: dict[str, Any]) -> str:
    columns = [
        "size",
        "width × blocks, history",
        "parameters",
        "epoch, CPU s",
        "lines / CPU s",
        "validation NDCG@10 after it",
        "peak RSS, MB",
    ]
    lines = [
        "# One epoch of each size",
        "",
        "Demo shop, product defaults, fp32, one core, a process each; memory is the process's peak, with data and",
        "validation. Written by `python -m tests.benchmarks.ranking.sizes`.",
        "",
        "| " + " | ".join(columns) + " |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for name in SIZES:
        if name not in kept:
            continue
        found = kept[name]
        seconds = found["epoch_cpu_seconds"]
        is_whole = found["steps"] == found["steps_of_an_epoch"]
        part = "" if is_whole else f" (projected from {found['steps']} of {found['steps_of_an_epoch']} steps)"
        ndcg = "cut off" if found["validation_ndcg@10"] is None else f"{found['validation_ndcg@10']:.4f}"
        lines.append(
            f"| {name} | {found['width']} × {found['blocks']}, {found['history']} | {found['parameters']:,} "
            f"| {seconds:,.0f}{part} | {found['lines'] / seconds:,.0f} | {ndcg} | {found['peak_rss_mb']:,} |"
        )
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a snapshot's folder")
    parser.add_argument("--sizes", default=",".join(SIZES))
    parser.add_argument("--cap-minutes", type=float, default=30.0, help="of CPU, for each size")
    parser.add_argument("--one", help=argparse.SUPPRESS)  # a size, in the process that measures it
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measured(given.one, given.data, given.cap_minutes * 60)))
        return
    for name in given.sizes.split(","):
        kept: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
        if name in kept:
            continue
        command = [sys.executable, "-m", "tests.benchmarks.ranking.sizes", f"--data={given.data}", f"--one={name}"]
        command.append(f"--cap-minutes={given.cap_minutes}")
        done = subprocess.run(command, env=os.environ | ONE_CORE, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{name} ended with {done.returncode}:\n{done.stderr[-2_000:]}")
        kept[name] = json.loads(done.stdout)
        KEPT.write_text(json.dumps(kept, indent=1) + "\n")
        TABLE.write_text(table(kept))
        print(kept[name], flush=True)


if __name__ == "__main__":
    main()
