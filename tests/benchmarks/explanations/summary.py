"""Arrays of shoppers → measures with bootstrap intervals over shoppers."""

# B shoppers, M methods, K ranks of recommended products, S sizes of a set, V variants.
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explanations.methods.choosing import REASONS
from tests.benchmarks.explanations.effects import OPERATORS
from tests.benchmarks.explanations.stages import LARGEST, ONLY, SINGLE, WITHOUT, Arrays

POS_RANK = 10  # POS asks whether the product is still among so many
DRAWS = 2_000
BY_SIZE = ("pos", "cdcg", "del", "ins")


def by_size(faithfulness: Arrays, operator: str) -> dict[str, NDArray[np.float64]]:
    """[B, M, K, S] each."""
    full = faithfulness[f"{operator}_full_log_p"][:, None, :, None]
    ratio = np.exp(faithfulness[f"{operator}_log_p"].astype(np.float64) - full)
    without = faithfulness[f"{operator}_rank"][..., WITHOUT : WITHOUT + LARGEST]
    return {
        "pos": (without <= POS_RANK).astype(np.float64),
        "cdcg": 1 / np.log2(1 + without),
        "del": ratio[..., WITHOUT : WITHOUT + LARGEST],
        "ins": ratio[..., ONLY : ONLY + LARGEST],
    }


def polarity(faithfulness: Arrays, operator: str) -> NDArray[np.float64]:
    """[B, M]: share of the three first units whose removal does not lower log p."""
    full = faithfulness[f"{operator}_full_log_p"][:, None, :, None]
    single = faithfulness[f"{operator}_log_p"][..., SINGLE : SINGLE + REASONS]
    return np.asarray((single >= full).mean((2, 3)))


class Bootstrap:
    """The same draws of shoppers for every measure of one stage."""

    def __init__(self, shoppers: int, *, draws: int = DRAWS):
        drawn = np.random.default_rng(0).integers(0, shoppers, (draws, shoppers))
        self.weights = np.stack([np.bincount(row, minlength=shoppers) for row in drawn]).astype(np.float64)

    def __call__(self, values_B: NDArray[np.float64]) -> list[float]:
        """Mean, and its 95 % interval; shoppers without a value are left out."""
        known = np.isfinite(values_B)
        if not known.any():
            return [float("nan")] * 3
        weights = self.weights[:, known]
        means = weights @ values_B[known] / np.maximum(weights.sum(1), 1)
        low, high = np.percentile(means, [2.5, 97.5])
        return [round(float(number), 5) for number in (values_B[known].mean(), low, high)]


def summarise(
    arrays: Mapping[str, Arrays], names: Sequence[str], *, facts: Mapping[str, Any], reference: str
) -> dict[str, Any]:
    """All measures of a subject; `minus`: paired difference to `reference` for DEL@3 and INS@3."""
    faithfulness = arrays["faithfulness"]
    shoppers = len(faithfulness["units"])
    draw = Bootstrap(shoppers)
    result: dict[str, Any] = {
        "facts": dict(facts) | {"asked": shoppers, "units": round(float(faithfulness["units"].mean()), 1)},
        "methods": {
            name: {"cpu_ms": round(float(faithfulness["cost_ms"][:, m].mean()), 2)} for m, name in enumerate(names)
        },
    }
    for operator in OPERATORS:
        measured, violations = by_size(faithfulness, operator), polarity(faithfulness, operator)
        for m, name in enumerate(names):
            entry: dict[str, Any] = {
                measure: [draw(values[:, m, :, size].mean(1)) for size in range(LARGEST)]
                for measure, values in measured.items()
            }
            entry["polarity_violations"] = draw(violations[:, m])
            entry["by_rank"] = {
                measure: [draw(values[:, m, rank, REASONS - 1]) for rank in range(values.shape[2])]
                for measure, values in measured.items()
            }
            entry[f"minus_{reference}"] = {
                measure: draw((values[:, m] - values[:, names.index(reference)])[..., REASONS - 1].mean(1))
                for measure, values in measured.items()
            }
            result["methods"][name][operator] = entry
    for stage in ("stability", "sanity", "optimality"):
        for measure, values in arrays[stage].items():
            again = Bootstrap(len(values))
            for m, name in enumerate(names):
                result["methods"][name][measure] = again(_mean(values[:, m]))
    return result


def _mean(values_BK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over products, those without a value left out; NaN where none has one."""
    known = np.isfinite(values_BK)
    return np.where(known.any(1), np.where(known, values_BK, 0).sum(1) / np.maximum(known.sum(1), 1), np.nan)
