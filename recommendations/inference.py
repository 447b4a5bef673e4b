"""The live model in memory, and shoppers' histories as it reads them."""

# S shoppers, N lines, I products, D width.
import gc
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import torch
from django.db.models import Count
from torch import Tensor

from catalog.models import Interaction, Product
from recommendations import artifacts
from recommendations.ml import bundle as bundles
from recommendations.ml.data import RECENT, Histories, Ints
from recommendations.models import ModelVersion

KEPT = 2  # versions in memory: the live one and its successor

_loaded: dict[int, "Loaded"] = {}
_lock = threading.Lock()


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """A version ready to serve: its bundle, and every product's vector and static bias, computed once."""

    version_id: int
    bundle: bundles.Bundle
    number_of: dict[int, int]
    vectors_ID: Tensor  # [I + 1, D]
    bias_I: Tensor  # [I + 1]

    @property
    def products(self) -> int:
        return self.bundle.catalogue.products


@dataclass(frozen=True, kw_only=True, slots=True)
class ShopperLines:
    """Histories of some shoppers with the interactions they are made of.

    Several interactions with one product at one moment are one line; `interaction_ids` [M] of `line` [M] name them.
    What the shopper excluded is a line with product 0: masked, as in the explanation that promised what would happen.
    """

    shopper_ids: Ints
    histories: Histories
    interaction_ids: Ints
    line: Ints


def loaded(version: ModelVersion) -> Loaded:
    """From memory, or from the artifact storage. Raises ArtifactDamaged."""
    with _lock:
        if version.pk not in _loaded:
            while len(_loaded) >= KEPT:
                del _loaded[next(iter(_loaded))]
            bundle = bundles.load(artifacts.load_bytes(version.weights, version.weights_checksum))
            with torch.inference_mode():
                everything = torch.arange(bundle.catalogue.products + 1)
                vectors, bias = bundle.model.products(everything), bundle.model.bias.weight.squeeze(-1).clone()
            _loaded[version.pk] = Loaded(
                version_id=version.pk, bundle=bundle, number_of=bundle.number_of(), vectors_ID=vectors, bias_I=bias
            )
            gc.freeze()  # all this stays: looking for cycles in it again and again is a tenth of the time of a shard
        return _loaded[version.pk]


def offset_I(model: Loaded, *, as_of: datetime, popularity_I: Tensor | None = None) -> Tensor:
    """[I + 1] what a product's score has without any history: bias + recent popularity; -inf for padding.

    `popularity_I`: as counted before; without it, it is counted now.
    """
    offset = model.bias_I.clone()
    if model.bundle.model.config.uses_popularity:
        counted_I = recent_popularity(model, as_of=as_of) if popularity_I is None else popularity_I
        offset = offset + model.bundle.model.popularity_weight.detach() * counted_I
    offset[0] = float("-inf")
    return offset


def recent_popularity(model: Loaded, *, as_of: datetime) -> Tensor:
    """[I + 1] log(1 + purchases by known shoppers in the four weeks before)."""
    rows = (
        Interaction.objects.usable()
        .filter(
            occurred_at__gte=as_of - timedelta(seconds=RECENT),
            occurred_at__lt=as_of,
            event_type__is_target=True,
            shopper__isnull=False,
        )
        .values_list("product_id")
        .annotate(count=Count("pk"))
    )
    counts = np.zeros(model.products + 1, np.float32)
    for product_id, count in rows:
        counts[model.number_of.get(product_id, 0)] += count
    counts[0] = 0
    return torch.from_numpy(np.log1p(counts))


def recommendable(model: Loaded) -> Tensor:
    """[I + 1] True for products that may be shown now."""
    mask = np.zeros(model.products + 1, bool)
    for product_id in Product.objects.recommendable().values_list("pk", flat=True).iterator(chunk_size=10_000):
        mask[model.number_of.get(product_id, 0)] = True
    mask[0] = False
    return torch.from_numpy(mask)


def launched_since(model: Loaded, moment: datetime) -> Tensor:
    """[I + 1] True for products launched at that moment or later."""
    mask = np.zeros(model.products + 1, bool)
    for product_id in Product.objects.filter(launched_at__gte=moment).values_list("pk", flat=True):
        mask[model.number_of.get(product_id, 0)] = True
    mask[0] = False
    return torch.from_numpy(mask)


def shopper_lines(model: Loaded, shopper_ids: Sequence[int], *, as_of: datetime) -> ShopperLines:
    """What the model reads of these shoppers: interactions of types it was trained on, before `as_of`."""
    kinds = model.bundle.kinds
    rows = list(
        Interaction.objects.histories(shopper_ids, until=as_of)
        .filter(event_type__in=sorted(set(kinds.event_type_ids.tolist())))
        .values_list("shopper_id", "occurred_at", "product_id", "event_type_id", "excluded_at", "pk", "value")
    )
    ids = np.asarray(sorted(shopper_ids), np.int64)
    table = np.asarray(
        [(s, int(t.timestamp()), model.number_of.get(p, 0), e, x is not None, i) for s, t, p, e, x, i, _ in rows],
        np.int64,
    ).reshape(-1, 6)
    values = np.asarray([row[-1] if row[-1] is not None else np.nan for row in rows], np.float64)
    table[:, 3] = kinds.numbers(table[:, 3], values)
    table = table[table[:, 2] > 0]
    table = table[np.lexsort(table[:, ::-1].T)]
    new = np.ones(len(table), bool)
    new[1:] = (table[1:, :4] != table[:-1, :4]).any(1)
    lines = table[new]  # a line's first interaction is excluded only if all of them are
    line = np.cumsum(new) - 1
    cited = table[:, 4] == 0
    position = np.searchsorted(ids, lines[:, 0])
    return ShopperLines(
        shopper_ids=ids,
        histories=Histories(
            offsets=np.concatenate([[0], np.cumsum(np.bincount(position, minlength=len(ids)))]).astype(np.int64),
            items=np.where(lines[:, 4] == 0, lines[:, 2], 0).astype(np.int32),
            times=lines[:, 1],
            types=lines[:, 3].astype(np.int32),
            is_target=kinds.is_target,
        ),
        interaction_ids=table[cited, 5],
        line=line[cited],
    )
