"""Reads and prepares The Complete Journey: groceries of frequent shoppers, next basket."""

# N lines, I products, V values of an attribute.
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import compute, parquet

from recommendations.attributes import FEWEST
from recommendations.ml.data import Catalogue, Histories, Small
from recommendations.ml.kinds import Kinds
from tests.benchmarks.ranking import temporal
from tests.benchmarks.ranking.prepared import Prepared

NOT_RECOMMENDED = ("FUEL", "COUPON", "MISCELLANEOUS")  # departments
ATTRIBUTES = ("department", "product_category", "product_type", "brand", "package_size")
SECOND = "s"


def read(folder: Path) -> temporal.Shop:
    """Households are the shoppers; lines of a household with one time are a basket, a product stands there once."""
    products = parquet.read_table(folder / "products.parquet", columns=["product_id", *ATTRIBUTES])
    is_left_out = compute.is_in(products["department"], value_set=pa.array(NOT_RECOMMENDED))
    products = products.filter(compute.invert(is_left_out)).sort_by("product_id")
    ids = products["product_id"].to_numpy()
    attributes, sizes, labels = {}, {}, {}
    for name in ATTRIBUTES:
        attributes[name], labels[name] = _values(products[name].combine_chunks())
        sizes[name] = len(labels[name])
    return temporal.Shop(
        _histories(folder / "transactions.parquet", ids),
        Catalogue(
            products=len(ids),
            attributes=attributes,
            sizes=sizes,
            keys=tuple(str(pk) for pk in ids.tolist()),
            labels=labels,
        ),
        Kinds.of([(1, 1.0, True)], {}),
    )


def prepare(folder: Path) -> Prepared:
    return temporal.prepare("complete_journey", read(folder))


def _histories(path: Path, ids: np.ndarray) -> Histories:
    columns = ["household_id", "product_id", "quantity", "transaction_timestamp"]
    lines = parquet.read_table(path, columns=columns)
    lines = lines.filter(compute.greater(lines["quantity"], 0))
    product = lines["product_id"].to_numpy()
    place = np.searchsorted(ids, product).clip(max=len(ids) - 1)
    item = np.where(ids[place] == product, place + 1, 0)
    time = lines["transaction_timestamp"].cast(pa.timestamp(SECOND), safe=False).cast(pa.int64()).to_numpy()
    table = np.stack([lines["household_id"].to_numpy().astype(np.int64), time, item], axis=1)[item > 0]
    table = np.unique(table, axis=0)  # by household, time, product
    _, first = np.unique(table[:, 0], return_index=True)
    return Histories(
        offsets=np.append(first, len(table)).astype(np.int64),
        items=table[:, 2].astype(np.int32),
        times=table[:, 1],
        types=np.ones(len(table), np.int32),
        is_target=np.array([False, True]),
    )


def _values(column: pa.Array) -> tuple[Small, tuple[str, ...]]:
    """[I + 1, 1] numbers of the values that `FEWEST` products share, as the product takes attributes; their names."""
    counted = compute.value_counts(column.drop_null())
    names = counted.field("values").filter(compute.greater_equal(counted.field("counts"), FEWEST))
    labels = sorted(names.to_pylist())
    number = compute.fill_null(compute.index_in(column, value_set=pa.array(labels, column.type)), -1)
    return np.append(0, number.to_numpy(zero_copy_only=False) + 1).astype(np.int32)[:, None], tuple(labels)
