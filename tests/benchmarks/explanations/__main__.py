"""All methods of explanation on one model, by the measures of the field: see the README beside."""

import argparse
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch

from explanations.methods.protocol import Method, Question
from explanations.methods.registry import LEARNED, METHODS, named
from tests.benchmarks.explanations import amazon, stages
from tests.benchmarks.explanations.parts import kept
from tests.benchmarks.explanations.plots import plot
from tests.benchmarks.explanations.report import page
from tests.benchmarks.explanations.subjects import BATCH, Subject, randomised
from tests.benchmarks.explanations.summary import summarise

RESULTS = Path(__file__).parent / "results"
FEW = 64  # shoppers of the stages that ask every method several times
NAMES = (*METHODS, LEARNED)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.explanations", description=__doc__)
    parser.add_argument("--demo", action="store_true", help="the live version of the installation")
    parser.add_argument("--sequences", type=Path, help="a file of sequences, such as Beauty.txt, to train a model on")
    parser.add_argument("--minutes", type=float, default=amazon.MINUTES, help="of that training, at most")
    parser.add_argument("--cache", type=Path, default=Path(".local/benchmarks/explanations"), help="what is finished")
    chosen = parser.parse_args()
    if not chosen.demo and chosen.sequences is None:
        parser.error("nothing to compare on: give --demo, --sequences FILE, or both")
    torch.set_num_threads(1)
    if chosen.demo:
        write(_demo(), chosen.cache)
    if chosen.sequences is not None:
        write(amazon.load(chosen.sequences, cache=chosen.cache, minutes=chosen.minutes), chosen.cache)


def _demo() -> Subject:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from tests.benchmarks.explanations import demo  # the ORM: only now

    return demo.load()


def write(subject: Subject, cache: Path) -> None:
    """Measure what is not in the cache; write this subject's result, and the page of all results."""
    arrays = measure(subject, cache / f"{subject.name}-{subject.facts['weights']}")
    result = summarise(arrays, NAMES, facts=subject.facts, reference="joint")
    (RESULTS / f"{subject.name}.json").write_text(json.dumps(result, indent=1) + "\n")
    (RESULTS / f"{subject.name}.svg").write_text(plot(result))
    results = {file.stem: json.loads(file.read_text()) for file in sorted(RESULTS.glob("*.json"), reverse=True)}
    (RESULTS / "README.md").write_text(page(results))


def measure(subject: Subject, folder: Path) -> dict[str, stages.Arrays]:
    shuffled = randomised(subject)
    say(f"{subject.name}: training the learned mask")
    methods, blind = _methods(subject), _methods(shuffled)
    work = {
        "faithfulness": (subject.shoppers, partial(stages.faithfulness, subject, methods)),
        "optimality": (short(subject), partial(stages.optimality, subject, methods)),
        "sanity": (subject.shoppers[:FEW], partial(stages.sanity, subject, shuffled, methods, blind)),
        "stability": (subject.shoppers[:FEW], partial(stages.stability, subject, methods)),
    }
    result = {}
    for stage, (rows, compute) in work.items():
        say(f"{subject.name}: {stage}, {len(rows)} shoppers")
        result[stage] = kept(folder, stage, rows, batch=BATCH, compute=compute)
    return result


def _methods(subject: Subject) -> dict[str, Method]:
    learners = subject.learners
    examples: list[Question] = [
        subject.question(learners[start : start + BATCH]) for start in range(0, len(learners), BATCH)
    ]
    return {name: named(name, learn_from=examples) for name in NAMES}


def short(subject: Subject) -> Any:
    """Shoppers whose best set can be found by trying all."""
    question = subject.question(subject.shoppers)
    return subject.shoppers[(question.exists_BU.sum(1) <= stages.EXHAUSTIVE_UNITS).numpy()][:FEW]


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
