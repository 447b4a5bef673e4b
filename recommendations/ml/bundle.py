"""One model version as it travels: weights with everything that serving needs, and nothing that it does not."""

# I products, N neighbours. Product 0 is padding.
import io
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recommendations.ml.calibration import Calibration
from recommendations.ml.config import ModelConfig
from recommendations.ml.data import Catalogue, Ints
from recommendations.ml.kinds import Kinds
from recommendations.ml.loop import build
from recommendations.ml.model import Recommender
from recommendations.ml.shapes import LATER

FORMAT = 3


def event_calibration(event_type_id: int) -> str:
    """The name among the calibrations of an event type that is predicted beside what is ranked for."""
    return f"type {event_type_id}"


class UnknownFormat(Exception):
    """Written by another release of this code."""


@dataclass(kw_only=True, slots=True)
class Bundle:
    """`product_ids` [I + 1] and `category_ids` [I + 1] are the shop's own ids (0: none)."""

    model: Recommender
    catalogue: Catalogue
    product_ids: Ints
    category_ids: Ints
    kinds: Kinds
    companions: Ints  # [I + 1, N] product numbers, best first, 0 where there are no more
    companion_log_p: NDArray[np.float32]  # [I + 1, N] log P(companion | product) in one basket
    popularity_log_p: NDArray[np.float32]  # [I + 1] log P(product) in a basket
    repeat_buyers: Ints  # [I + 1] how many shoppers bought it more than once
    # [I + 1, N] how many different shoppers have both in one basket; [I + 1] how many have the product in one. None in
    # what was trained before they were counted: then nobody knows whether they are enough to speak of.
    companion_people: Ints | None = None
    companion_buyers: Ints | None = None
    calibrations: dict[str, Calibration] = field(default_factory=dict)  # by placement, and by event type

    @property
    def event_type_ids(self) -> Ints:
        """[T + 1] of each kind of line."""
        return self.kinds.event_type_ids

    def number_of(self) -> dict[int, int]:
        """Product id -> number in the model."""
        return {int(pk): number for number, pk in enumerate(self.product_ids) if number}


def dump(bundle: Bundle) -> bytes:
    """Equal bundles give equal bytes."""
    catalogue = bundle.catalogue
    stored: dict[str, Any] = {
        "format": FORMAT,
        "config": asdict(bundle.model.config),
        "weights": bundle.model.state_dict(),
        "products": catalogue.products,
        "attributes": {name: _tensor(values) for name, values in catalogue.attributes.items()},
        "sizes": dict(catalogue.sizes),
        "keys": list(catalogue.keys),
        "labels": {name: list(labels) for name, labels in catalogue.labels.items()},
        "texts": None if catalogue.texts is None else _tensor(catalogue.texts),
        "encoder": catalogue.encoder,
        "kinds": {
            name: _tensor(getattr(bundle.kinds, name)) for name in ("event_type_ids", "lows", "strengths", "is_target")
        },
        "calibrations": {name: value.to_json() for name, value in bundle.calibrations.items()},
        "arrays": {
            name: _tensor(getattr(bundle, name))
            for name in (
                "product_ids",
                "category_ids",
                "companions",
                "companion_log_p",
                "popularity_log_p",
                "repeat_buyers",
                "companion_people",
                "companion_buyers",
            )
            if getattr(bundle, name) is not None
        },
    }
    buffer = io.BytesIO()
    torch.save(stored, buffer)
    return buffer.getvalue()


def load(data: bytes) -> Bundle:
    """Raises UnknownFormat; unpickles nothing but tensors and plain values."""
    stored = torch.load(io.BytesIO(data), weights_only=True)
    if stored["format"] == 1:
        stored = _from_first(stored)
    if stored["format"] == 2:
        stored = {**stored, "format": FORMAT, "texts": None, "encoder": ""}  # the second knew no texts
    if stored["format"] != FORMAT:
        raise UnknownFormat(stored["format"])
    catalogue = Catalogue(
        products=stored["products"],
        attributes={name: values.numpy() for name, values in stored["attributes"].items()},
        sizes=stored["sizes"],
        keys=tuple(stored.get("keys", ())),
        labels={name: tuple(labels) for name, labels in stored.get("labels", {}).items()},
        texts=None if stored["texts"] is None else stored["texts"].numpy(),
        encoder=stored["encoder"],
    )
    arrays = {name: values.numpy() for name, values in stored["arrays"].items()}
    kinds = Kinds(**{name: values.numpy() for name, values in stored["kinds"].items()})
    model = build(ModelConfig(**stored["config"]), catalogue, kinds)
    later = {name: torch.full_like(value, LATER[name]) for name, value in model.state_dict().items() if name in LATER}
    model.load_state_dict(later | stored["weights"])
    return Bundle(
        model=model.eval(),
        catalogue=catalogue,
        kinds=kinds,
        calibrations={name: Calibration.from_json(value) for name, value in stored["calibrations"].items()},
        **arrays,
    )


def _from_first(stored: dict[str, Any]) -> dict[str, Any]:
    """The first format knew event types only, and no model of it had the parts that came later."""
    ids = stored["arrays"].pop("event_type_ids")
    ones = torch.ones(len(ids), dtype=torch.float64)
    return {
        **stored,
        "format": 2,
        "config": {"uses_repeats": False, "predicts_types": False, **stored["config"]},
        "kinds": {
            "event_type_ids": ids,
            "lows": ones * float("-inf"),
            "strengths": ones,
            "is_target": ids > 0,
        },
    }


def _tensor(values: NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values))
