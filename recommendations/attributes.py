"""The shop's own attributes of products, as the pairs of a name and a value that several products share."""

# I products, M pairs of a product.
import itertools
import operator
from collections.abc import Iterator

import numpy as np
from django.db import connection, transaction

from recommendations.ml.data import Ints, Small

FEWEST = 5  # products with a pair, or nothing can be learnt of it
MOST = 20_000  # pairs of a shop, the most common ones: bounds the table that is learnt
PER_PRODUCT = 16  # pairs of a product, the most common ones
LONGEST = 100  # characters of a name or a value; longer ones are texts
AT_ONCE = 10_000

# Each pair once for each product; a list is one pair for each of its texts, and 1.50 stays what the shop wrote.
PAIRS = f"""
    SELECT DISTINCT p.id AS product, a.key AS name, v.value AS value
    FROM catalog_product p
    CROSS JOIN LATERAL jsonb_each(CASE jsonb_typeof(p.attributes) WHEN 'object' THEN p.attributes ELSE '{{}}' END) a
    CROSS JOIN LATERAL jsonb_array_elements_text(
        CASE jsonb_typeof(a.value) WHEN 'array' THEN a.value ELSE jsonb_build_array(a.value) END
    ) v
    WHERE jsonb_typeof(a.value) NOT IN ('object', 'null')
        AND a.key <> '' AND v.value <> '' AND length(a.key) <= {LONGEST} AND length(v.value) <= {LONGEST}
"""  # noqa: S608  # numbers of ours


def pairs_of(product_ids: Ints) -> tuple[Small, tuple[str, ...]]:
    """[I + 1, M] the pairs of each product, numbered from 1 with the most common first, 0 where there are no more; and
    what the numbers stand for, such as colour=red. `product_ids` [I + 1] ascend.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT name, value FROM ({PAIRS}) pairs GROUP BY name, value"  # noqa: S608
            " HAVING count(*) >= %s ORDER BY count(*) DESC, name, value LIMIT %s",
            [FEWEST, MOST],
        )
        number_of = {pair: number for number, pair in enumerate(cursor.fetchall(), start=1)}
    values = np.zeros((len(product_ids), PER_PRODUCT), np.int32)
    most = 1
    if number_of:
        row_of = dict(zip(product_ids.tolist(), range(len(product_ids)), strict=True))
        for product, pairs in itertools.groupby(_pairs(), key=operator.itemgetter(0)):
            numbers = sorted(number_of[name, value] for _, name, value in pairs if (name, value) in number_of)
            if product in row_of and numbers:
                numbers = numbers[:PER_PRODUCT]
                values[row_of[product], : len(numbers)] = numbers
                most = max(most, len(numbers))
    return values[:, :most], tuple(f"{name}={value}" for name, value in number_of)


def _pairs() -> Iterator[tuple[int, str, str]]:
    """Product after product; memory does not grow with them."""
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(f"{PAIRS} ORDER BY 1")
        while rows := cursor.fetchmany(AT_ONCE):
            yield from rows
