"""A causal transformer over a shopper's history, made so that every part of a score can be taken out exactly."""

# B shoppers, Q queries (moments, or variants of one history), L history lines, D width, H heads, E width of a head,
# I products, W width of a text vector. Product 0 is padding. `visible` is True where a query may see a line.
import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from recommendations.ml.config import GAP_BUCKETS, LAG_BUCKETS, ModelConfig
from recommendations.ml.history import History, gap_bucket, lag_bucket
from recommendations.ml.lookup import lookup
from recommendations.ml.repeats import Repeats

TEXT = "text"  # the part of title and description


@torch.no_grad()
def _table(values: int, width: int) -> nn.Embedding:
    """Vectors of values from 1; 0 is none of them, adds nothing, and is never learnt."""
    table = nn.Embedding(values + 1, width, padding_idx=0)
    nn.init.normal_(table.weight, std=0.02)
    table.weight[0] = 0.0
    return table


class ProductVectors(nn.Module):
    """Additive product vectors: id + each attribute + projected text. Nothing non-linear after the sum, so a score
    splits exactly.

    `texts_IW` is frozen; what is learnt of it is one projection for all products, without bias, so that no text adds
    nothing.
    """

    def __init__(
        self,
        config: ModelConfig,
        products: int,
        attributes: Mapping[str, Tensor],
        sizes: Mapping[str, int],
        texts_IW: Tensor | None = None,
    ):
        super().__init__()
        self.id_dropout = config.id_dropout
        self.ids = _table(products, config.width)
        self.names = list(attributes) if config.uses_attributes else []
        self.attributes = nn.ModuleDict()
        for name in self.names:
            self.attributes[name] = _table(sizes[name], config.width)
            self.register_buffer(f"values_{name}", attributes[name].long(), persistent=False)
        self.projection: nn.Linear | None = None
        if config.uses_texts and texts_IW is not None:
            self.projection = nn.Linear(texts_IW.shape[1], config.width, bias=False)
            nn.init.normal_(self.projection.weight, std=0.02)
            self.register_buffer("texts_IW", texts_IW, persistent=False)
            self.names.append(TEXT)

    def part(self, name: str, items: Tensor) -> Tensor:
        """One part of the vectors of `items` [...] -> [..., D]; an attribute with several values is their mean."""
        if name == "id":
            return self.ids(items)
        if name == TEXT and self.projection is not None:
            texts_IW = self.get_buffer("texts_IW")
            if items.numel() < len(texts_IW):
                return self.projection(texts_IW[items].to(self.projection.weight.dtype))
            return functional.embedding(items, self.projection(texts_IW.to(self.projection.weight.dtype)))
        values = self.get_buffer(f"values_{name}")[items]  # [..., M]
        count = (values > 0).sum(-1, keepdim=True).clamp(min=1)
        return self.attributes[name](values).sum(-2) / count

    def forward(self, items: Tensor) -> Tensor:
        vectors = self.ids(items)
        if self.training and self.id_dropout and self.names:
            hidden = torch.rand(self.ids.num_embeddings, device=items.device) < self.id_dropout
            vectors = vectors.masked_fill(hidden[items].unsqueeze(-1), 0.0)
        for name in self.names:
            vectors = vectors + self.part(name, items)
        return vectors


class Attention(nn.Module):
    """Multi-head attention with a learned bias over lag and time gap, and a null key that is always there.

    The null key makes the attention of a query that sees nothing well defined: it returns the null value.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.heads, self.size = config.heads, config.width // config.heads
        self.query = nn.Linear(config.width, config.width)
        self.key = nn.Linear(config.width, config.width, bias=False)
        self.value = nn.Linear(config.width, config.width)
        self.out = nn.Linear(config.width, config.width)
        self.null_logit = nn.Parameter(torch.zeros(config.heads))
        self.null_value = nn.Parameter(torch.zeros(config.heads, self.size))
        self.lag_bias = nn.Embedding(LAG_BUCKETS, config.heads)
        self.gap_bias = nn.Embedding(GAP_BUCKETS, config.heads) if config.uses_times else None
        nn.init.zeros_(self.lag_bias.weight)
        if self.gap_bias is not None:
            nn.init.zeros_(self.gap_bias.weight)
        self.dropout = nn.Dropout(config.dropout)

    def split(self, x: Tensor) -> Tensor:
        """[B, T, D] -> [B, H, T, E]."""
        return x.unflatten(-1, (self.heads, self.size)).transpose(1, 2)

    def logits_BHQL(self, query_BQD: Tensor, key_BLD: Tensor, lag_BQL: Tensor, gap_BQL: Tensor) -> Tensor:
        logits = self.split(self.query(query_BQD)) @ self.split(self.key(key_BLD)).transpose(-1, -2)
        logits = logits / math.sqrt(self.size)
        bias = lookup(self.lag_bias.weight, lag_BQL)
        if self.gap_bias is not None:
            bias = bias + lookup(self.gap_bias.weight, gap_BQL)
        return logits + bias.permute(0, 3, 1, 2)

    def forward(
        self, query_BQD: Tensor, key_BLD: Tensor, visible_BQL: Tensor, lag_BQL: Tensor, gap_BQL: Tensor
    ) -> Tensor:
        logits = self.logits_BHQL(query_BQD, key_BLD, lag_BQL, gap_BQL)
        logits = logits.masked_fill(~visible_BQL.unsqueeze(1), float("-inf"))
        null = self.null_logit.view(1, -1, 1, 1).expand(*logits.shape[:3], 1)
        weights = torch.softmax(torch.cat([null, logits], dim=-1), dim=-1)
        weights = self.dropout(weights)
        mixed = weights[..., 1:] @ self.split(self.value(key_BLD)) + weights[..., :1] * self.null_value.unsqueeze(1)
        return self.out(mixed.transpose(1, 2).flatten(-2))


class Block(nn.Module):
    """Pre-norm attention and feed-forward, with residuals."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.norm_query = nn.LayerNorm(config.width)
        self.norm_key = nn.LayerNorm(config.width)
        self.norm_hidden = nn.LayerNorm(config.width)
        self.attention = Attention(config)
        self.feed_forward = nn.Sequential(
            nn.Linear(config.width, config.feed_forward * config.width),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.feed_forward * config.width, config.width),
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, query_BQD: Tensor, key_BLD: Tensor, visible_BQL: Tensor, lag_BQL: Tensor, gap_BQL: Tensor
    ) -> Tensor:
        attended = self.attention(self.norm_query(query_BQD), self.norm_key(key_BLD), visible_BQL, lag_BQL, gap_BQL)
        hidden = query_BQD + self.dropout(attended)
        return hidden + self.dropout(self.feed_forward(self.norm_hidden(hidden)))


class Recommender(nn.Module):
    """Scores every product for the next basket of a shopper.

    score = h · product vector + bias + w · recent popularity + R, where R is the product's own place in the history
    (`repeats`; 0 for products that the shopper has not met), and h is read out by a query made of the most
    recent visible basket (the mean of its tokens) and the time since then. Masking an interaction takes it from
    the keys and from that mean; an emptied basket gives way to the one before. One operation for every interaction.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        products: int,
        attributes: Mapping[str, Tensor] | None = None,
        sizes: Mapping[str, int] | None = None,
        texts_IW: Tensor | None = None,
        event_types: int = 1,
    ):
        super().__init__()
        self.config = config
        self.products = ProductVectors(config, products, attributes or {}, sizes or {}, texts_IW)
        self.types = nn.Embedding(event_types + 1, config.width, padding_idx=0) if config.uses_types else None
        if self.types is not None:
            nn.init.zeros_(self.types.weight)
        self.gaps = nn.Embedding(GAP_BUCKETS, config.width) if config.uses_times else None
        if self.gaps is not None:
            nn.init.zeros_(self.gaps.weight)
        self.empty = nn.Parameter(torch.zeros(config.width))
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(config.width)
        self.bias = nn.Embedding(products + 1, 1)
        nn.init.zeros_(self.bias.weight)
        self.popularity_weight = nn.Parameter(torch.tensor(0.5 if config.uses_popularity else 0.0))
        self.popularity_weight.requires_grad_(config.uses_popularity)
        self.aims = nn.Parameter(torch.zeros(event_types + 1, config.width)) if config.predicts_types else None
        self.repeats = Repeats(config, products, event_types) if config.uses_repeats else None

    def tokens_BLD(self, history: History, visible_BL: Tensor | None = None) -> Tensor:
        """One vector a history line: product + event type, put into context by all blocks but the last.

        Attention sees strictly earlier baskets: the lines of one basket are a set. `visible_BL` masks lines out.
        """
        x_BLD = self.products(history.items_BL)
        if self.types is not None:
            x_BLD = x_BLD + self.types(history.types_BL)
        x_BLD = self.dropout(x_BLD)
        if len(self.blocks) == 1:
            return x_BLD
        real_BL = history.items_BL > 0
        if visible_BL is not None:
            real_BL = real_BL & visible_BL
        earlier_BLL = history.baskets_BL.unsqueeze(1) < history.baskets_BL.unsqueeze(2)
        visible_BLL = earlier_BLL & real_BL.unsqueeze(1)
        lag_BLL = lag_bucket(history.baskets_BL.unsqueeze(2) - history.baskets_BL.unsqueeze(1))
        gap_BLL = gap_bucket(history.times_BL.unsqueeze(2) - history.times_BL.unsqueeze(1))
        for block in self.blocks[:-1]:
            x_BLD = block(x_BLD, x_BLD, visible_BLL, lag_BLL, gap_BLL)
        return x_BLD

    def read_out(
        self, tokens_BLD: Tensor, history: History, visible_BQL: Tensor, basket_BQ: Tensor, now_BQ: Tensor
    ) -> Tensor:
        """[B, Q, D]: the shopper's state at `now`, before basket number `basket`, from the visible lines only."""
        baskets_BQL = history.baskets_BL.unsqueeze(1).expand_as(visible_BQL)
        last_BQ1 = baskets_BQL.masked_fill(~visible_BQL, -1).amax(-1, keepdim=True)
        recent_BQL = visible_BQL & (baskets_BQL == last_BQ1)
        count_BQ1 = recent_BQL.sum(-1, keepdim=True)
        mean_BQD = (recent_BQL.to(tokens_BLD.dtype) / count_BQ1.clamp(min=1)) @ tokens_BLD
        query_BQD = torch.where(count_BQ1 > 0, mean_BQD, self.empty)
        gap_BQL = gap_bucket(now_BQ.unsqueeze(-1) - history.times_BL.unsqueeze(1))
        if self.gaps is not None:
            since_BQ = torch.where(recent_BQL, gap_BQL, 0).amax(-1)
            query_BQD = query_BQD + torch.where(count_BQ1 > 0, self.gaps(since_BQ), 0.0)
        lag_BQL = lag_bucket(basket_BQ.unsqueeze(-1) - history.baskets_BL.unsqueeze(1))
        return self.norm(self.blocks[-1](query_BQD, tokens_BLD, visible_BQL, lag_BQL, gap_BQL))

    def aimed(self, state: Tensor, kind: Tensor | int) -> Tensor:
        """The state for predicting one kind of line instead of what is ranked for (kind 0): [..., D]."""
        if self.aims is None:
            return state
        kind = torch.as_tensor(kind, device=state.device)
        return state + self.aims[kind] * (kind > 0).unsqueeze(-1)

    def scores(self, state: Tensor, items: Tensor, popularity: Tensor | None = None) -> Tensor:
        """[..., D] and products [J] -> [..., J]; `popularity` [..., J] is the recent popularity at that moment."""
        scores = functional.linear(state, self.products(items)) + self.bias(items).squeeze(-1)
        if popularity is not None:
            scores = scores + self.popularity_weight * popularity
        return scores
