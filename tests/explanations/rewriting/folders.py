"""Real language models, so small that a test makes them: one that babbles, one that says one sentence."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

transformers: Any = pytest.importorskip(
    "transformers", reason="rewriting from a folder is NOT tested. Remedy: pip install '.[rewriting]'"
)
tokenizers: Any = pytest.importorskip("tokenizers")

WORDS = (
    "because",
    "Because",
    "you",
    "bought",
    "[title]",
    "[other]",
    "and",
    "best",
    "gift",
    "for",
    "7",
    "<b>",
    "因为",
    "您",
)
END, UNKNOWN = "<end>", "<unknown>"


def babbling(folder: Path, *, positions: int = 512) -> Path:
    """Two layers with random weights."""
    import torch

    torch.manual_seed(3)
    tokenizer = _tokenizer(WORDS)
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer), n_positions=positions, n_embd=32, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
    )
    return _saved(folder, transformers.GPT2LMHeadModel(config), tokenizer)


def saying(folder: Path, line: str) -> Path:
    """Two layers that pass on what they get: after each word comes the next one of the line, then the end.

    It begins where the assistant is to speak: a word that it does not know.
    """
    import torch

    tokenizer = _tokenizer(line.split())
    size = len(tokenizer) + len(tokenizer) % 2
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=size,
        intermediate_size=8,
        num_hidden_layers=2,
        num_attention_heads=1,
        max_position_embeddings=512,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=0,
    )
    model = transformers.LlamaForCausalLM(config)
    chain = tokenizer.convert_tokens_to_ids([UNKNOWN, *line.split(), END])
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        model.model.embed_tokens.weight.copy_(torch.eye(len(tokenizer), size))
        model.lm_head.weight.zero_()
        for now, following in pairwise(chain):
            model.lm_head.weight[following, now] = 1.0
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }} {% endfor %}<assistant>"
    return _saved(folder, model, tokenizer)


def _tokenizer(words: Sequence[str]) -> Any:
    """Every word is one token; whatever it does not know is `UNKNOWN`."""
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys([END, UNKNOWN, *words]))}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token=UNKNOWN))
    made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, unk_token=UNKNOWN, eos_token=END)


def _saved(folder: Path, model: Any, tokenizer: Any) -> Path:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
