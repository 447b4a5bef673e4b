"""One evaluator for all answers: measures at 5, 10 and 20, and the paired bootstrap between two contestants."""

# E shoppers, K ranks.
import base64
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from recommendations.ml.data import Ints, NextBaskets
from recommendations.ml.evaluation import Question, question
from recommendations.ml.metrics import Floats, coverage, hits, paired_bootstrap, per_shopper
from tests.benchmarks.ranking.prepared import Prepared

CUTS = (5, 10, 20)


def asked(prepared: Prepared) -> Question:
    """The test baskets by kind: all, products new to the shopper, repeat purchases."""
    return question(prepared.context, prepared.test, prepared.catalogue.products, None)


def measure(ranked_EK: Ints, prepared: Prepared, targets: NextBaskets) -> dict[str, Any]:
    """`ranked_EK` holds a row for each test shopper; those with targets of this kind count."""
    rows = np.searchsorted(prepared.test.shoppers, targets.shoppers)
    ranked = ranked_EK[rows].astype(np.int64)
    products = prepared.catalogue.products
    found, sizes = hits(ranked, targets, products), np.diff(targets.offsets)
    measures: dict[str, Any] = {"shoppers": len(targets.shoppers)}
    for at in CUTS:
        values = per_shopper(found, sizes, at=at)
        measures |= {name: _mean(values[name]) for name in (f"hr@{at}", f"ndcg@{at}")}
        if at == 10:
            measures["packed"] = pack(values["ndcg@10"])
    measures["mrr"] = _mean(per_shopper(found, sizes, at=ranked.shape[1])[f"mrr@{ranked.shape[1]}"])
    measures["coverage@10"] = round(coverage(ranked, products, at=10), 5)
    return measures


def _mean(values: Floats) -> float:
    return round(float(values.mean()), 5)


def pack(values: Floats) -> str:
    """Values in [0, 1], one a shopper, small enough for a text file; exact to 1/65,535."""
    return base64.b64encode(zlib.compress(np.rint(values * 65_535).astype("<u2").tobytes(), 9)).decode()


def unpack(packed: str) -> Floats:
    return np.frombuffer(zlib.decompress(base64.b64decode(packed)), "<u2").astype(np.float64) / 65_535


def lead(ours: Sequence[str], theirs: Sequence[str]) -> tuple[float, float, float]:
    """Ours minus theirs in NDCG@10 and its 95 % interval over shoppers; several seeds are averaged per shopper."""
    return paired_bootstrap(_average(ours), _average(theirs))


def _average(packed: Sequence[str]) -> Floats:
    return np.asarray(np.mean([unpack(values) for values in packed], axis=0))
