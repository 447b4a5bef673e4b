"""Vectors of products' titles and descriptions: each text is encoded once, stored, and read into snapshots."""

# I products, W width of a vector.
import hashlib
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from django.db import connection, transaction

from catalog.models import Product
from recommendations.ml import encoders
from recommendations.ml.data import Ints
from recommendations.models import TextVector

logger = logging.getLogger(__name__)

LONGEST = 2_000  # characters; encoders read the beginning only
AT_ONCE = 1_000  # products: bounds memory
BATCH = 64  # texts that are encoded together
TYPE = np.dtype("<f2")

Row = TypeVar("Row")
Texts = dict[bytes, str]  # by digest


def text_of(title: str, description: str) -> str:
    return "\n".join(part for part in (title.strip(), description.strip()) if part)[:LONGEST]


def digest_of(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def encode_missing(chosen: str, report: Callable[[int, int], None] = lambda done, all_: None) -> int:
    """Encode every product's text that has no vector of this encoder yet; how many those were. Raises NoEncoder.

    The encoder is loaded only if there is something to encode. `report`: products looked through, of all.
    """
    identity = encoders.identity(chosen)
    encode: encoders.Encode | None = None
    products, looked, encoded = Product.objects.count(), 0, 0
    rows = Product.objects.order_by("pk").values_list("title", "description").iterator(chunk_size=AT_ONCE)
    for chunk in _chunks(rows, AT_ONCE):
        texts = {digest_of(text): text for text in itertools.starmap(text_of, chunk) if text}
        known = _known(identity, texts)
        missing = {digest: text for digest, text in texts.items() if digest not in known}
        if missing:
            encode = encode or encoders.load(chosen)
            encoded += _store(identity, missing, encode)
        looked += len(chunk)
        report(looked, products)
    logger.info("texts encoded", extra={"encoder": identity, "encoded": encoded, "products": products})
    return encoded


def write_vectors(chosen: str, product_ids: Ints, path: Path) -> str:
    """Into `path`, as numpy writes arrays: [I + 1, W] float16, zero where a product has no text; returns the encoder's
    identity. `product_ids` [I + 1] ascend. Raises NoEncoder.
    """
    encode_missing(chosen)
    identity = encoders.identity(chosen)
    first = TextVector.objects.filter(encoder=identity).values_list("vector", flat=True).first()
    width = len(bytes(first)) // TYPE.itemsize if first is not None else 1
    table = np.lib.format.open_memmap(path, "w+", TYPE, (len(product_ids), width))
    rows = Product.objects.order_by("pk").values_list("pk", "title", "description").iterator(chunk_size=AT_ONCE)
    for chunk in _chunks(rows, AT_ONCE):
        number_of = {pk: int(np.searchsorted(product_ids, pk)) for pk, _, _ in chunk}
        digests = {pk: digest_of(text_of(title, description)) for pk, title, description in chunk}
        known = _known(identity, digests.values())
        for pk, digest in digests.items():
            number = number_of[pk]
            if number < len(product_ids) and product_ids[number] == pk and digest in known:
                table[number] = np.frombuffer(known[digest], TYPE)
    table.flush()
    return identity


def _chunks(rows: Iterable[Row], size: int) -> Iterator[Sequence[Row]]:
    iterator = iter(rows)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk


def _known(identity: str, digests: Iterable[bytes]) -> dict[bytes, bytes]:
    rows = TextVector.objects.filter(encoder=identity, digest__in=list(digests)).values_list("digest", "vector")
    return {bytes(digest): bytes(vector) for digest, vector in rows}


def _store(identity: str, texts: Texts, encode: encoders.Encode) -> int:
    """What another process stored meanwhile stays."""
    written = list(texts.values())
    batches = [encode(written[start : start + BATCH]) for start in range(0, len(written), BATCH)]
    vectors = np.concatenate(batches).astype(TYPE)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE text_vectors (digest bytea, vector bytea) ON COMMIT DROP")
        with cursor.copy("COPY text_vectors FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["bytea", "bytea"])
            for digest, vector in zip(texts, vectors, strict=True):
                copy.write_row((digest, vector.tobytes()))
        cursor.execute(
            "INSERT INTO recommendations_textvector (encoder, digest, vector, created_at)"
            " SELECT %s, digest, vector, now() FROM text_vectors ON CONFLICT DO NOTHING",
            [identity],
        )
        cursor.execute("DROP TABLE text_vectors")  # a test's transaction goes on
    return len(texts)
