"""The raw lines in the form that imports take: one file of products, one of interactions; nothing is cleaned away."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from pyarrow import compute, parquet

from catalog.demo_shop import categories, non_products, titles
from catalog.demo_shop.source import RAW_LINES, Line, read, read_batches

CURRENCY = "GBP"
_SHOP_TIME = ZoneInfo("Europe/London")
# Seasonal goods come back after a year; what was not sold for longer is taken to be out of stock.
LAST_LINE = dt.datetime(2011, 9, 30, 23, 59, tzinfo=_SHOP_TIME)
_OUT_OF_STOCK_AFTER = dt.timedelta(days=365)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductRow:
    """One product, as `import_products` takes it."""

    external_id: str
    title: str
    description: str
    category: str
    brand: str
    price: Decimal | None
    currency: str
    is_active: bool
    is_available: bool
    launched_at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """Where the two files are, and how many rows each has."""

    products: Path
    interactions: Path
    product_count: int
    interaction_count: int


@dataclass(kw_only=True, slots=True)
class _Seen:
    """What the lines say about one stock code; bounded by the number of distinct descriptions and prices."""

    first: dt.datetime
    last: dt.datetime
    first_sale: dt.datetime | None = None
    last_sale: dt.datetime | None = None
    descriptions: Counter[str] = field(default_factory=Counter)
    sale_descriptions: Counter[str] = field(default_factory=Counter)
    sale_prices: Counter[float] = field(default_factory=Counter)
    anonymous_prices: Counter[float] = field(default_factory=Counter)


def products(lines: Iterable[Line], *, weeks: int = 0) -> Iterator[ProductRow]:
    """Yield one row per stock code, in the order of the codes, after reading all lines once."""
    seen: dict[str, _Seen] = {}
    for line in lines:
        code = seen.get(line.code) or seen.setdefault(line.code, _Seen(first=line.at, last=line.at))
        code.last = line.at
        if line.description:
            code.descriptions[line.description] += 1
        if line.is_sale:
            code.first_sale = code.first_sale or line.at
            code.last_sale = line.at
            # Titles and prices come from lines of known shoppers where there are any: lines without one were often
            # typed by hand and carry other prices.
            if line.customer is None:
                code.anonymous_prices[line.price] += 1
                continue
            code.sale_prices[line.price] += 1
            if line.description:
                code.sale_descriptions[line.description] += 1
    end = max((code.last for code in seen.values()), default=None)
    for code_text in sorted(seen):
        yield _product(code_text, seen[code_text], end=end, weeks=weeks)


def interactions(batches: Iterable[Any], *, weeks: int = 0) -> Iterator[Any]:
    """Yield one pyarrow batch per batch of raw lines (pyarrow has no types), one row per line.

    A cancellation becomes a return whose quantity has the other sign.
    """
    numbers: Counter[str] = Counter()  # lines of one invoice do not always stand together
    for batch in batches:
        invoices = batch["Invoice"].to_pylist()
        is_return = compute.starts_with(batch["Invoice"], "C")
        quantities = batch["Quantity"].cast(pa.int64())
        yield pa.record_batch(
            [
                pa.array(_event_ids(invoices, numbers)),
                compute.fill_null(batch["Customer ID"].cast(pa.string()), ""),
                batch["StockCode"].cast(pa.string()),
                compute.if_else(is_return, "return", "purchase"),
                pa.array(_utc(at, weeks) for at in batch["InvoiceDate"].to_pylist()),
                compute.if_else(is_return, compute.negate(quantities), quantities),
                compute.round(batch["Price"], ndigits=3).cast(pa.decimal128(12, 3)),
                pa.repeat(CURRENCY, len(invoices)),
                batch["Invoice"].cast(pa.string()),
            ],
            schema=_INTERACTION_SCHEMA,
        )


def weeks_until(now: dt.datetime) -> int:
    """How many whole weeks the raw lines can be moved on without reaching into the future."""
    return max(0, (now - LAST_LINE) // dt.timedelta(weeks=1))


def write_files(*, into: Path, source: Path = RAW_LINES, weeks: int = 0) -> Prepared:
    """Write `products.parquet` and `interactions.parquet` into a folder; what is there is overwritten.

    With `weeks`, everything happened so much later: a demo shop lives today. Days of the week and hours stay.
    """
    into.mkdir(parents=True, exist_ok=True)
    rows = [asdict(row) for row in products(read(source), weeks=weeks)]
    parquet.write_table(pa.Table.from_pylist(rows, schema=_PRODUCT_SCHEMA), into / "products.parquet")
    count = 0
    with parquet.ParquetWriter(into / "interactions.parquet", _INTERACTION_SCHEMA, compression="zstd") as writer:
        for batch in interactions(read_batches(source), weeks=weeks):
            writer.write_batch(batch)
            count += batch.num_rows
    return Prepared(
        products=into / "products.parquet",
        interactions=into / "interactions.parquet",
        product_count=len(rows),
        interaction_count=count,
    )


def _product(code: str, seen: _Seen, *, end: dt.datetime | None, weeks: int) -> ProductRow:
    other_title = non_products.title(code)
    chosen = titles.choose(seen.sale_descriptions) or titles.choose(seen.descriptions)
    title = other_title or chosen or f"Product {code.upper()}"
    price = _median(seen.sale_prices or seen.anonymous_prices)
    return ProductRow(
        external_id=code,
        title=title,
        description="" if other_title else _other_names(title, seen.sale_descriptions),
        category=categories.NON_PRODUCT if other_title else categories.categorise(title),
        brand="",
        price=None if other_title else price,
        currency=CURRENCY,
        is_active=not other_title and seen.last_sale is not None,
        is_available=seen.last_sale is not None and end is not None and end - seen.last_sale <= _OUT_OF_STOCK_AFTER,
        launched_at=_utc(seen.first_sale or seen.first, weeks),
    )


def _other_names(title: str, descriptions: Counter[str]) -> str:
    """The names under which the shop also listed the product, most frequent first, so that search finds them."""
    shown: Counter[str] = Counter()
    for description, count in descriptions.items():
        if titles.is_real(description):
            shown[titles.show(description)] += count
    del shown[title]
    names = sorted(shown, key=lambda name: (-shown[name], name))
    return f"Also listed as: {'; '.join(names)}." if names else ""


def _median(prices: Counter[float]) -> Decimal | None:
    """The lower median, so that it is a price the shop really asked."""
    half = (prices.total() + 1) // 2
    for price in sorted(prices):
        half -= prices[price]
        if half <= 0:
            return Decimal(str(price)).quantize(Decimal("0.01"))
    return None


def _event_ids(invoices: Iterable[str], numbers: Counter[str]) -> Iterator[str]:
    """Name each line by its invoice and its place in it, counting on from what `numbers` already holds."""
    for invoice in invoices:
        numbers[invoice] += 1
        yield f"{invoice}-{numbers[invoice]}"


@lru_cache(maxsize=1024)  # the lines of an invoice share their time
def _utc(at: dt.datetime, weeks: int) -> str:
    return (at + dt.timedelta(weeks=weeks)).replace(tzinfo=_SHOP_TIME).astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_PRODUCT_SCHEMA = pa.schema(
    [
        ("external_id", pa.string()),
        ("title", pa.string()),
        ("description", pa.string()),
        ("category", pa.string()),
        ("brand", pa.string()),
        ("price", pa.decimal128(12, 2)),
        ("currency", pa.string()),
        ("is_active", pa.bool_()),
        ("is_available", pa.bool_()),
        ("launched_at", pa.string()),
    ]
)
_INTERACTION_SCHEMA = pa.schema(
    [
        ("event_id", pa.string()),
        ("shopper", pa.string()),
        ("product", pa.string()),
        ("event_type", pa.string()),
        ("occurred_at", pa.string()),
        ("quantity", pa.int64()),
        ("unit_price", pa.decimal128(12, 3)),
        ("currency", pa.string()),
        ("basket", pa.string()),
    ]
)
