"""The arrays that training and inference read: histories in compressed rows, and product attributes."""

# N interactions, S shoppers, I products. Product 0 is padding, event type 0 is none.
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Small = NDArray[np.int32]

DAY = 86_400
RECENT = 28 * DAY  # what counts as recent popularity
PERIOD = 7 * DAY  # how often recent popularity is computed


def lines_in(offsets: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """Each line of some rows of a compressed table: its row's place among them, and its own number."""
    counts = np.diff(offsets)[rows]
    place = np.repeat(np.arange(len(rows)), counts)
    return place, np.arange(len(place)) + np.repeat(offsets[rows] - (np.cumsum(counts) - counts), counts)


def offsets_of(offsets: Ints, kept: NDArray[np.bool_]) -> Ints:
    """The offsets of a compressed table of which only some lines are kept."""
    return np.concatenate([[0], np.cumsum(kept)])[offsets]


@dataclass(frozen=True, kw_only=True, slots=True)
class Histories:
    """All interactions, a shopper after the other, each in order of time.

    `offsets` [S + 1], `items`, `times` (seconds), `types` [N]. Interactions of a shopper with one time are a
    basket: a set without order. Arrays may be memory-mapped. `is_target` [T + 1] tells which types make a product the
    shopper's own (purchases, not views); None: all do.
    """

    offsets: Ints
    items: Small
    times: Ints
    types: Small
    is_target: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def targets(self) -> Self:
        """Only the lines that make a product the shopper's own; shoppers keep their numbers."""
        return self if self.is_target is None else self._only(self.is_target[np.asarray(self.types)])

    def lines_of(self, shoppers: Ints) -> tuple[Ints, Ints]:
        """Each line of these shoppers: its shopper's place among them, and its own number."""
        return lines_in(self.offsets, shoppers)

    def before(self, cutoff: int) -> Self:
        """What happened strictly before `cutoff`; shoppers keep their numbers."""
        return self._only(np.asarray(self.times) < cutoff)

    def since(self, start: int) -> Self:
        """What happened at `start` or later; shoppers keep their numbers."""
        return self._only(np.asarray(self.times) >= start)

    def _only(self, kept: NDArray[np.bool_]) -> Self:
        return type(self)(
            offsets=offsets_of(self.offsets, kept),
            items=self.items[kept],
            times=self.times[kept],
            types=self.types[kept],
            is_target=self.is_target,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Unwanted:
    """What shoppers said they do not want, rows as in the histories: `items`, `times`, `weights` [N]."""

    offsets: Ints
    items: Small
    times: Ints
    weights: NDArray[np.float32]  # strength of the event type

    def before(self, cutoff: int) -> Self:
        """What was said strictly before `cutoff`; shoppers keep their numbers."""
        kept = np.asarray(self.times) < cutoff
        return type(self)(
            offsets=offsets_of(self.offsets, kept),
            items=self.items[kept],
            times=self.times[kept],
            weights=self.weights[kept],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Ignored:
    """What shoppers were shown again and again in vain, rows as in the histories: `items`, `since`, `until` [N].

    It is so from `since` on, as long as the shopper has not taken it up at `until`.
    """

    offsets: Ints
    items: Small
    since: Ints
    until: Ints

    def before(self, cutoff: int) -> Self:
        """What was so at `cutoff`, as it was known then; shoppers keep their numbers."""
        kept = (np.asarray(self.since) < cutoff) & (np.asarray(self.until) >= cutoff)
        return type(self)(
            offsets=offsets_of(self.offsets, kept),
            items=self.items[kept],
            since=self.since[kept],
            until=self.until[kept],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalogue:
    """What is known of each product.

    `attributes`: name -> [I + 1, M] value ids from 1, 0 where there is none; `sizes`: name -> number of values.
    `keys` [I] and `labels` (name -> [V]) say what the numbers from 1 stand for, in words that other catalogues share.
    `texts` [I + 1, E]: the frozen vectors that `encoder` made of titles and descriptions, zero where there is none; may
    be memory-mapped.
    """

    products: int
    attributes: dict[str, Small]
    sizes: dict[str, int]
    keys: tuple[str, ...] = ()
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    texts: NDArray[np.float16] | None = None
    encoder: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class NextBaskets:
    """What evaluation asks: after `now`, which products are in the shopper's next basket?

    `shoppers` [E] row numbers; `offsets` [E + 1] into `items`: the target products, each once.
    """

    shoppers: Ints
    offsets: Ints
    items: Small
    now: int

    def some(self, most: int) -> Self:
        """At most so many of the shoppers, evenly taken."""
        if len(self.shoppers) <= most:
            return self
        return self._of(np.linspace(0, len(self.shoppers) - 1, most).astype(np.int64))

    def every(self, step: int, first: int) -> Self:
        """Every so many-th of the shoppers, from one on."""
        return self if step == 1 else self._of(np.arange(first, len(self.shoppers), step))

    def _of(self, rows: Ints) -> Self:
        counts, (_, lines) = np.diff(self.offsets)[rows], lines_in(self.offsets, rows)
        return type(self)(
            shoppers=self.shoppers[rows],
            offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            items=self.items[lines],
            now=self.now,
        )


def next_baskets(histories: Histories, targets: NDArray[np.bool_], *, start: int, end: int) -> NextBaskets:
    """Each shopper's first basket in [start, end), for shoppers who have a history before `start`.

    `targets` [N] marks interactions that count as targets (purchases, not views).
    """
    shopper = np.repeat(np.arange(len(histories)), np.diff(histories.offsets))
    times = np.asarray(histories.times)
    known = np.zeros(len(histories), bool)
    known[shopper[times < start]] = True
    rows = np.flatnonzero((times >= start) & (times < end) & targets)
    rows = rows[known[shopper[rows]]]
    first = np.full(len(histories), np.iinfo(np.int64).max)
    np.minimum.at(first, shopper[rows], times[rows])
    rows = rows[times[rows] == first[shopper[rows]]]
    pairs = np.unique(np.stack([shopper[rows], np.asarray(histories.items)[rows]], axis=1), axis=0)
    shoppers, counts = np.unique(pairs[:, 0], return_counts=True)
    return NextBaskets(
        shoppers=shoppers,
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        items=pairs[:, 1].astype(np.int32),
        now=start,
    )


def recent_popularity(histories: Histories, products: int, *, start: int, end: int) -> NDArray[np.float32]:
    """[P, I + 1]: for each period p, log(1 + purchases per product in the 28 days before start + p · 7 days).

    Row p holds for moments from start + p · 7 days on, so nothing later than the moment is in it.
    """
    periods = max(1, -(-(end - start) // PERIOD) + 1)
    counts = np.zeros((periods, products + 1), np.float32)
    histories = histories.targets()
    times, items = np.asarray(histories.times), np.asarray(histories.items)
    arrival = -(-(times + 1 - start) // PERIOD)  # the first period that may know of it
    for lag in range(RECENT // PERIOD):
        period = arrival + lag
        inside = (period >= 0) & (period < periods)
        np.add.at(counts, (period[inside], items[inside]), 1)
    return np.log1p(counts, out=counts)
