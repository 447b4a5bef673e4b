"""What explanations are held to, measured on the live run: `python -m tests.benchmarks.explanations.goals`, by hand.

Asks the installation that the environment names (`make demo` first; `BECAUSE_LOCAL_DIR` chooses another one) about the
contracts that it has stored, has the nightly audit replay a sample of them by the plain forward, and puts beside them
what the check of the version, the comparison of methods and the clock say. Writes results/goals.md.
"""

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django

django.setup()

import torch
from django.db.models import Count, Q
from django.utils import timezone

from catalog.models import Shopper
from explanations import audit
from explanations.contract import Contract, Status, Strength
from explanations.engine import BATCH
from explanations.methods.choosing import REASONS
from explanations.models import VersionCheck
from explanations.tally import Tally
from recommendations.models import Placement, Run, Slate
from tests.benchmarks import explaining
from tests.benchmarks.explanations.report import table

RESULTS = Path(__file__).parent / "results"
FEWEST = 5  # interactions of the shoppers whom the goal of coverage is for
SHOPPERS = 512  # made-up ones, for the clock


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    name: str
    aim: str
    measured: str
    is_met: bool
    how: str


class Errors(Tally):
    """Beside what holds: how far what was claimed of log p is from what was found."""

    furthest = 0.0

    def check(self, code: str, holds: bool, *, slate: int, rank: int, claimed: object, found: object) -> None:
        Tally.check(self, code, holds, slate=slate, rank=rank, claimed=claimed, found=found)
        if code == "delta" and isinstance(claimed, float) and isinstance(found, float):
            self.furthest = max(self.furthest, abs(claimed - found))


def of_stored(run: Run) -> Iterator[Goal]:
    """Every contract of the run that is live."""
    slates = Slate.objects.live().filter(run=run)
    bare = slates.filter(explanation=None).count()
    count = slates.count()
    yield Goal(
        name="lists with a contract for each product",
        aim="100 %",
        measured=percent(count - bare, count),
        is_met=bare == 0,
        how=f"{count:,} lists; the statement that publishes refuses others",
    )
    counts: Counter[str] = Counter()
    furthest = 0.0
    shoppers = Shopper.objects.annotate(known=Count("interactions", filter=Q(interactions__occurred_at__lt=run.as_of)))
    home = slates.filter(placement=Placement.HOME, shopper__in=shoppers.filter(known__gte=FEWEST).values("pk"))
    for slate in home.select_related("explanation").iterator(500):
        for contract in audit.contracts_of(slate):
            counts.update(_told(contract))
            if contract.split is not None:
                furthest = max(furthest, abs(contract.split.residual) / max(1.0, abs(contract.target.score)))
    shown, verified = counts["shown"], counts[Status.VERIFIED.value]
    yield Goal(
        name=f"verified personal reason, `home`, shoppers with {FEWEST} interactions or more",
        aim="≥ 85 %",
        measured=percent(verified, shown),
        is_met=verified >= 0.85 * shown,
        how=f"{shown:,} recommendations; the others say their true cause",
    )
    moved = counts[Strength.LOSES_PLACE.value] + counts[Strength.LEAVES_LIST.value]
    yield Goal(
        name="at most three things, or one group, decide whether it keeps its place",
        aim="≥ 90 %",
        measured=percent(moved, verified),
        is_met=moved >= 0.9 * verified,
        how=f"of those with a verified reason; {percent(counts['by group'], verified)} by a group; "
        f"{percent(counts[Strength.LEAVES_LIST.value], verified)} leave the list",
    )
    yield Goal(
        name="residual of the split by product parts",
        aim="≤ 1e-5 · max(1, score)",
        measured=f"{furthest:.1e}",
        is_met=furthest <= 1e-5,
        how="the largest of the same recommendations",
    )


def _told(contract: Contract) -> Iterator[str]:
    if contract.status is not Status.WITHHELD:
        yield "shown"
    yield contract.status.value
    if contract.status is Status.VERIFIED and contract.counterfactual is not None:
        yield contract.counterfactual.strength.value
        if contract.counterfactual.category_id is not None:
            yield "by group"


def of_replay(run: Run, most: int) -> Iterator[Goal]:
    """As the nightly audit does it, of more lists than it takes every night, evenly drawn."""
    ids = list(Slate.objects.live().filter(run=run, shopper__isnull=False).order_by("pk").values_list("pk", flat=True))
    ids = ids[:: max(1, len(ids) // most)][:most]
    tally = Errors()
    audit.check(run, ids, tally, at=timezone.now())
    sample = f"{len(ids) - tally.moved_on} lists replayed by the plain forward"
    yield Goal(
        name="fast path against the plain masked forward",
        aim="Δ log p within 1e-4",
        measured=f"{tally.furthest:.1e}",
        is_met=0 < tally.furthest <= 1e-4,
        how=f"the furthest of {tally.checked['delta']:,} stored numbers, which keep six digits; {sample}",
    )
    for name, code in (
        ("replayed polarity violations", "polarity"),
        ("counterfactuals that are not so", "counterfactual"),
        ("ranks that are not so", "rank"),
        ("sentences that say more than the contract, in either language", "text"),
    ):
        yield Goal(
            name=name,
            aim="0",
            measured=f"{tally.failed[code]} of {tally.checked[code]:,}",
            is_met=not tally.failed[code] and tally.checked[code] > 0,
            how=sample,
        )


def of_comparison() -> Iterator[Goal]:
    """What the comparison of methods has found, of each of its subjects."""
    for subject in ("demo", "beauty"):
        methods = json.loads((RESULTS / f"{subject}.json").read_text())["methods"]
        ours = methods["joint"]
        optimality = ours["optimality"][0]
        how = f"{subject}, comparison of methods"
        yield Goal(
            name=f"optimality@{REASONS}", aim="≥ .95", measured=f"{optimality:.3f}", is_met=optimality >= 0.95, how=how
        )
        ins = {name: entry["mask"]["ins"][REASONS - 1] for name, entry in methods.items()}
        level = [name for name, (_, _, high) in ins.items() if name != "joint" and high >= ins["joint"][1]]
        yield Goal(
            name=f"INS@{REASONS} above every other method, intervals apart",
            aim="all",
            measured=f"{ins['joint'][0]:.2f} [{ins['joint'][1]:.2f}, {ins['joint'][2]:.2f}]",
            is_met=not level,
            how=how + ("; not apart from " + ", ".join(level) if level else ""),
        )
        for name, code, aim in (("neutral mask", "neutral_mask", 0.9), ("one more interaction", "one_more", 0.7)):
            value = ours[code][0]
            yield Goal(
                name=f"stability of the first {REASONS}, {name}",
                aim=f"≥ {aim:.2f}",
                measured=f"{value:.3f}",
                is_met=value >= aim,
                how=how,
            )


@torch.inference_mode()
def of_clock() -> Iterator[Goal]:
    """One core, `small`, made-up histories of 2 to 50 lines, 5,000 products, 10 explained."""
    torch.set_num_threads(1)
    shared = explaining.made_context(explaining.made_model(explaining.PRODUCTS))
    lines = explaining.made_lines(SHOPPERS, explaining.PRODUCTS)
    spent = explaining.best(shared, lines, explained=10, batch=BATCH, rounds=3)
    how = f"{spent.shoppers} made-up shoppers, {spent.lines:.0f} lines each, 5,000 products, CPU time of one core"
    ratio = spent.seconds["leave one out"] / spent.seconds["score"]
    yield Goal(
        name="leaving one out of each, beside scoring",
        aim="≤ 3 ×",
        measured=f"{ratio:.1f} ×",
        is_met=ratio <= 3,
        how=how,
    )
    rate = spent.shoppers / spent.whole
    yield Goal(
        name="read, rank, screen, choose, verify, assemble",
        aim="≥ 250 shoppers/s",
        measured=f"{rate:.0f} shoppers/s",
        is_met=rate >= 250,
        how=f"{how}; {spent.whole / spent.seconds['score']:.1f} × scoring; peak memory {spent.peak_mib:.0f} MiB",
    )


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def page(goals: list[Goal], facts: dict[str, Any]) -> str:
    rows = [[goal.name, goal.aim, goal.measured, "yes" if goal.is_met else "**no**", goal.how] for goal in goals]
    told = ", ".join(f"{name} {value}" for name, value in facts.items())
    return (
        "# What explanations are held to\n\nWritten by `python -m tests.benchmarks.explanations.goals`; what was "
        f"tried where a goal is missed stands in the [README](../README.md).\n\n{told}.\n\n"
        + table(["goal", "aim", "measured", "met", "how"], rows)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slates", type=int, default=500, help="lists that are replayed")
    chosen = parser.parse_args()
    run = Run.objects.live().select_related("version").first()
    if run is None:
        sys.exit("No run is live. Remedy: start `make demo` once, or publish a run.")
    goals = [*of_stored(run), *of_replay(run, chosen.slates), *of_comparison(), *of_clock()]
    ndcg = run.version.metrics.get("new", {}).get("transformer", {}).get("ndcg@10")
    check = VersionCheck.objects.filter(version=run.version_id).first()
    facts = {
        "NDCG@10 of the live version": ndcg,
        "placebo floor": None if check is None else round(check.placebo_floor, 4),
        "torch": torch.__version__,
    }
    (RESULTS / "goals.md").write_text(page(goals, facts))
    for goal in goals:
        sys.stdout.write(f"{'met   ' if goal.is_met else 'MISSED'} {goal.name}: {goal.measured} ({goal.aim})\n")


if __name__ == "__main__":
    main()
