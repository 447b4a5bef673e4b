"""Beginning with what an earlier model learnt, of this shop or another one."""

# I products, V values of an attribute, T kinds. Number 0 is padding everywhere.
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from recommendations.ml.data import Catalogue, Ints
from recommendations.ml.kinds import Kinds
from recommendations.ml.model import Recommender

BY_PRODUCT = ("products.ids.weight", "bias.weight", "repeats.tendency.weight")
BY_KIND = ("types.weight", "aims")
PROJECTION = "products.projection.weight"
OWN_AGAIN = ("repeats.is_own", "repeats.trust")  # every training says anew what they are


def places(now: Sequence[Hashable], earlier: Sequence[Hashable]) -> Ints:
    """[len(now) + 1] where each key stood earlier, 0 where it did not; keys are numbered from 1."""
    position = {key: number for number, key in enumerate(earlier, start=1)}
    return np.asarray([0, *(position.get(key, 0) for key in now)], np.int64)


def kind_keys(kinds: Kinds, codes: Mapping[int, str] | None = None) -> list[str]:
    """[T] what tells each kind of line: its event type, by code where `codes` (id -> code) are given, and its level.

    Ids of event types mean something within one shop only; codes are the words of the API.
    """
    return [
        f"{pk if codes is None else codes.get(pk, f'#{pk}')} {low}"
        for pk, low in zip(kinds.event_type_ids[1:].tolist(), kinds.lows[1:].tolist(), strict=True)
    ]


@torch.no_grad()
def warm_start(
    model: Recommender,
    catalogue: Catalogue,
    earlier: Mapping[str, Tensor],
    earlier_catalogue: Catalogue,
    kinds: Ints,
) -> dict[str, int]:
    """Copy into `model` what it shares with the weights of an `earlier` one; what is new keeps its first value.

    1. Rows of products with the same key, of attribute values with the same label, of kinds as `kinds` [T + 1] says.
    2. Everything else (blocks, norms, time and lag tables) where the shapes agree; the projection of texts only where
    one encoder made them.
    Returns how many products, values, kinds and tensors came over, and whether (0 or 1) the projection of texts did.
    """
    stored, mine = earlier, model.state_dict()
    by_row: dict[str, Ints] = dict.fromkeys(BY_PRODUCT, places(catalogue.keys, earlier_catalogue.keys))
    by_row |= dict.fromkeys(BY_KIND, kinds)
    for name, labels in catalogue.labels.items():
        by_row[f"products.attributes.{name}.weight"] = places(labels, earlier_catalogue.labels.get(name, ()))
    tensors, texts = 0, 0
    for name, value in mine.items():
        if name == PROJECTION and catalogue.encoder != earlier_catalogue.encoder:
            continue
        if name in OWN_AGAIN or name not in stored or value.shape[1:] != stored[name].shape[1:]:
            continue
        if name in by_row:
            _rows(value, stored[name], by_row[name])
        elif name.startswith("products.attributes.") or value.shape != stored[name].shape:
            continue
        else:
            value.copy_(stored[name])
        tensors += 1
        texts += name == PROJECTION
    return {
        "products": int((by_row[BY_PRODUCT[0]] > 0).sum()),
        "attribute_values": sum(int((by_row[f"products.attributes.{n}.weight"] > 0).sum()) for n in catalogue.labels),
        "kinds": int((kinds > 0).sum()),
        "tensors": tensors,
        "text_projections": texts,
    }


def _rows(into: Tensor, stored: Tensor, place: Ints) -> None:
    known = torch.from_numpy(np.flatnonzero(place > 0))
    into[known] = stored[torch.from_numpy(place)[known]]
