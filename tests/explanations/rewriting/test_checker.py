"""A rewriting is accepted only if it can claim nothing that its template does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explanations.phrasing.text import Segment
from explanations.rewriting.checker import PUNCTUATION, Refused, Rejection, check
from explanations.rewriting.shapes import KNOWN
from explanations.rewriting.sources import PLACEHOLDER, Source, filled

SEGMENTS = (
    Segment(text="Because you "),
    Segment(text="bought", slot="verb"),
    Segment(text="Cake stand", slot="title"),
    Segment(text="2", slot="count"),
    Segment(text="6 weeks", slot="interval"),
)
ENGLISH = Source(
    language="en",
    text="Because you bought [title] and [count] other things",
    is_causal=True,
)
FACT = Source(language="en", text="You bought this [count] times", is_causal=False)
ONE = Source(language="en", text="Because you bought [title]", is_causal=True)
GOES = Source(language="en", text="Goes with [title]", is_causal=False)
HABIT = Source(language="en", text="You bought this [count] times, usually every [interval]", is_causal=False)
CHINESE = Source(language="zh-hans", text="因为您购买过「[title]」", is_causal=True)


def refused(text: str, source: Source) -> Rejection | None:
    try:
        check(text, source, SEGMENTS, sensitive=["Night lights", "孕婴"])
    except Refused as error:
        return error.rejection
    return None


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (ENGLISH, "Suggested because you bought [title] and [count] other items before."),
        (ENGLISH, ENGLISH.text),
        (ONE, "Since you also bought [title], this is suggested"),
        (FACT, "You bought this earlier, [count] times"),
        (HABIT, "Suggested: you bought this [count] times, usually every [interval]."),
        (GOES, "Suggested: goes with [title]"),
        (CHINESE, "由于您之前购买过「[title]」，所以推荐这件商品"),
        (CHINESE, CHINESE.text),
    ],
)
def test_what_says_the_same_is_accepted(source: Source, text: str) -> None:
    assert check(text, source, SEGMENTS) == text


@pytest.mark.parametrize(
    ("source", "text", "rejection"),
    [
        (ENGLISH, " \n ", Rejection.EMPTY),
        (ENGLISH, "Because you bought <b>[title]</b> and [count]", Rejection.CHARACTERS),
        (ENGLISH, "Because you bought [title] and [count] \u202ethings", Rejection.CHARACTERS),
        (ENGLISH, "Because you bought Ikea [title] and [count] things", Rejection.ENTITY),
        (ENGLISH, "Because you did not buy [title] and [count] things", Rejection.ENTITY),
        (ENGLISH, "Because you bought [title] and [count] of 7 things", Rejection.NUMBER),
        (ENGLISH, "Because you bought [title] and [count] or three things", Rejection.NUMBER),
        (FACT, "Because you bought this [count] times", Rejection.CAUSAL),
        (ENGLISH, "Because you bought the best [title] and [count] others", Rejection.SUPERLATIVE),
        (ENGLISH, "Because you love and bought [title] and [count] others", Rejection.TRAIT),
        (ENGLISH, "Because you bought [title] and [count] pregnancy things", Rejection.SENSITIVE),
        (ENGLISH, "Because you bought night lights [title] [count]", Rejection.SENSITIVE),
        (ENGLISH, "Because you bought [title] and other things", Rejection.LOST),
        (ENGLISH, "Because you bought [count] things and [title]", Rejection.LOST),
        (ENGLISH, "Because you bought [title], [title] and [count] things", Rejection.LOST),
        (ENGLISH, "Because you bought [title] and [count] [rank] things", Rejection.LOST),
        (ENGLISH, "Because of [title] and [count] others in your history", Rejection.ENTITY),  # what was done
        (ENGLISH, "You bought [title] and [count] other things", Rejection.LOST),  # the cause
        (ENGLISH, "You bought [title] and [count] other things because this is here", Rejection.LOST),  # turned round
        (ENGLISH, "Because you bought [title] and [count] other things" + ", this item is shown" * 6, Rejection.LENGTH),
        (CHINESE, "因为您购买过小米「[title]」", Rejection.ENTITY),
        (CHINESE, "因为您喜欢并购买过「[title]」", Rejection.TRAIT),
        (CHINESE, "因为您购买过最好的「[title]」", Rejection.SUPERLATIVE),
        (CHINESE, "因为您购买过三件「[title]」", Rejection.NUMBER),
        (CHINESE, "因为您怀孕，购买过「[title]」", Rejection.SENSITIVE),
        (CHINESE, "您购买过「[title]」", Rejection.LOST),
        (CHINESE, "因为您购买过「[title]」" + "，推荐这件商品" * 9, Rejection.LENGTH),
    ],
)
def test_what_claims_more_or_less_is_refused(source: Source, text: str, rejection: Rejection) -> None:
    assert refused(text, source) is rejection


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (ONE, "Because others bought [title]"),
        (ONE, "Because we bought [title] for you"),
        (ONE, "Because you usually bought [title]"),
        (ONE, "Because you bought this product, [title]"),
        (ONE, "So you bought [title]"),
        (ONE, "Because you bought [title] for this"),
        (ONE, "Because this is here you bought [title]"),
        (GOES, "You bought [title] before"),
        (GOES, "From your purchase of [title]"),
        (GOES, "Chosen for you from your history with [title]"),
        (GOES, "Goes with this, [title]"),
        (FACT, "Others bought this [count] times"),
        (FACT, "Recommended you bought this [count] times"),
        (FACT, "You bought this [count] times, usually"),
        (HABIT, "You bought this [count] times every [interval]"),
        (CHINESE, "因为其他购买过「[title]」"),
        (CHINESE, "因为您每次购买过「[title]」"),
        (CHINESE, "因为您通常购买过「[title]」"),
        (CHINESE, "因为我们购买过「[title]」"),
        (CHINESE, "所以您购买过「[title]」"),
    ],
)
def test_who_did_what_and_how_often_is_that_of_the_template(source: Source, text: str) -> None:
    assert refused(text, source) in {Rejection.ENTITY, Rejection.LOST}


@given(st.lists(st.sampled_from([*sorted(KNOWN["en"]), "best", "Ikea", "7", "[title]", "[count]", "bought"])))
def test_whatever_is_accepted_holds_known_words_and_every_placeholder_once(words: list[str]) -> None:
    text = " ".join(["Because", "you", *words])

    if refused(text, ENGLISH) is None:
        assert sorted(PLACEHOLDER.findall(text)) == ["count", "title"]
        assert not {"best", "Ikea", "7"} & set(words)
        line = "".join(segment.text for segment in filled(text, SEGMENTS))
        assert set(line) - set("26") <= set("abcdefghijklmnopqrstuvwxyzBCST") | PUNCTUATION


@given(st.text(max_size=200))
def test_any_text_is_answered_without_an_error(text: str) -> None:
    for source in (ENGLISH, FACT, CHINESE):
        refused(text, source)
