"""Arrays of numbers with a description in one file that holds nothing to run: safetensors, with a checksum.

Read without torch and without unpickling. Nothing of a file is trusted before all of it has been looked at.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

Floats = NDArray[np.float32]
KEY = "because"  # one key of the metadata alone: several have no order, and equal contents should be equal bytes


class NotSuchAFile(Exception):
    """It has another layout altogether."""


class Damaged(Exception):
    """It is cut off, altered or not what it says; the message says where."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorFile:
    """A file that was checked to its last byte."""

    description: dict[str, Any]
    arrays: dict[str, Floats]


def write(file: IO[bytes], arrays: Mapping[str, Floats], description: Mapping[str, Any]) -> None:
    """Equal contents give equal bytes."""
    kept = {name: np.ascontiguousarray(array, "<f4").reshape(array.shape) for name, array in arrays.items()}
    said = {"description": description, "sha256": _digest(description, kept)}
    file.write(save(kept, {KEY: json.dumps(said, ensure_ascii=False, sort_keys=True)}))


def read(file: IO[bytes]) -> TensorFile:
    """Raises NotSuchAFile or Damaged. Memory stays within the length of the file, whatever its header says."""
    with tempfile.NamedTemporaryFile() as copy:
        file.seek(0)
        shutil.copyfileobj(file, copy)
        copy.flush()
        try:
            with safe_open(copy.name, framework="numpy") as opened:
                said = _said((opened.metadata() or {}).get(KEY))
                for name in opened.keys():  # noqa: SIM118 - it is no dictionary
                    if (kind := opened.get_slice(name).get_dtype()) != "F32":
                        raise Damaged(f"{name[:80]!r} is of the type {kind}, not F32")
                arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        except SafetensorError as error:
            if "not fully covered" in str(error):
                raise Damaged("its end is missing, or something stands behind it") from error
            raise NotSuchAFile from error
    if _digest(said["description"], arrays) != said["sha256"]:
        raise Damaged("its contents do not match its checksum")
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise Damaged(f"{name} holds what is no number")
    return TensorFile(description=said["description"], arrays=arrays)


def _said(text: str | None) -> dict[str, Any]:
    if text is None:
        raise NotSuchAFile
    try:
        found = json.loads(text, parse_constant=_no_number)
        json.dumps(found, ensure_ascii=False).encode()  # halves of characters are no text
    except (ValueError, RecursionError) as error:
        raise Damaged("its description cannot be read") from error
    if not isinstance(found, dict) or not isinstance(found.get("description"), dict) or "sha256" not in found:
        raise Damaged("its description is not one")
    return found


def _digest(description: Mapping[str, Any], arrays: Mapping[str, Floats]) -> str:
    shapes = {name: array.shape for name, array in arrays.items()}
    digest = hashlib.sha256(json.dumps([description, shapes], ensure_ascii=False, sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)
