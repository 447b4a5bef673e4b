"""Arrays of numbers with a description in one file that holds nothing to run: the layout of safetensors, a checksum.

Read without torch and without unpickling. Nothing of a file is trusted before all of it has been looked at.
"""

# The file: 8 bytes (length of the header, little-endian), the header in JSON, then each array in order, row after row.
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
LONGEST_HEADER = 100 << 20  # as safetensors allows
BLOCK = 1 << 20
WORD = 4  # bytes of a number: 32-bit floats and nothing else
DESCRIPTION, CHECKSUM = "because", "sha256"


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
    entries: dict[str, Any] = {}
    start = 0
    for name, array in sorted(arrays.items()):
        end = start + array.size * WORD
        entries[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [start, end]}
        start = end
    parts = [np.ascontiguousarray(arrays[name], "<f4").tobytes() for name in entries]
    said = json.dumps(description, ensure_ascii=False, sort_keys=True)
    digest = _digest(said, entries)
    for part in parts:
        digest.update(part)
    metadata = {DESCRIPTION: said, CHECKSUM: digest.hexdigest()}
    header = json.dumps({"__metadata__": metadata, **entries}, ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)  # numbers begin where processors like it
    file.write(len(header).to_bytes(8, "little"))
    file.write(header)
    for part in parts:
        file.write(part)


def read(file: IO[bytes]) -> TensorFile:
    """Raises NotSuchAFile or Damaged. Memory stays within the length of the file, whatever its header says."""
    size = file.seek(0, 2)
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or not 2 <= length <= LONGEST_HEADER:
        raise NotSuchAFile
    if 8 + length > size:
        raise Damaged(f"its header ends beyond its {size} bytes")
    header = _object(file.read(length))
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or not all(isinstance(metadata.get(n), str) for n in (DESCRIPTION, CHECKSUM)):
        raise NotSuchAFile
    _check_entries(header, size - 8 - length)
    digest = _digest(metadata[DESCRIPTION], header)
    arrays = {}
    for name, entry in header.items():
        array = np.empty(entry["shape"], "<f4")
        flat = array.reshape(-1)  # the same numbers, not a copy
        for first in range(0, len(flat), BLOCK):
            part = file.read(len(flat[first : first + BLOCK]) * WORD)
            flat[first : first + BLOCK] = np.frombuffer(part, "<f4")
            digest.update(part)
        arrays[name] = array
    if digest.hexdigest() != metadata[CHECKSUM]:
        raise Damaged("its contents do not match its checksum")
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise Damaged(f"{name} holds what is no number")
    return TensorFile(description=_object(metadata[DESCRIPTION]), arrays=arrays)


def _check_entries(entries: Mapping[str, Any], size: int) -> None:
    """Each array begins where the one before ends, and the last one ends the file."""
    start = 0
    for name, entry in entries.items():
        shape = entry.get("shape") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
            raise Damaged(f"{name[:80]!r} is no array")
        if entry["dtype"] != "F32":
            raise Damaged(f"{name[:80]!r} is of the type {str(entry['dtype'])[:20]!r}, not F32")
        if not isinstance(shape, list) or not all(type(part) is int and 0 <= part <= size for part in shape):
            raise Damaged(f"{name[:80]!r} has no shape that could be")
        end = start + WORD
        for part in shape[:4]:
            end = start + (end - start) * part
        if len(shape) > 4 or entry["data_offsets"] != [start, end] or end > size:
            raise Damaged(f"{name[:80]!r} does not lie where it should")
        start = end
    if start != size:
        raise Damaged(f"{size - start} bytes stand behind the last array")


def _digest(description: str, entries: Mapping[str, Any]) -> "hashlib._Hash":
    digest = hashlib.sha256(description.encode())
    digest.update(json.dumps(entries, ensure_ascii=False, sort_keys=True).encode())
    return digest


def _object(text: bytes | str) -> dict[str, Any]:
    try:
        found = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Damaged("its header cannot be read") from error
    if not isinstance(found, dict):
        raise Damaged("its header is no object")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)
