"""A version for another shop: its weights, with the rows of products and attributes that many shoppers made."""

# I products, V values of an attribute. Number 0 is padding.
import copy
import tempfile
from pathlib import Path
from typing import IO, cast

import numpy as np
from django.conf import settings

from catalog.models import EventType
from recommendations import inference
from recommendations.ml import balance
from recommendations.ml.bundle import Bundle
from recommendations.ml.data import Ints
from recommendations.ml.exported import ATTRIBUTE, Exported, only
from recommendations.ml.transfer import BY_PRODUCT, OWN_AGAIN, kind_keys
from recommendations.models import ModelVersion

FEWEST_BUYERS = 20  # a row that so few shoppers made could tell of one of them


class NotExportable(Exception):
    """The version cannot be given away; the message says why, and the remedy."""


def export(version: ModelVersion, path: Path, *, with_products: bool = True) -> Exported:
    """Write the version to a new file, whole or not at all. Raises NotExportable, ArtifactDamaged or OSError."""
    if path.exists():
        raise FileExistsError(path)
    exported = _of(version, inference.loaded(version).bundle, with_products=with_products)
    with tempfile.NamedTemporaryFile(prefix=f".{path.name}.", dir=path.parent) as file:
        exported.write(cast(IO[bytes], file))
        file.flush()
        path.hardlink_to(file.name)  # unlike a renaming it replaces nothing
    return exported


def _of(version: ModelVersion, bundle: Bundle, *, with_products: bool) -> Exported:
    buyers = bundle.companion_buyers
    if buyers is None:
        raise NotExportable(
            f"{version} was trained before buyers were counted: nobody knows whose products could tell of one shopper. "
            "Remedy: train a new version."
        )
    products = np.flatnonzero(buyers > FEWEST_BUYERS) if with_products else np.zeros(0, np.int64)
    products = products[products > 0]
    model = copy.deepcopy(bundle.model)
    if stored := version.metrics.get("balance"):
        balance.take_out(model, balance.of(stored))
    weights = {
        name: np.asarray(value.numpy(), np.float32)
        for name, value in model.state_dict().items()
        if name not in OWN_AGAIN
    }
    rows = {name: products for name in BY_PRODUCT if name in weights}
    labels = {}
    for name, values in bundle.catalogue.labels.items():
        if ATTRIBUTE.format(name) not in weights:
            continue
        known = np.flatnonzero(_buyers(bundle.catalogue.attributes[name], len(values), buyers) > FEWEST_BUYERS)
        known = known[known > 0]
        rows[ATTRIBUTE.format(name)] = known
        labels[name] = tuple(values[number - 1] for number in known.tolist())
    codes = dict(EventType.objects.values_list("pk", "code"))
    return Exported(
        config=bundle.model.config,
        keys=tuple(bundle.catalogue.keys[number - 1] for number in products.tolist()),
        labels=labels,
        kinds=tuple(kind_keys(bundle.kinds, codes)),
        encoder=bundle.catalogue.encoder,
        origin=_origin(version),
        weights=only(weights, rows),
    )


def _buyers(values: np.ndarray, size: int, buyers: Ints) -> Ints:
    """[V + 1] how many shoppers bought a product with the value, at least: those of its best-sold one."""
    most = np.zeros(size + 1, np.int64)
    for column in values.T:
        np.maximum.at(most, column, buyers)
    return most


def _origin(version: ModelVersion) -> dict[str, str]:
    return {
        "shop": settings.SHOP_NAME,
        "version": str(version),
        "trained": f"{version.finished_at:%Y-%m-%d}",
        "data_until": f"{version.trained_until:%Y-%m-%d}" if version.trained_until else "",
        "code_revision": version.code_revision,
        "torch": version.torch_version,
    }
