"""Whether models that differ in their seed alone give the same reasons: what a reason owes to chance in training."""

import itertools
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from django.db import transaction

from explanations import checks, quality
from explanations.assembly import LEAST
from explanations.models import VersionCheck
from explanations.quality import Made
from recommendations import inference
from recommendations.figures import same_but_for_the_seed
from recommendations.ml.data import Ints
from recommendations.ml.ranking import owned_mask
from recommendations.models import ModelVersion


class NothingToCompare(Exception):
    """No other version differs from this one in its seed alone."""


def ensure(version: ModelVersion, *, now: datetime) -> dict[str, Any]:
    """Measure, and keep it with the version's check. Raises NothingToCompare."""
    versions = list(same_but_for_the_seed(version))
    if len(versions) < 2:
        raise NothingToCompare
    check = checks.ensure(version, now=now)
    found = measure(versions, now=now)
    with transaction.atomic():
        kept = VersionCheck.objects.select_for_update().get(pk=check.pk)
        kept.measures = {**kept.measures, "seeds": found}
        kept.save(update_fields=["measures"])
    return found


def measure(versions: Sequence[ModelVersion], *, now: datetime) -> dict[str, Any]:
    """Means over pairs of versions, shoppers and products, for versions of one snapshot.

    `same_products`: share of one list's first products that stand on the other; of these, `likeness@3`: Jaccard of the
    up to three units chosen, and `same_first`: how often the strongest one is the same.
    """
    models = [inference.loaded(version) for version in versions]
    lines, rows = checks.sample(models[0], now=now)
    offsets = [inference.offset_I(model, as_of=now) for model in models]
    shown = inference.recommendable(models[0])
    same_products: list[float] = []
    likeness: list[float] = []
    same_first: list[float] = []
    rows = rows[: checks.QUALITY]
    for start in range(0, len(rows), checks.BATCH):
        chosen: Ints = rows[start : start + checks.BATCH]
        allowed = shown & ~owned_mask(lines.histories, chosen, models[0].products)
        made = [
            quality.explained(model, lines.histories, chosen, allowed, offset, now, LEAST)
            for model, offset in zip(models, offsets, strict=True)
        ]
        for one, other in itertools.combinations(made, 2):
            likeness += quality.likeness(one, other, range(len(chosen)))
            for row in range(len(chosen)):
                mine, theirs = _first(one, row), _first(other, row)
                both = mine.keys() & theirs.keys()
                same_products.append(len(both) / max(len(mine), 1))
                same_first += [float(mine[item] == theirs[item]) for item in both]
    return {
        "versions": [version.pk for version in versions],
        "shoppers": len(rows),
        "same_products": _mean(same_products),
        "likeness@3": _mean(likeness),
        "same_first": _mean(same_first),
    }


def _first(made: Made, row: int) -> dict[int, int]:
    """Product -> the product of its strongest unit, 0 where it has none."""
    units = made.cases.unit_item_BU[row].tolist()
    items, chosen = made.ranked.column_BK[row].tolist(), made.screening.chosen_BK3[row, :, 0].tolist()
    real = made.ranked.exists_BK[row].tolist()
    strongest = [units[unit] if unit >= 0 else 0 for unit in chosen]
    return {item: first for item, first, is_real in zip(items, strongest, real, strict=True) if is_real}


def _mean(values: list[float]) -> float:
    return round(float(np.mean(values)), 5) if values else 0.0
