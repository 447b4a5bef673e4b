"""What a language model may rewrite: a line whose names, numbers and dates are placeholders.

It never sees a title, so no title can tell it anything, and it cannot write a name or a number that is not true.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from explanations.contract import Cause, Contract, Status, pack
from explanations.phrasing.text import Segment

PLACEHOLDER = re.compile(r"\[(\w+)\]")
QUOTED = re.compile(r"“(\[\w+\])”")  # titles are quoted when the line is put together, whether the model did it or not
VERBS = {"verb", "first_verb", "second_verb"}  # what was done stays in words, which must come back
REASONS = (Cause.HISTORY, Cause.HISTORY_GROUP)  # verified ones are a "because"
FACTS = (Cause.BUY_AGAIN, Cause.VIEWED_PRODUCT)  # true, and not a cause

TASK = {
    "en": (
        "Reword this one line of a shop in plain, friendly English, in at most 20 words. Keep every placeholder in "
        "square brackets exactly once and in the same order, keep the words that say who did what, add no fact, no "
        "name, no number, no praise and nothing about anybody else. Answer with the line only."
    ),
    "zh-hans": (
        "请用自然、简洁的简体中文改写商店的这一行文字，不超过 30 个字。每个方括号占位符必须原样出现一次且顺序不变，"
        "原样保留说明谁做了什么的词语，不得添加任何事实、名称、数字、赞美或对其他人的描述。只回答这一行文字。"
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A line of the templates."""

    language: str
    text: str  # Because you bought [title] and [other], without the quotes of a title
    is_causal: bool


def source_of(contract: Contract, segments: Sequence[Segment], *, language: str) -> Source | None:
    """None where the line must stand as it is: what is disclosed, withheld or not verified is not reworded."""
    is_causal = contract.status is Status.VERIFIED and contract.cause in REASONS
    if not (is_causal or contract.cause in FACTS) or contract.status is Status.WITHHELD:
        return None
    said = [segment.text if segment.slot in VERBS or not segment.slot else f"[{segment.slot}]" for segment in segments]
    words = [segment.text for segment in segments if segment.slot in VERBS or not segment.slot]
    if not any(segment.slot for segment in segments) or any("[" in word for word in words):
        return None
    return Source(language=language, text=QUOTED.sub(r"\1", "".join(said)), is_causal=is_causal)


def filled(text: str, segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """The rewritten line with what its placeholders stand for now."""
    by_slot = {segment.slot: segment for segment in segments if segment.slot}
    template = "".join(f"[{segment.slot}]" if segment.slot else segment.text for segment in segments)
    quoted = set(QUOTED.findall(template))
    text = QUOTED.sub(r"\1", text)
    pieces = PLACEHOLDER.split(PLACEHOLDER.sub(lambda found: f"“{found[0]}”" if found[0] in quoted else found[0], text))
    found = [by_slot[piece] if number % 2 else Segment(text=piece) for number, piece in enumerate(pieces)]
    return tuple(segment for segment in found if segment.text)


def hash_of(contract: Contract) -> str:
    """Of the facts alone: where and when they were computed is not part of it."""
    stored = json.dumps(pack(replace(contract, provenance=None)), sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(stored.encode(), digest_size=16).hexdigest()
