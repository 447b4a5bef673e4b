"""A version as another shop gets it: what a training can begin with, and nothing that tells of one shopper."""

# I products, V values of an attribute, T kinds. Number 0 is padding everywhere.
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import IO, Any, Self, TypeGuard

import numpy as np

from recommendations.ml import tensor_files
from recommendations.ml.config import ModelConfig
from recommendations.ml.shapes import LATER, shapes
from recommendations.ml.tensor_files import Damaged, Floats

FORMAT = 1
LONGEST = 400  # characters of a name: ids, labels of attributes, and what is said of the origin
ATTRIBUTE = "products.attributes.{}.weight"
PROJECTION = "products.projection.weight"


class OtherFormat(Exception):
    """Written by another release; the message is the number of its format."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """`keys` [I], `labels` (attribute -> [V]) and `kinds` [T] say what the rows from 1 of the weights stand for.

    `encoder` made the vectors that the projection of texts was learnt on. `origin`: where it comes from, for people.
    """

    config: ModelConfig
    keys: tuple[str, ...]
    labels: dict[str, tuple[str, ...]]
    kinds: tuple[str, ...]
    encoder: str
    origin: dict[str, str]
    weights: dict[str, Floats]

    def write(self, file: IO[bytes]) -> None:
        description = {
            "format": FORMAT,
            "config": asdict(self.config),
            "keys": self.keys,
            "labels": self.labels,
            "kinds": self.kinds,
            "encoder": self.encoder,
            "origin": self.origin,
        }
        tensor_files.write(file, self.weights, description)

    @classmethod
    def read(cls, file: IO[bytes]) -> Self:
        """Raises NotSuchAFile, Damaged or OtherFormat."""
        found = tensor_files.read(file)
        said = found.description
        if said.get("format") != FORMAT:
            raise OtherFormat(str(said.get("format"))[:20])
        labels = said.get("labels")
        if not isinstance(labels, dict):
            raise Damaged("it does not say what the values of attributes are")
        _names("attributes", list(labels))
        encoder = said.get("encoder")
        if not _is_text(encoder):
            raise Damaged("it does not say what encoded its texts")
        made = cls(
            config=_config(said.get("config")),
            keys=_names("products", said.get("keys")),
            labels={name: _names(name, values, are_unique=False) for name, values in labels.items()},
            kinds=_names("kinds of events", said.get("kinds")),
            encoder=encoder,
            origin=_origin(said.get("origin")),
            weights=found.arrays,
        )
        made._check_shapes()
        return made

    def _check_shapes(self) -> None:
        if self.config.blocks > len(self.weights):
            raise Damaged(f"it names {self.config.blocks} blocks and does not hold them")
        projection = self.weights.get(PROJECTION)
        expected = shapes(
            self.config,
            products=len(self.keys),
            sizes={name: len(values) for name, values in self.labels.items()},
            kinds=len(self.kinds),
            text_width=projection.shape[-1] if projection is not None and projection.ndim else None,
        )
        for name in (LATER.keys() & expected.keys()) - self.weights.keys():
            self.weights[name] = np.full(expected[name], LATER[name], np.float32)
        for name in sorted(expected.keys() | self.weights.keys()):
            if name not in self.weights:
                raise Damaged(f"{name[:80]} is missing")
            if name not in expected:
                raise Damaged(f"{name[:80]!r} has no place in its configuration")
            if self.weights[name].shape != expected[name]:
                raise Damaged(f"{name[:80]} is {self.weights[name].shape}, not {expected[name]}")


def only(weights: Mapping[str, Floats], rows: Mapping[str, np.ndarray]) -> dict[str, Floats]:
    """The weights, of some tables padding and these rows alone."""
    return {
        name: np.concatenate([value[:1], value[rows[name]]]) if name in rows else value
        for name, value in weights.items()
    }


def _config(said: Any) -> ModelConfig:
    if not isinstance(said, dict):
        raise Damaged("it has no configuration")
    kinds = {field.name: type(field.default) for field in fields(ModelConfig)}
    for name, value in said.items():
        wanted = kinds.get(name)
        if wanted is None or (type(value) is not wanted and (wanted, type(value)) != (float, int)):
            raise Damaged(f"{str(name)[:40]} of its configuration cannot be {str(value)[:40]!r}")
    if any(said.get(name, 1) < 1 for name in ("width", "heads", "blocks", "feed_forward", "history")):
        raise Damaged("a size in its configuration is below 1")
    try:
        return ModelConfig(**said)
    except ValueError as error:
        raise Damaged(str(error)) from error


def _is_text(said: Any) -> TypeGuard[str]:
    """That a database keeps."""
    return isinstance(said, str) and len(said) <= LONGEST and "\0" not in said


def _names(what: str, said: Any, *, are_unique: bool = True) -> tuple[str, ...]:
    if not isinstance(said, list) or not all(map(_is_text, said)):
        raise Damaged(f"its names of {what[:40]} are no list of texts")
    if are_unique and len(set(said)) != len(said):
        raise Damaged(f"its names of {what[:40]} are not told apart")
    return tuple(said)


def _origin(said: Any) -> dict[str, str]:
    if not isinstance(said, dict) or len(said) > 20:
        raise Damaged("it does not say where it comes from")
    if not all(_is_text(name) and _is_text(value) for name, value in said.items()):
        raise Damaged("where it comes from cannot be written down")
    return said
