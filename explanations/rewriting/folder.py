"""Asks a language model of a local folder for one sentence: on the worker, without network, within a time."""

import importlib
import importlib.util
import logging
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

from explanations.rewriting.checker import Refused, Rejection
from explanations.rewriting.sources import TASK, Source

logger = logging.getLogger(__name__)

PACKAGE = "transformers"
MOST_TOKENS = 80  # of an answer
FILES = ("config.json", "tokenizer.json")


class Unusable(Exception):
    """Nothing can be asked of the folder."""

    def __init__(self, *, detail: str, remedy: str):
        super().__init__(f"{detail}: {remedy}")
        self.detail, self.remedy = detail, remedy


def examine(folder: str) -> None:
    """Raises Unusable: what is missing of the folder or of this installation. Loads nothing."""
    if importlib.util.find_spec(PACKAGE) is None:
        raise Unusable(detail=f"REWRITING_FOLDER needs the package {PACKAGE}", remedy="pip install '.[rewriting]'")
    path = Path(folder)
    if not path.is_dir():
        raise Unusable(
            detail=f"REWRITING_FOLDER names no folder: {folder}",
            remedy="give the absolute path of a folder that transformers' save_pretrained wrote",
        )
    missing = [name for name in FILES if not (path / name).is_file()]
    if not any(path.glob("*.safetensors")):  # anything else could run code when it is loaded
        missing.append("*.safetensors")
    if missing:
        raise Unusable(
            detail=f"REWRITING_FOLDER {folder} lacks {', '.join(missing)}",
            remedy="save the model and its tokenizer there with save_pretrained",
        )


def ask(source: Source) -> str:
    """The first line that the model answers, the likeliest word at each step. Raises Refused: unreachable or slow."""
    try:
        tokenizer, model = _loaded(settings.REWRITING_FOLDER)
    except Unusable as error:
        logger.warning("cannot reword: %s", error)
        raise Refused(rejection=Rejection.UNREACHABLE) from None
    deadline = time.monotonic() + settings.REWRITING_SECONDS
    try:
        prompt = tokenizer(_prompt(tokenizer, source), return_tensors="pt", add_special_tokens=False)
        answer = model.generate(
            input_ids=prompt["input_ids"],
            attention_mask=prompt["attention_mask"],
            do_sample=False,
            num_beams=1,
            max_new_tokens=MOST_TOKENS,
            max_time=settings.REWRITING_SECONDS,
            pad_token_id=tokenizer.eos_token_id,
        )
    except (RuntimeError, ValueError, IndexError):  # such as a prompt that is longer than its positions
        logger.exception("the model of REWRITING_FOLDER cannot answer")
        raise Refused(rejection=Rejection.UNREACHABLE) from None
    if time.monotonic() > deadline:
        raise Refused(rejection=Rejection.SLOW)
    text = tokenizer.decode(answer[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)
    return next((line.strip().strip('"“”') for line in text.splitlines() if line.strip()), "")


def _prompt(tokenizer: Any, source: Source) -> str:
    if not tokenizer.chat_template:
        return f"{TASK[source.language]}\n\n{source.text}\n"
    messages = [{"role": "system", "content": TASK[source.language]}, {"role": "user", "content": source.text}]
    made: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return made


@lru_cache(maxsize=1)
def _loaded(folder: str) -> tuple[Any, Any]:  # classes of a package that need not be installed
    """Tokenizer and model, once a process. Raises Unusable."""
    examine(folder)
    library, broken = importlib.import_module(PACKAGE), importlib.import_module("safetensors").SafetensorError
    options = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = library.AutoTokenizer.from_pretrained(folder, **options)
        model = library.AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True, **options)
    except (OSError, ValueError, KeyError, RuntimeError, broken) as error:
        detail = f"REWRITING_FOLDER {folder} cannot be loaded: {' '.join(str(error).split())[:300]}"
        raise Unusable(detail=detail, remedy="give a folder with a causal language model") from error
    return tokenizer, model.eval()
