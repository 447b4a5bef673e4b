"""The model's forward a second time, for audits: numpy in float64 from the stored weights, one history at a time.

It shares no code with the model or with the fast path, so that a mistake in either is seen here.
"""

# L visible lines, D width, H heads, E width of a head, I products.
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from recommendations.ml.bundle import Bundle

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
erf = np.vectorize(math.erf, otypes=[np.float64])
NORM = 1e-5


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """What one shopper did before `now`: the window that the model reads, oldest first; `basket` counts from 0."""

    items: Ints
    types: Ints
    times: Ints
    baskets: Ints
    now: int

    def only(self, kept: Flags) -> "Past":
        """Nothing else ever was; what is kept keeps its time and the number of its basket."""
        columns = {name: getattr(self, name)[kept] for name in ("items", "types", "times", "baskets")}
        return Past(**columns, now=self.now)


class PlainModel:
    """`weights` is the model's state; `attributes` name -> [I + 1, M] values, 0 where there is none; `texts` the frozen
    vectors of titles and descriptions.
    """

    def __init__(
        self, weights: Mapping[str, Any], attributes: Mapping[str, Any], texts: Any = None, *, heads: int, blocks: int
    ):
        self.weights = {name: np.asarray(value, np.float64) for name, value in weights.items()}
        self.heads, self.blocks = heads, blocks
        self.vectors_ID = self.weights["products.ids.weight"].copy()
        for name, stored in attributes.items():
            if f"products.attributes.{name}.weight" in self.weights:
                table, values = self.weights[f"products.attributes.{name}.weight"], np.asarray(stored)
                known = (values > 0)[..., None]
                self.vectors_ID += (table[values] * known).sum(1) / np.maximum(known.sum(1), 1)
        if texts is not None and "products.projection.weight" in self.weights:
            self.vectors_ID += np.asarray(texts, np.float64) @ self.weights["products.projection.weight"].T

    @classmethod
    def of(cls, bundle: "Bundle") -> "PlainModel":
        config, catalogue = bundle.model.config, bundle.catalogue
        return cls(
            bundle.model.state_dict(), catalogue.attributes, catalogue.texts, heads=config.heads, blocks=config.blocks
        )

    def scores(self, past: Past, next_basket: int, offset_I: Floats) -> Floats:
        """[I + 1] the score of every product after this history; `offset_I` is what needs no history."""
        state_D = self._state(past, next_basket)
        scores_I: Floats = self.vectors_ID @ state_D + offset_I
        if "repeats.inclination.weight" in self.weights:
            bought = past.only(self.weights["repeats.is_own"][past.types].astype(bool))
            for item in set(bought.items.tolist()):
                scores_I[item] += self._repeat(bought, item, state_D)
        return scores_I

    def _state(self, past: Past, next_basket: int) -> Floats:
        tokens_LD = self.vectors_ID[past.items]
        if "types.weight" in self.weights:
            tokens_LD = tokens_LD + self.weights["types.weight"][past.types]
        for block in range(self.blocks - 1):
            rows = []
            for line in range(len(past.items)):
                earlier = past.baskets < past.baskets[line]
                lags, gaps = past.baskets[line] - past.baskets[earlier], past.times[line] - past.times[earlier]
                rows.append(self._block(block, tokens_LD[line], tokens_LD[earlier], lags, gaps))
            tokens_LD = np.stack(rows) if rows else tokens_LD
        query_D = self.weights["empty"]
        if len(past.items):
            latest = past.baskets == past.baskets.max()
            query_D = tokens_LD[latest].mean(0)
            if "gaps.weight" in self.weights:
                query_D = query_D + self.weights["gaps.weight"][_gap(past.now - past.times[latest].min())]
        lags, gaps = next_basket - past.baskets, past.now - past.times
        return self._norm("norm", self._block(self.blocks - 1, query_D, tokens_LD, lags, gaps))

    def _block(self, number: int, query_D: Floats, key_LD: Floats, lags: Ints, gaps: Ints) -> Floats:
        name = f"blocks.{number}"
        size = len(query_D) // self.heads
        asked_HE = self._linear(f"{name}.attention.query", self._norm(f"{name}.norm_query", query_D))
        asked_HE = asked_HE.reshape(self.heads, size)
        normed_LD = self._norm(f"{name}.norm_key", key_LD) if len(key_LD) else key_LD.reshape(0, len(query_D))
        keys_LHE = self._linear(f"{name}.attention.key", normed_LD).reshape(-1, self.heads, size)
        values_LHE = self._linear(f"{name}.attention.value", normed_LD).reshape(-1, self.heads, size)
        mixed_HE = np.empty_like(asked_HE)
        for head in range(self.heads):
            logits = [float(self.weights[f"{name}.attention.null_logit"][head])]
            values = [self.weights[f"{name}.attention.null_value"][head]]
            for line in range(len(keys_LHE)):
                logit = float(keys_LHE[line, head] @ asked_HE[head]) / math.sqrt(size)
                logit += float(self.weights[f"{name}.attention.lag_bias.weight"][_lag(int(lags[line])), head])
                if f"{name}.attention.gap_bias.weight" in self.weights:
                    logit += float(self.weights[f"{name}.attention.gap_bias.weight"][_gap(int(gaps[line])), head])
                logits.append(logit)
                values.append(values_LHE[line, head])
            shares = np.exp(np.asarray(logits) - max(logits))
            mixed_HE[head] = (shares / shares.sum()) @ np.stack(values)
        hidden_D = query_D + self._linear(f"{name}.attention.out", mixed_HE.reshape(-1))
        inner = self._linear(f"{name}.feed_forward.0", self._norm(f"{name}.norm_hidden", hidden_D))
        inner = inner * 0.5 * (1 + erf(inner / math.sqrt(2)))
        return hidden_D + self._linear(f"{name}.feed_forward.3", inner)

    def _repeat(self, past: Past, item: int, state_D: Floats) -> float:
        own = past.items == item
        base = self.weights["repeats.count.weight"][min(20, int(own.sum())), 0]
        base += self.weights["repeats.tendency.weight"][item, 0]
        if "repeats.gap.weight" in self.weights:
            base += self.weights["repeats.gap.weight"][_gap(past.now - int(past.times[own].max())), 0]
            ages = [_gap(past.now - moment) for moment in past.times[own].tolist()]
        else:
            ages = [0] * int(own.sum())
        faded = np.exp(np.clip(20 * self.weights["repeats.fading.weight"][ages, 0], -30, 30)).sum()
        base += self.weights["repeats.rise"] * math.log(faded)
        opened, shift = self._linear("repeats.inclination", state_D).tolist()
        doubted = (self.weights["repeats.trust"] - 1) * (self.vectors_ID[item] @ state_D)
        return 2 / (1 + math.exp(-2 * opened)) * 20 * float(base) + float(shift) + float(doubted)

    def _linear(self, name: str, x: Floats) -> Floats:
        found: Floats = x @ self.weights[f"{name}.weight"].T + self.weights.get(f"{name}.bias", np.zeros(1))
        return found

    def _norm(self, name: str, x: Floats) -> Floats:
        centred = x - x.mean(-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(-1, keepdims=True) + NORM)
        found: Floats = centred / spread * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
        return found


def _lag(baskets: int) -> int:
    """Exact up to 32 baskets back, then logarithmic, 40 buckets."""
    return max(0, baskets) if baskets < 32 else min(39, 32 + int(math.log2(baskets / 32) * 2))


def _gap(seconds: int) -> int:
    """Logarithmic from an hour, 24 buckets."""
    return min(23, int(math.log2(1 + max(0, seconds) / 3600) * 1.4))
