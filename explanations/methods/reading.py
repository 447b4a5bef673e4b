"""The last block of the model for many variants of one history at once: what they share is computed once.

Tokens, keys, values and the bias of each line do not depend on what is masked, if the model has one block. What
does is the query (the most recent visible basket) and the mask. Each row is a masked softmax of its own: exact
whatever a head attends to. (Subtracting the masked lines from the full softmax was tried: with the keys shared it saves
a tenth of 2 µs a row, loses digits where a head attends to one line alone, and needs this beside it for the latest
basket, whose lines make the query.)
"""

# B shoppers, R rows (variants of one history), L lines, M lines and the null line, D width, H heads, E width of a head.
import math
from typing import NamedTuple, cast

import torch
from torch import Tensor

from recommendations.ml.history import History, gap_bucket, lag_bucket
from recommendations.ml.model import Attention, Block, Recommender


class Reading(NamedTuple):
    """What all variants of each history share. `query_BLD`: a token and the time since then, as a query sees them."""

    query_BLD: Tensor
    key_BHEM: Tensor
    value_BHME: Tensor
    bias_BHM: Tensor  # of lag and time gap; the null key's logit is the last
    basket_BL: Tensor  # from 1, as floats: comparing them is quicker


def last_block(model: Recommender) -> tuple[Block, Attention]:
    block = cast(Block, model.blocks[-1])  # a module list does not say what it holds
    return block, block.attention


@torch.inference_mode()
def reading(model: Recommender, history: History, next_basket_B: Tensor, now: int) -> Reading:
    """Only for a model of one block."""
    block, attention = last_block(model)
    tokens_BLD = model.tokens_BLD(history)
    gap_BL = gap_bucket(now - history.times_BL)
    query_BLD = tokens_BLD if model.gaps is None else tokens_BLD + model.gaps(gap_BL)
    normed_BLD = block.norm_key(tokens_BLD)
    key_BHLE, value_BHLE = (attention.split(layer(normed_BLD)) for layer in (attention.key, attention.value))
    lag_BL = lag_bucket(next_basket_B.unsqueeze(1) - history.baskets_BL)
    bias_BLH = attention.lag_bias(lag_BL)
    if attention.gap_bias is not None:
        bias_BLH = bias_BLH + attention.gap_bias(gap_BL)
    batch = len(lag_BL)
    null_BH1E = attention.null_value.view(1, -1, 1, attention.size).expand(batch, -1, -1, -1)
    null_BH1 = attention.null_logit.view(1, -1, 1).expand(batch, -1, -1)
    key_BHME = torch.cat([key_BHLE, torch.zeros_like(null_BH1E)], dim=2)
    return Reading(
        query_BLD=query_BLD,
        key_BHEM=(key_BHME / math.sqrt(attention.size)).transpose(2, 3).contiguous(),
        value_BHME=torch.cat([value_BHLE, null_BH1E], dim=2),
        bias_BHM=torch.cat([bias_BLH.transpose(1, 2), null_BH1], dim=2),
        basket_BL=(history.baskets_BL + 1).float(),
    )


def queries(model: Recommender, read: Reading, visible_BRL: Tensor) -> Tensor:
    """[B, R, D] the mean token of the most recent visible basket and the time since then; `empty` without any."""
    seen_BRL = visible_BRL * read.basket_BL.unsqueeze(1)
    last_BR1 = seen_BRL.amax(-1, keepdim=True)
    recent_BRL = ((seen_BRL == last_BR1) & visible_BRL).float()
    count_BR1 = recent_BRL.sum(-1, keepdim=True)
    mean_BRD = (recent_BRL / count_BR1.clamp(min=1)) @ read.query_BLD
    return torch.where(last_BR1 > 0, mean_BRD, model.empty)


def attended(model: Recommender, read: Reading, query_BRD: Tensor, visible_BRL: Tensor) -> Tensor:
    """[B, R, D] the values of the lines that each row may see, and of the null line, as its query attends to them."""
    block, attention = last_block(model)
    asked_BHRE = attention.split(attention.query(block.norm_query(query_BRD)))
    logits_BHRM = (asked_BHRE @ read.key_BHEM).add_(read.bias_BHM.unsqueeze(2))
    logits_BHRM[..., :-1].masked_fill_(~visible_BRL.unsqueeze(1), float("-inf"))
    return (torch.softmax(logits_BHRM, dim=-1) @ read.value_BHME).transpose(1, 2).flatten(-2)


@torch.inference_mode()
def read_out(model: Recommender, read: Reading, visible_BRL: Tensor) -> Tensor:
    """[B, R, D]: what `Recommender.read_out` returns."""
    block, attention = last_block(model)
    query_BRD = queries(model, read, visible_BRL)
    hidden_BRD = query_BRD + attention.out(attended(model, read, query_BRD, visible_BRL))
    return model.norm(hidden_BRD + block.feed_forward(block.norm_hidden(hidden_BRD)))
