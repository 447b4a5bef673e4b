"""The forms that a rewriting of a template may have: its own words in their order, a cause directly before them."""

import re
from functools import lru_cache

from explanations.rewriting.lexicon import ADVERBS, CAUSAL, CONCLUSIONS, FRAME, LEADS, SAME
from explanations.rewriting.sources import Source

TOKEN = re.compile(r"“?\[\w+\]”?|[^\W\d_]+(?:['’][^\W\d_]+)*")
PAST = {"en": r"(?:\s+(?:already|before|earlier|too))?", "zh-hans": ""}  # may follow the template's words,
AFTER = {  # and then nothing, or a new clause
    "en": r"(?:\s*|\s*[,.;:!–—-].*|\s+(?:so|therefore)\s.*)",
    "zh-hans": r"(?:|[，。；：、！].*)",
}
CLAUSE = {"en": r"(?:.*[,.;:!–—-]\s*)?", "zh-hans": r"(?:.*[，。；：、！])?"}
KNOWN = {
    language: FRAME[language]
    | ADVERBS[language]
    | CAUSAL[language]
    | CONCLUSIONS[language]
    | frozenset().union(*SAME[language])
    | {"already", "before", "due", "to", "too", "之所以"}
    for language in ("en", "zh-hans")
}


@lru_cache(maxsize=256)
def shape(source: Source) -> re.Pattern[str]:
    """With what stands `before` the template's words and `after` them. For Chinese, of text without spaces."""
    language = source.language
    text = source.text if language == "en" else source.text.replace(" ", "")
    lead, core = "", text
    if source.is_causal:
        lead = next((word for word in LEADS[language] if text.lower().startswith(word)), "")
        core = text[len(lead) :]
    words = _english(core) if language == "en" else _chinese(core)
    if lead:
        leads = "|".join(LEADS[language][lead])
        start = rf"(?P<before>(?:.*[^\w\]])?)(?:{leads})\s+" if language == "en" else f"(?P<before>.*?)(?:{leads})"
    else:
        start = f"(?P<before>{CLAUSE[language]})"
    return re.compile(f"{start}{words}{PAST[language]}(?P<after>{AFTER[language]})", re.IGNORECASE | re.DOTALL)


def _english(core: str) -> str:
    gap = rf"[\s,]+(?:(?:{'|'.join(sorted(ADVERBS['en']))})[\s,]+)?"
    return gap.join(_word(token) for token in TOKEN.findall(core))


def _word(token: str) -> str:
    if "[" in token:  # a title may be quoted or not
        return f"“?{re.escape(token.strip('“”'))}”?"
    same = next((words for words in SAME["en"] if token.lower() in words), frozenset({token}))
    return f"(?:{'|'.join(re.escape(word) for word in sorted(same))})"


def _chinese(core: str) -> str:
    adverbs = "|".join(sorted(ADVERBS["zh-hans"], key=len, reverse=True))
    return re.escape(core).replace("您", f"您(?:{adverbs})?")
