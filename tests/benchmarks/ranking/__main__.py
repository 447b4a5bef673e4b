"""How we rank beside public peers: one file, one filter, one evaluator for all. Run by hand; see README.md.

python -m tests.benchmarks.ranking beauty --data FOLDER --contestants popular,ease,ours --seeds 1,2,3
python -m tests.benchmarks.ranking demo_shop --data .local/snapshots/1-… --contestants ours
python -m tests.benchmarks.ranking beauty --report
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.benchmarks.ranking import complete_journey, demo_shop, report, running, sequences
from tests.benchmarks.ranking.contestants import CONTESTANTS
from tests.benchmarks.ranking.prepared import Prepared

DATASETS: dict[str, Callable[[Path], Prepared]] = {
    "beauty": partial(sequences.prepare, "beauty"),
    "toys": partial(sequences.prepare, "toys"),
    "demo_shop": demo_shop.prepare,
    "complete_journey": complete_journey.prepare,
}
CACHE = Path.home() / ".cache" / "because-ranking"


def prepared(dataset: str, data: Path | None, cache: Path) -> tuple[Prepared, Path]:
    """Read the prepared file, or make it from `data` once."""
    path = cache / "data" / f"{dataset}.npz"
    if not path.exists():
        if data is None:
            sys.exit(f"{path} is not there. Remedy: give the data set's folder with --data.")
        DATASETS[dataset](data).write(path)
    return Prepared.read(path), path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=DATASETS)
    parser.add_argument("--contestants", default="", help="names with commas: " + ", ".join(CONTESTANTS))
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--cap-minutes", type=float, default=12.0, help="of 2 cores: twice that in CPU minutes")
    parser.add_argument("--data", type=Path, help="where the data set lies; needed once")
    parser.add_argument("--cache", type=Path, default=CACHE, help="prepared files, environments, answers")
    parser.add_argument("--report", action="store_true", help="write the table and the plots from what is kept")
    given = parser.parse_args()
    if given.contestants:
        read, path = prepared(given.dataset, given.data, given.cache.resolve())
        for seed in (int(seed) for seed in given.seeds.split(",")):
            for name in given.contestants.split(","):
                if name not in CONTESTANTS:
                    sys.exit(f"--contestants: there is no {name}. Remedy: choose from {', '.join(CONTESTANTS)}.")
                contestant = CONTESTANTS[name]
                if running.kept(given.dataset, contestant, seed).exists():
                    print(f"{name} seed {seed}: kept", flush=True)
                    continue
                try:
                    result = running.run(
                        contestant,
                        read,
                        path.resolve(),
                        cache=given.cache.resolve(),
                        seed=seed,
                        cap_seconds=given.cap_minutes * 120,
                    )
                except running.Failed as failure:
                    print(failure, flush=True)
                    continue
                print(name, seed, report.line(result), flush=True)
    if given.report:
        print(report.write(given.dataset))


if __name__ == "__main__":
    main()
