"""Prepares the Amazon 2014 5-core sequences: leave-one-out, products already in the history filtered."""

# N interactions, S shoppers, M attributes of a product.
import itertools
import json
from pathlib import Path

import numpy as np

from recommendations.ml.data import Catalogue, Histories, Ints, NextBaskets
from tests.benchmarks.ranking.prepared import Prepared

FILES = {"beauty": "Beauty", "toys": "Toys_and_Games"}


def prepare(name: str, folder: Path) -> Prepared:
    """The last product of each shopper is the test, the one before it the validation. The files hold no times:
    an interaction's time is its position."""
    lines = (folder / f"{FILES[name]}.txt").read_text().splitlines()
    sequences = [np.array(line.split()[1:], np.int32) for line in lines]
    products = max(int(sequence.max()) for sequence in sequences)
    return Prepared(
        name=name,
        train=_histories([sequence[:-2] for sequence in sequences]),
        context=_histories([sequence[:-1] for sequence in sequences]),
        validation=_targets([sequence[-2] for sequence in sequences], sequences),
        test=_targets([sequence[-1] for sequence in sequences], sequences),
        catalogue=_catalogue(folder / f"{FILES[name]}_item2attributes.json", products),
        is_target=np.array([False, True]),
        kinds=("new",),
        has_times=False,
    )


def _histories(sequences: list[np.ndarray]) -> Histories:
    lengths = np.array([len(sequence) for sequence in sequences])
    items = np.concatenate(sequences).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Histories(
        offsets=offsets,
        items=items,
        times=(np.arange(len(items)) - np.repeat(offsets[:-1], lengths)).astype(np.int64),
        types=np.ones(len(items), np.int32),
    )


def _targets(items: list[np.int32], sequences: list[np.ndarray]) -> NextBaskets:
    shoppers: Ints = np.arange(len(items))
    return NextBaskets(
        shoppers=shoppers,
        offsets=np.arange(len(items) + 1),
        items=np.array(items, np.int32),
        now=max(len(sequence) for sequence in sequences),
    )


def _catalogue(path: Path, products: int) -> Catalogue:
    known = {int(product): values for product, values in json.loads(path.read_text()).items()}
    values = np.zeros((products + 1, max(map(len, known.values()))), np.int32)
    for product, attributes in known.items():
        values[product, : len(attributes)] = attributes
    size = max(itertools.chain.from_iterable(known.values()))
    return Catalogue(products=products, attributes={"attribute": values}, sizes={"attribute": size})
