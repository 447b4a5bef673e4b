"""How fast shoppers are explained: `python -m tests.benchmarks.explaining [--version ID]`, by hand.

Without a version: a model of size `small` with random weights and made-up histories of 2 to 50 lines, no database.
With one: that version and the shoppers of the database that the environment names. One core; times are those of this
process, whatever else the machine does, and the best of several rounds.
"""

# S shoppers, J columns (products that may be ranked).
import argparse
import gc
import os
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
if "--version" not in sys.argv and __name__ == "__main__":  # nothing of it is reached
    os.environ.setdefault("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")
    os.environ.setdefault("REDIS_URL", "redis://127.0.0.1:1")
    os.environ.setdefault("SECRET_KEY", "benchmark")

import django

django.setup()

import numpy as np
import torch

from catalog.models import Shopper
from explanations import engine, explaining, splitting
from explanations.methods import occlusion, removal
from explanations.methods.reading import last_block
from explanations.slates import LONGEST_SLATE
from explanations.verification import Candidates
from recommendations import inference
from recommendations.inference import Loaded, ShopperLines
from recommendations.ml.bundle import Bundle
from recommendations.ml.calibration import Calibration
from recommendations.ml.config import SIZES
from recommendations.ml.data import DAY, Catalogue, Histories, Ints
from recommendations.ml.kinds import Kinds
from recommendations.ml.model import Recommender
from recommendations.ml.ranking import owned_mask, top
from recommendations.models import Placement, Run

PRODUCTS = 5_000
CATEGORIES = 60
LONGEST = 50
WHOLE = ("read", "rank", "screen", "verify", "assemble")
NOW = 800 * DAY


def made_model(products: int) -> Loaded:
    """Random weights with the spread of trained ones: scores differ by a few units, attention is uneven."""
    torch.manual_seed(5)
    config = SIZES["small"]
    category = np.random.default_rng(5).integers(1, CATEGORIES + 1, products + 1).astype(np.int32)
    category[0] = 0
    sizes = {"category": CATEGORIES}
    catalogue = Catalogue(products=products, attributes={"category": category[:, None]}, sizes=sizes)
    model = Recommender(
        config,
        products=products,
        attributes={"category": torch.from_numpy(category[:, None]).long()},
        sizes=sizes,
        event_types=2,
    ).eval()
    with torch.no_grad():
        for table in (model.products.ids, model.products.attributes["category"]):
            assert isinstance(table, torch.nn.Embedding)
            torch.nn.init.normal_(table.weight, std=0.2)
            table.weight[0] = 0.0
        _, attention = last_block(model)
        attention.query.weight *= 3.0
        attention.key.weight *= 3.0
        torch.nn.init.normal_(model.bias.weight, std=0.5)
        vectors, bias = model.products(torch.arange(products + 1)), model.bias.weight.squeeze(-1).clone()
    none = np.zeros((products + 1, 1))
    even = Calibration(knots=(-20.0, 0.0), chances=(0.0, 1.0))
    bundle = Bundle(
        model=model,
        catalogue=catalogue,
        product_ids=np.arange(products + 1),
        category_ids=category.astype(np.int64),
        kinds=Kinds.of([(1, 1.0, True), (2, 1.0, True)], {}),
        companions=none.astype(np.int64),
        companion_log_p=none.astype(np.float32),
        popularity_log_p=none[:, 0].astype(np.float32),
        repeat_buyers=none[:, 0].astype(np.int64),
        calibrations={Placement.HOME.value: even, Placement.BUY_AGAIN.value: even},
    )
    return Loaded(version_id=1, bundle=bundle, number_of=bundle.number_of(), vectors_ID=vectors, bias_I=bias)


def made_lines(shoppers: int, products: int) -> ShopperLines:
    """Histories of 2 to 50 lines in baskets of about four, popular products more often."""
    random = np.random.default_rng(6)
    items, times, lengths = [], [], []
    for _ in range(shoppers):
        length = int(random.integers(2, LONGEST + 1))
        basket = np.sort(random.integers(0, max(1, length // 4), length))
        day = np.sort(random.choice(np.arange(1, 790), length, replace=False))
        items.append(1 + (random.random(length) ** 2 * products).astype(np.int64))
        times.append(day[basket] * DAY)
        lengths.append(length)
    flat, total = np.concatenate(items), sum(lengths)
    histories = Histories(
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        items=flat.astype(np.int32),
        times=np.concatenate(times),
        types=random.integers(1, 3, total).astype(np.int32),
    )
    return ShopperLines(
        shopper_ids=np.arange(shoppers), histories=histories, interaction_ids=np.arange(total), line=np.arange(total)
    )


def made_context(model: Loaded) -> engine.Context:
    offset = model.bias_I.clone()
    offset[0] = float("-inf")
    shown = torch.ones(model.products + 1, dtype=torch.bool)
    shown[0] = False
    return engine.Context(
        run=Run(pk=1, version_id=1),
        model=model,
        now=datetime.fromtimestamp(NOW, UTC),
        offset_I=offset,
        shown_I=shown,
        new_I=torch.zeros_like(shown),
        floor=0.0488,
        means=splitting.means(model),
        codes={1: "purchase", 2: "view"},
    )


def stored_lines(shared: engine.Context, most: int) -> ShopperLines:
    """Shoppers of the database who have a history."""
    ids = Shopper.objects.filter(is_personalised=True).order_by("pk").values_list("pk", flat=True)[:most]
    return inference.shopper_lines(shared.model, list(ids), as_of=shared.now)


class Clock:
    """Seconds of this process by step."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        begun = time.process_time()
        yield
        self.spent[name] += time.process_time() - begun


def round_of(
    shared: engine.Context, lines: ShopperLines, batches: list[tuple[Ints, int]], explained: int
) -> tuple[Clock, int]:
    """Every shopper once, placement `home`: what the engine does, step by step. The clock, and contracts with a reason.

    Beside them, not a part of the whole: `score` is what recommending alone takes, and `leave one out` screening's
    first half.
    """
    clock, verified_contracts = Clock(), 0
    model, everybody = shared.model.bundle.model, torch.nonzero(shared.shown_I.index_fill(0, torch.tensor(0), True))
    number_J = everybody.squeeze(1)
    vectors_JD, offset_J = shared.model.vectors_ID[number_J], shared.offset_I[number_J]
    for rows, length in batches:
        allowed_BJ = (shared.shown_I & ~owned_mask(lines.histories, rows, shared.model.products))[:, number_J]
        with clock.step("score"):
            cases = removal.cases(model, lines.histories, rows, now=int(shared.now.timestamp()))
            state_BD = removal.states(model, cases, cases.real_BL.unsqueeze(1))[:, 0]
            top((state_BD @ vectors_JD.T + offset_J).masked_fill_(~allowed_BJ, float("-inf")), 10)
        with clock.step("read"):
            batch = engine.batch_of(shared, lines, rows, padded_to=length)
        with clock.step("rank"):
            found = explaining.ranked(batch.state_BD, Candidates.of(allowed_BJ, vectors_JD, offset_J), LONGEST_SLATE)
        with clock.step("leave one out"):
            column_BK = found.column_BK[:, :explained]
            vectors, offset = vectors_JD[column_BK], offset_J[column_BK]
            occlusion.leave_one_out(model, batch.cases, found.pool, vectors, offset, batch.reading)
        with clock.step("screen"):
            screened = explaining.screened(model, batch.cases, batch.groups, found, batch.reading, shown=explained)
        with clock.step("verify"):
            verified = explaining.verified(model, batch.cases, found, screened, batch.reading, floor=shared.floor)
        with clock.step("assemble"):
            slates = list(engine.written(shared, batch, Placement.HOME, number_J, found, screened, verified))
        verified_contracts += sum(bool(one.verified_reasons) for slate in slates for one in slate.contracts)
    return clock, verified_contracts


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """CPU seconds by step for all shoppers, the best of the rounds; `whole` is of one round, the best."""

    shoppers: int
    lines: float  # mean of those that are read
    seconds: dict[str, float]
    whole: float
    verified: float  # share of contracts with a verified reason
    peak_mib: float


@torch.inference_mode()
def best(shared: engine.Context, lines: ShopperLines, *, explained: int, batch: int, rounds: int) -> Spent:
    lengths = np.diff(lines.histories.offsets)
    known, most = np.flatnonzero(lengths > 0), shared.model.bundle.model.config.history
    batches = list(engine.batches(lines.histories, most, batch))
    done = [round_of(shared, lines, batches, explained) for _ in range(rounds)]
    return Spent(
        shoppers=len(known),
        lines=float(np.minimum(lengths[known], most).mean()),
        seconds={name: min(clock.spent[name] for clock, _ in done) for name in ("score", "leave one out", *WHOLE)},
        whole=min(sum(clock.spent[name] for name in WHOLE) for clock, _ in done),
        verified=done[0][1] / len(known) / explained,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def told(spent: Spent, *, products: int, explained: int) -> Iterator[str]:
    yield f"{spent.shoppers} shoppers, {spent.lines:.0f} lines each, {products} products, {explained} explained"
    for name, seconds in (*spent.seconds.items(), ("whole", spent.whole)):
        yield row(name, seconds, spent.shoppers, spent.seconds["score"])
    yield f"{spent.verified:.1%} of contracts have a verified reason; peak memory {spent.peak_mib:.0f} MiB"


def row(name: str, seconds: float, shoppers: int, score: float) -> str:
    rate, each = shoppers / seconds, seconds / shoppers * 1e3
    return f"{name:14} {rate:9,.0f} shoppers/s {each:8.3f} ms a shopper {seconds / score:6.1f} x score"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", type=int)
    parser.add_argument("--shoppers", type=int, default=512)
    parser.add_argument("--products", type=int, default=5_000)
    parser.add_argument("--explained", type=int, default=10)
    parser.add_argument("--batch", type=int, default=engine.BATCH)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.version is None:
        shared, lines = made_context(made_model(options.products)), made_lines(options.shoppers, options.products)
    else:
        run = Run.objects.filter(version=options.version).latest("as_of")
        shared = engine.context(run, now=run.as_of)
        lines = stored_lines(shared, options.shoppers)
    gc.freeze()  # as when a worker has loaded a model
    spent = best(shared, lines, explained=options.explained, batch=options.batch, rounds=options.rounds)
    for line in told(spent, products=shared.model.products, explained=options.explained):
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
