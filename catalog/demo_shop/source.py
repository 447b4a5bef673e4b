"""The shop's raw lines as they stand in the Parquet file, read in bounded memory."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pyarrow import compute, parquet

RAW_LINES = Path(__file__).parent / "data" / "online_retail_ii.parquet"
COLUMNS = ("Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country")
_BATCH = 50_000


class Line(NamedTuple):
    """One line of an invoice; nothing is corrected but the stock code, whose letters the shop typed in both cases."""

    invoice: str
    code: str
    description: str | None
    quantity: int
    at: dt.datetime  # the shop's wall clock, in the United Kingdom
    price: float
    customer: int | None
    country: str

    @property
    def is_cancellation(self) -> bool:
        return self.invoice[0] == "C"

    @property
    def is_sale(self) -> bool:
        """Something was sold for money: no cancellation, no accounting entry (invoice A…), no negative or free line."""
        return self.quantity > 0 and self.price > 0 and self.invoice[0] not in "CA"


def read(path: Path = RAW_LINES) -> Iterator[Line]:
    """Yield every line in the file's order."""
    for batch in read_batches(path):
        yield from map(Line._make, zip(*(batch[name].to_pylist() for name in COLUMNS), strict=True))


def read_batches(path: Path = RAW_LINES) -> Iterator[Any]:
    """Yield pyarrow record batches (pyarrow has no types) with case-folded codes."""
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_BATCH, columns=list(COLUMNS)):
            codes = compute.utf8_lower(compute.utf8_trim_whitespace(batch["StockCode"]))
            yield batch.set_column(batch.schema.get_field_index("StockCode"), "StockCode", codes)
