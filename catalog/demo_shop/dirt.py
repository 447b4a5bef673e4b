"""How unclean the raw lines are, counted independently of the platform's own cleaning."""

from collections.abc import Iterable
from dataclasses import dataclass

from catalog.demo_shop import non_products, titles
from catalog.demo_shop.source import Line


@dataclass(frozen=True, kw_only=True, slots=True)
class Dirt:
    """Counts of lines unless the name says otherwise; one line may count under several headings."""

    lines: int
    shoppers: int
    codes: int
    invoices: int
    without_shopper: int
    duplicates: int
    cancellations: int
    accounting_entries: int
    negative_outside_cancellations: int
    zero_price: int
    negative_price: int
    non_product: int
    without_real_description: int
    codes_with_several_titles: int
    codes_never_sold: int
    usable: int


def count(lines: Iterable[Line]) -> Dirt:
    """Count every kind of dirt in one pass. `usable` are sales of products to known shoppers, duplicates included."""
    shoppers: set[int] = set()
    codes: set[str] = set()
    invoices: set[str] = set()
    distinct: set[int] = set()  # hashes: 28 bytes a line instead of the line
    sold_titles: dict[str, set[str]] = {}
    real: dict[str | None, bool] = {}
    sums = dict.fromkeys(
        (
            "lines",
            "without_shopper",
            "cancellations",
            "accounting_entries",
            "negative_outside_cancellations",
            "zero_price",
            "negative_price",
            "non_product",
            "without_real_description",
            "usable",
        ),
        0,
    )
    for line in lines:
        is_other = non_products.title(line.code) is not None
        if line.description not in real:
            real[line.description] = titles.is_real(line.description)
        invoices.add(line.invoice)
        codes.add(line.code)
        distinct.add(hash(line))
        if line.customer is not None:
            shoppers.add(line.customer)
        if line.is_sale:
            names = sold_titles.setdefault(line.code, set())
            if line.description and real[line.description]:
                names.add(line.description)
        sums["lines"] += 1
        sums["without_shopper"] += line.customer is None
        sums["cancellations"] += line.is_cancellation
        sums["accounting_entries"] += line.invoice[0] == "A"
        sums["negative_outside_cancellations"] += line.quantity < 0 and not line.is_cancellation
        sums["zero_price"] += line.price == 0
        sums["negative_price"] += line.price < 0
        sums["non_product"] += is_other
        sums["without_real_description"] += not is_other and not real[line.description]
        sums["usable"] += line.is_sale and line.customer is not None and not is_other
    return Dirt(
        shoppers=len(shoppers),
        codes=len(codes),
        invoices=len(invoices),
        duplicates=sums["lines"] - len(distinct),
        codes_with_several_titles=sum(len({titles.show(name) for name in names}) > 1 for names in sold_titles.values()),
        codes_never_sold=len(codes - sold_titles.keys()),
        **sums,
    )
