"""How much memory and time training takes at scale: `python -m tests.benchmarks.scale [--interactions N] …`, by hand.

Made-up histories on disk, read as the product reads them (memory-mapped), one epoch of size `small` with sampled
negatives. Prints the peak of the process's memory after each stage; memory-mapped pages count, though the system may
take them back.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from recommendations.ml.config import ModelConfig, TrainingConfig
from recommendations.ml.data import DAY, Catalogue, Histories, NextBaskets, next_baskets
from recommendations.ml.kinds import Kinds
from recommendations.ml.loop import Epoch, TrainingData, train

DAYS = 182
CHUNK = 1_000_000
LINES_OF_A_SHOPPER = 20


def made(folder: Path, interactions: int, products: int) -> Histories:
    """Zipf-like popularity, twenty lines a shopper over half a year."""
    random = np.random.default_rng(1)
    shoppers = interactions // LINES_OF_A_SHOPPER
    interactions = shoppers * LINES_OF_A_SHOPPER
    dtypes = {"items": np.int32, "times": np.int64, "types": np.int32}
    columns = {
        name: np.memmap(folder / name, dtype, mode="w+", shape=(interactions,)) for name, dtype in dtypes.items()
    }
    for start in range(0, interactions, CHUNK):
        part = slice(start, min(start + CHUNK, interactions))
        size = part.stop - part.start
        columns["items"][part] = 1 + (products * random.random(size) ** 3).astype(np.int32)
        times = random.integers(0, DAYS * DAY, (size // LINES_OF_A_SHOPPER, LINES_OF_A_SHOPPER))
        columns["times"][part] = np.sort(times, axis=1).ravel()
        columns["types"][part] = 1
    for column in columns.values():
        column.flush()
    read = {name: np.memmap(folder / name, dtype, mode="r") for name, dtype in dtypes.items()}
    return Histories(offsets=np.arange(shoppers + 1) * LINES_OF_A_SHOPPER, **read)


def peak() -> str:
    return f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_048_576:.2f} GB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interactions", type=int, default=10_000_000)
    parser.add_argument("--products", type=int, default=1_000_000)
    parser.add_argument("--negatives", type=int, default=2_048)
    parser.add_argument("--steps", type=int, default=0, help="stop after so many, 0: a whole epoch")
    parser.add_argument("--validated", type=int, default=1_000, help="shoppers")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        histories = made(Path(folder), options.interactions, options.products)
        print(f"data: {len(histories.items):,} interactions, {len(histories):,} shoppers, {peak()}", flush=True)
        start = (DAYS - 7) * DAY
        validation: NextBaskets = next_baskets(
            histories, np.ones(len(histories.items), bool), start=start, end=DAYS * DAY
        )
        data = TrainingData(
            histories=histories.before(start),
            catalogue=Catalogue(products=options.products, attributes={}, sizes={}),
            kinds=Kinds.of([(1, 1.0, True)], {}),
            validation=validation,
        )
        print(f"split: {len(validation.shoppers):,} shoppers to validate, {peak()}", flush=True)
        config = TrainingConfig(epochs=1, negatives=options.negatives, validated_shoppers=options.validated)
        steps = 0

        class Enough(Exception):
            pass

        def check() -> None:
            nonlocal steps
            steps += 1
            if steps % 100 == 0:
                print(f"  step {steps}, {time.process_time() - began:.0f} s of processor, {peak()}", flush=True)
            if options.steps and steps > options.steps:
                raise Enough

        def report(epoch: Epoch) -> None:
            print(f"epoch {epoch.number}: loss {epoch.loss:.4f}, {epoch.seconds:.0f} s, {peak()}", flush=True)

        try:
            train(ModelConfig(), config, data, report=report, check=check, save=lambda _: None)
        except Enough:
            print(f"{options.steps} steps, {peak()}")


if __name__ == "__main__":
    main()
