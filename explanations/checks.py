"""What is measured of a version before it explains: the placebo floor, and faithfulness against controls."""

# B shoppers, K products.
import zlib
from datetime import datetime
from typing import Any

import numpy as np
import torch
from django.db import connection, transaction
from django.utils import timezone
from torch import Tensor

from catalog.models import Shopper
from explanations import advantage, explaining, fidelity, gate, quality
from explanations.assembly import LEAST
from explanations.explaining import Ranked
from explanations.methods import occlusion, removal
from explanations.methods.own import own, sight
from explanations.models import VersionCheck
from explanations.verification import Candidates
from recommendations import inference
from recommendations.inference import Loaded, ShopperLines
from recommendations.ml.data import Histories, Ints
from recommendations.ml.metrics import Floats, paired_bootstrap
from recommendations.ml.ranking import owned_mask
from recommendations.models import ModelVersion, Run

SAMPLE = 256  # shoppers
FEWEST_UNITS = 5
PRODUCTS = 10
BATCH = 32
QUALITY = 64  # shoppers of whom everything is tried: their histories again and again
LOCK = zlib.crc32(b"explanations.checks")


def ensure(version: ModelVersion, *, now: datetime) -> VersionCheck:
    """The version's check, made by whoever needs it first."""
    found = VersionCheck.objects.filter(version=version).first()
    if found is not None:
        return found
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK % 2**31, version.pk])
        found = VersionCheck.objects.filter(version=version).first()
        if found is None:
            floor, measures, values = measured(inference.loaded(version), now=now)
            live = _of_live(version, values, now=now)
            measures |= {"live": live, "gate": gate.judge(measures, live)}
            found = VersionCheck.objects.create(version=version, placebo_floor=floor, measures=measures)
    return found


def gate_of(version: ModelVersion) -> list[dict[str, Any]]:
    """What `settings.VERSION_GUARDS` adds to the gate of a version that was just trained: its explanations' checks."""
    check = ensure(version, now=timezone.now())
    return [entry | {"text": gate.TEXTS[entry["code"]]} for entry in check.measures.get("gate", ())]


# Of each shopper, known by its id: DEL@3 and INS@3 of our reasons and of the controls.
Values = tuple[Ints, dict[str, Floats]]


def _of_live(version: ModelVersion, values: Values, *, now: datetime) -> dict[str, Any] | None:
    """How many reasons of the live version hold, and how faithful they are, on the same shoppers at the same moment.

    `beside`: what `values` of this version come to on the shoppers that both versions know enough of.
    """
    run = Run.objects.live().exclude(version=version).select_related("version").first()
    check = VersionCheck.objects.filter(version=run.version_id).first() if run is not None else None
    if run is None or check is None:
        return None
    model = inference.loaded(run.version)
    lines, rows = sample(model, now=now)
    offset, shown = inference.offset_I(model, as_of=now), inference.recommendable(model)
    found: dict[str, Any] = {"version": run.version_id, "shoppers": len(rows[:QUALITY])}
    if len(rows):
        theirs = lines.shopper_ids[rows], _faithful(model, lines, rows, offset, shown, now)
        beside, of_live = advantage.against(values, theirs)
        found |= of_live | {"beside": beside}
    return found | _quality(model, lines, rows[:QUALITY], offset, shown, now, check.placebo_floor, is_whole=False)


def measure(model: Loaded, *, now: datetime) -> tuple[float, dict[str, Any]]:
    """The placebo floor, and DEL@3 / INS@3 of our reasons, recency and random on a sample of shoppers."""
    floor, measures, _ = measured(model, now=now)
    return floor, measures


def measured(model: Loaded, *, now: datetime) -> tuple[float, dict[str, Any], Values]:
    """`measure`, and the values of each shopper."""
    lines, rows = sample(model, now=now)
    if not len(rows):
        return 0.0, {"shoppers": 0}, (rows, {})
    offset, shown = inference.offset_I(model, as_of=now), inference.recommendable(model)
    placebo: list[Tensor] = []
    for start in range(0, len(rows), BATCH):
        chosen = rows[start : start + BATCH]
        candidates = shown & ~owned_mask(lines.histories, chosen, model.products)
        placebo.append(_placebo(model, lines.histories, chosen, candidates, offset, now, seed=start))
    floor = float(np.percentile(torch.cat(placebo).numpy(), 95))
    per_shopper = _faithful(model, lines, rows, offset, shown, now)
    measures: dict[str, Any] = {"shoppers": len(rows), "products": PRODUCTS, "placebo_floor": round(floor, 5)}
    for name, column in per_shopper.items():
        measures[name] = round(float(column.mean()), 5)
    for what, column in advantage.advantages(per_shopper).items():
        measures[f"advantage_{what}"] = round(float(column.mean()), 5)
    for control in ("recency", "random"):
        for what in ("del@3", "ins@3"):
            difference = paired_bootstrap(per_shopper[f"ours_{what}"], per_shopper[f"{control}_{what}"])
            measures[f"ours_minus_{control}_{what}"] = [round(number, 5) for number in difference]
    measures |= _quality(model, lines, rows[:QUALITY], offset, shown, now, floor, is_whole=True)
    return floor, measures, (lines.shopper_ids[rows], per_shopper)


def _faithful(
    model: Loaded, lines: ShopperLines, rows: Ints, offset: Tensor, shown: Tensor, now: datetime
) -> dict[str, Floats]:
    values: dict[str, list[Tensor]] = {}
    for start in range(0, len(rows), BATCH):
        chosen = rows[start : start + BATCH]
        candidates = shown & ~owned_mask(lines.histories, chosen, model.products)
        for name, value in _faithfulness(model, lines.histories, chosen, candidates, offset, now, start).items():
            values.setdefault(name, []).append(value)
    return {name: torch.cat(parts).numpy().astype(np.float64) for name, parts in values.items()}


def _quality(
    model: Loaded,
    lines: ShopperLines,
    rows: Ints,
    offset: Tensor,
    shown: Tensor,
    now: datetime,
    floor: float,
    *,
    is_whole: bool,
) -> dict[str, Any]:
    """Shares of what is verified and what decides a place; with `is_whole` also polarity, optimality, steadiness."""
    floor = max(LEAST, floor)
    values: dict[str, list[Tensor]] = {}
    checked = wrong = 0
    scoring = explaining = 0.0  # seconds
    like: dict[str, list[float]] = {"stability_neutral_mask": [], "stability_one_more": []}
    for start in range(0, len(rows), BATCH):
        chosen = rows[start : start + BATCH]
        allowed = shown & ~owned_mask(lines.histories, chosen, model.products)
        made = quality.explained(model, lines.histories, chosen, allowed, offset, now, floor)
        for name, value in quality.shares(made, floor).items():
            values.setdefault(name, []).append(value)
        if not is_whole:
            continue
        scoring, explaining = scoring + made.scoring_seconds, explaining + made.seconds
        count, errors = quality.polarity(model, made, floor, offset)
        checked, wrong = checked + count, wrong + errors
        values.setdefault("optimality@3", []).append(quality.optimality(model, made))
        free = list(quality.neutral(made))
        without = quality.masked(lines.histories, chosen, free)
        other = quality.explained(model, without, chosen, allowed, offset, now, floor)
        like["stability_neutral_mask"] += quality.likeness(made, other, [row for row, _ in free])
        more, inserted = insert_at_random(lines.histories, chosen, model.products, seed=start)
        every = np.arange(len(chosen))
        other = quality.explained(model, more, every, no_longer_new(allowed, inserted), offset, now, floor)
        like["stability_one_more"] += quality.likeness(made, other, every.tolist())
    found: dict[str, Any] = {}
    for name, parts in values.items():
        column = torch.cat(parts)
        found[name] = round(float(column.mean()), 5) if len(column) else 0.0
    if is_whole:
        found |= {"polarity_checked": checked, "polarity_violations": wrong}
        found |= {
            "scored_a_second": round(len(rows) / scoring, 1),
            "explained_a_second": round(len(rows) / explaining, 1),
        }
        found |= {name: round(float(np.mean(column)), 5) for name, column in like.items() if column}
    return found


def sample(model: Loaded, *, now: datetime) -> tuple[ShopperLines, Ints]:
    """Shoppers with at least five units, the same for every run of one version on the same data."""
    ids = list(Shopper.objects.filter(is_personalised=True).order_by("pk").values_list("pk", flat=True))
    drawn = np.random.default_rng(0).permutation(np.asarray(ids, np.int64))[: 4 * SAMPLE]
    lines = inference.shopper_lines(model, drawn.tolist(), as_of=now)
    pairs = np.unique(
        np.stack([np.repeat(np.arange(len(drawn)), np.diff(lines.histories.offsets)), lines.histories.items], axis=1),
        axis=0,
    )
    pairs = pairs[pairs[:, 1] > 0]  # excluded lines carry no product
    units = np.bincount(pairs[:, 0].astype(np.int64), minlength=len(drawn))
    return lines, np.flatnonzero(units >= FEWEST_UNITS)[:SAMPLE]


def _ranked(model: Loaded, cases: removal.Cases, candidates_BI: Tensor, offset: Tensor) -> Ranked:
    recommender = model.bundle.model
    state = removal.states(recommender, cases, cases.real_BL.unsqueeze(1))[:, 0]
    candidates = Candidates.of(candidates_BI, model.vectors_ID, offset, own(recommender, cases))
    return explaining.ranked(state, candidates, PRODUCTS)


@torch.inference_mode()
def _placebo(
    model: Loaded, histories: Histories, rows: Ints, candidates: Tensor, offset: Tensor, now: datetime, *, seed: int
) -> Tensor:
    """Δ log p of the first products when an interaction that was inserted at random is masked again."""
    changed, inserted = insert_at_random(histories, rows, model.products, seed=seed)
    cases = removal.cases(model.bundle.model, changed, np.arange(len(rows)), now=int(now.timestamp()))
    candidates = no_longer_new(candidates, inserted)
    items = _ranked(model, cases, candidates, offset).column_BK
    unit = (cases.unit_item_BU == torch.from_numpy(inserted).unsqueeze(1)).int().argmax(1)
    sets = unit.view(-1, 1, 1).expand(-1, items.shape[1], 1)
    found = fidelity.measure(model.bundle.model, cases, sets, items, candidates, model.vectors_ID, offset)
    return -found.deletion_BK.log().flatten()


def insert_at_random(histories: Histories, rows: Ints, products: int, *, seed: int) -> tuple[Histories, Ints]:
    """The histories of `rows` with one product each that they do not have, in a random place, at that place's time."""
    random = np.random.default_rng(seed)
    items, times, types, inserted = [], [], [], []
    for row in rows:
        part = slice(histories.offsets[row], histories.offsets[row + 1])
        own = histories.items[part]
        item = int(random.integers(1, products + 1))
        while item in own:
            item = int(random.integers(1, products + 1))
        place = int(random.integers(0, len(own)))
        items.append(np.insert(own, place, item))
        times.append(np.insert(histories.times[part], place, histories.times[part][place]))
        types.append(np.insert(histories.types[part], place, histories.types[part][place]))
        inserted.append(item)
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in items])])
    changed = Histories(
        offsets=offsets.astype(np.int64),
        items=np.concatenate(items).astype(np.int32),
        times=np.concatenate(times),
        types=np.concatenate(types),
    )
    return changed, np.asarray(inserted, np.int64)


def no_longer_new(candidates_BI: Tensor, inserted_B: Ints) -> Tensor:
    """What is in a history is not recommended as new, and what it gets for being there says nothing of the others."""
    candidates_BI = candidates_BI.clone()
    candidates_BI[torch.arange(len(inserted_B)), torch.from_numpy(inserted_B)] = False
    return candidates_BI


@torch.inference_mode()
def _faithfulness(
    model: Loaded, histories: Histories, rows: Ints, candidates: Tensor, offset: Tensor, now: datetime, seed: int
) -> dict[str, Tensor]:
    """Means over the first products, [B] each."""
    recommender, vectors = model.bundle.model, model.vectors_ID
    cases = removal.cases(recommender, histories, rows, now=int(now.timestamp()))
    found = _ranked(model, cases, candidates, offset)
    items = found.column_BK
    seen = sight(found.candidates.own, found.pool_BN, items)
    shared = removal.read(recommender, cases)
    ours = occlusion.screen(recommender, cases, found.pool, vectors[items], offset[items], shared, seen).chosen_BK3
    count = items.shape[1]
    sets = {
        "ours": ours,
        "recency": fidelity.most_recent(cases, count, ours.shape[-1]),
        "random": fidelity.random_units(cases, count, ours.shape[-1], seed=seed),
    }
    result = {}
    for name, chosen in sets.items():
        measured = fidelity.measure(recommender, cases, chosen, items, candidates, vectors, offset)
        result[f"{name}_del@3"] = measured.deletion_BK.mean(1)
        result[f"{name}_ins@3"] = measured.insertion_BK.mean(1)
    return result
