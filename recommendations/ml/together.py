"""Sparse counts of what stands together: in one basket, or with one shopper."""

# S shoppers, G baskets, I products, R products of a block.
from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_matrix

from recommendations.ml.batches import Baskets
from recommendations.ml.data import Histories, Ints

BLOCK = 16_000_000  # numbers in a block: bounds memory whatever the catalogue


def met(histories: Histories, shoppers: Ints, products: int) -> csr_matrix:
    """[B, I + 1] how often each of some shoppers met each product."""
    rows, lines = histories.lines_of(shoppers)
    ones = np.ones(len(lines), np.float32)
    found = csr_matrix((ones, (rows, histories.items[lines])), shape=(len(shoppers), products + 1))
    found.sum_duplicates()
    return found


def in_baskets(histories: Histories, products: int) -> csr_matrix:
    """[G, I + 1] 1 where a product is in a basket."""
    baskets = Baskets.of(histories)
    basket = np.repeat(np.arange(len(baskets.time)), np.diff(baskets.first))
    ones = np.ones(len(basket), np.float32)
    found = csr_matrix((ones, (basket, histories.items)), shape=(len(baskets.time), products + 1))
    found.sum_duplicates()
    found.data[:] = 1
    return found


def rows_together(membership: csr_matrix, *, block: int | None = None) -> Iterator[tuple[slice, csr_matrix]]:
    """Rows of membershipᵀ · membership [I + 1, I + 1], a block of products at a time: (which, [R, I + 1])."""
    products = membership.shape[1]
    size = block or max(1, min(512, BLOCK // products))
    by_product = membership.T.tocsr()
    for start in range(0, products, size):
        part = slice(start, min(start + size, products))
        yield part, by_product[part] @ membership


def people_together(histories: Histories, membership: csr_matrix) -> Iterator[tuple[slice, csr_matrix]]:
    """How many different shoppers have both in one basket, a block of products at a time: (which, [R, I + 1]).

    On the diagonal: how many have the product in any basket.
    """
    baskets = Baskets.of(histories)
    owner = np.repeat(np.arange(len(histories)), np.diff(baskets.offsets))
    products = membership.shape[1]
    size = max(1, min(512, BLOCK // products))
    by_product = membership.T.tocsr()
    for start in range(0, products, size):
        rows = by_product[start : start + size].tocoo()
        own, own_of = np.unique(rows.row.astype(np.int64) * len(histories) + owner[rows.col], return_inverse=True)
        taken = csr_matrix((rows.data, (own_of, rows.col)), shape=(len(own), membership.shape[0])) @ membership
        taken.data[:] = 1  # once a shopper, in however many baskets
        heirs = csr_matrix(
            (np.ones(len(own), np.float32), (own // len(histories), np.arange(len(own)))),
            shape=(rows.shape[0], len(own)),
        )
        yield slice(start, start + rows.shape[0]), heirs @ taken
