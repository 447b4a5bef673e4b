"""What a product's own place in a history adds to its score: how often it was met, how long ago, how apt to recur."""

# B shoppers, Q queries, L lines, P pairs of a query and a product that it sees, I products.
from typing import NamedTuple

import torch
from torch import Tensor, nn

from recommendations.ml.config import GAP_BUCKETS, MOST_TIMES, ModelConfig
from recommendations.ml.history import History, gap_bucket
from recommendations.ml.lookup import lookup

FURTHEST = 30.0  # a line counts e ** -30 to e ** 30 times
SCALE = 20.0  # of the tables: an optimizer's step is made for vectors, a single number has further to go


class Own(NamedTuple):
    """Products that a query sees in the history, each once: everything that the term depends on.

    Another interaction's removal leaves a pair as it is; removing all lines of the product removes the pair.
    """

    query_P: Tensor  # into B × Q
    item_P: Tensor
    times_P: Tensor  # how many visible lines
    gap_P: Tensor  # seconds since the latest of them
    faded_P: Tensor  # how many, each weighed by its age

    def of(self, rows_P: Tensor, pairs_P: Tensor) -> "Own":
        """Some of the pairs, asked by other queries."""
        return Own(rows_P, *(column[pairs_P] for column in self[1:]))


class Repeats(nn.Module):
    """R(u, i) = open(h) · base(u, i) + shift(h) - (1 - trust) · h·v for products in sight, 0 for all others.

    base = count + gap + rise · log Σ exp(fading) + the product's own tendency to be bought again: it depends on the
    product's own lines alone. The sum is over them, fading is learnt for each age: where it falls, the logarithm counts
    the newer ones more, and with a fading of 0 it is that of their number.
    trust is 1 while the model learns, and set afterwards (`balance`): what h and the vector v have in common is learnt
    from the very purchases that make up the history, and tells less of which of them are repeated.
    open and shift say how much this shopper now repeats, and depend on the state h alone.
    """

    is_own: Tensor  # [T + 1] the kinds of lines that make a product the shopper's own: bought, not just viewed
    trust: Tensor  # how much h·v counts for products of the history

    def __init__(self, config: ModelConfig, products: int, event_types: int = 1):
        super().__init__()
        self.register_buffer("is_own", torch.ones(event_types + 1, dtype=torch.bool))
        self.register_buffer("trust", torch.tensor(1.0))
        self.count = nn.Embedding(MOST_TIMES + 1, 1, padding_idx=0)
        self.gap = nn.Embedding(GAP_BUCKETS, 1) if config.uses_times else None
        self.fading = nn.Embedding(GAP_BUCKETS, 1)  # without times all lines have one age
        self.rise = nn.Parameter(torch.tensor(1 / SCALE))
        self.tendency = nn.Embedding(products + 1, 1, padding_idx=0)
        self.inclination = nn.Linear(config.width, 2)
        for table in (self.count, self.gap, self.fading, self.tendency, self.inclination):
            if table is not None:
                nn.init.zeros_(table.weight)
        nn.init.zeros_(self.inclination.bias)

    def own(self, history: History, visible_BQL: Tensor, now_BQ: Tensor) -> Own:
        """Gather each product's visible lines of its own kinds at its first place in the history."""
        items_BL = history.items_BL
        place_BL = (items_BL.unsqueeze(2) == items_BL.unsqueeze(1)).int().argmax(-1)  # first line of the same product
        place_BQL = place_BL.unsqueeze(1).expand_as(visible_BQL)
        seen_BQL = visible_BQL & ((items_BL > 0) & self.is_own[history.types_BL]).unsqueeze(1)
        times_BQL = torch.zeros_like(place_BQL).scatter_add(-1, place_BQL, seen_BQL.long())
        moment_BQL = history.times_BL.unsqueeze(1).where(seen_BQL, torch.iinfo(torch.int64).min)
        latest_BQL = torch.full_like(place_BQL, torch.iinfo(torch.int64).min).scatter_reduce(
            -1, place_BQL, moment_BQL, "amax"
        )
        age_BQL = torch.zeros_like(place_BQL)
        if self.gap is not None:
            age_BQL = gap_bucket(now_BQ.unsqueeze(-1) - history.times_BL.unsqueeze(1))
        weight_BQL = (
            lookup(torch.exp((SCALE * self.fading.weight).clamp(-FURTHEST, FURTHEST)), age_BQL).squeeze(-1) * seen_BQL
        )
        faded_BQL = torch.zeros_like(weight_BQL).scatter_add(-1, place_BQL, weight_BQL)
        shopper_P, query_P, line_P = torch.nonzero(times_BQL, as_tuple=True)
        return Own(
            query_P=shopper_P * visible_BQL.shape[1] + query_P,
            item_P=items_BL[shopper_P, line_P],
            times_P=times_BQL[shopper_P, query_P, line_P],
            gap_P=now_BQ[shopper_P, query_P] - latest_BQL[shopper_P, query_P, line_P],
            faded_P=faded_BQL[shopper_P, query_P, line_P],
        )

    def base(self, pairs: Own) -> Tensor:
        """[P] what each pair adds for a shopper of average inclination."""
        value = lookup(self.count.weight, pairs.times_P.clamp(max=MOST_TIMES)) + lookup(
            self.tendency.weight, pairs.item_P
        )
        if self.gap is not None:
            value = value + lookup(self.gap.weight, gap_bucket(pairs.gap_P))
        return SCALE * (value.squeeze(-1) + self.rise * torch.log(pairs.faded_P))

    def inclined(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """[..., D] -> open, in (0, 2), and shift, [...] each."""
        opened, shift = self.inclination(state).unbind(-1)
        return 2 * torch.sigmoid(2 * opened), shift

    def forward(self, pairs: Own, state_QD: Tensor) -> Tensor:
        """[P] R of each pair with a trust of 1, `state_QD` the states of all queries."""
        opened_Q, shift_Q = self.inclined(state_QD)
        return opened_Q[pairs.query_P] * self.base(pairs) + shift_Q[pairs.query_P]

    def doubted(self, similar: Tensor) -> Tensor:
        """What trust takes from R, of h·v."""
        return (self.trust - 1) * similar
