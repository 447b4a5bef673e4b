"""Sentences say what the contract says, in both languages, within their length."""

import itertools
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.models import Category, Product
from explanations.contract import (
    Cause,
    Contract,
    Counterfactual,
    Evidence,
    Reason,
    ReasonType,
    Status,
    Strength,
    Target,
)
from explanations.phrasing import Phrased, phrase
from explanations.phrasing.lines import interval
from explanations.phrasing.text import clean, ordinal, shorten
from tests.factories import CategoryFactory, ProductFactory
from tests.worlds import contract, evidence, provenance, reason

pytestmark = pytest.mark.django_db

LANGUAGES = ("en", "zh-hans")
CATEGORIES: dict[int, Category] = {
    1: CategoryFactory.build(pk=1, path="kitchen", name_en="Kitchen", name_zh_hans="厨房"),
    2: CategoryFactory.build(pk=2, path="health", is_sensitive=True),
    3: CategoryFactory.build(pk=3, path="health/tests", parent_id=2),
}
TITLES = ["Popcorn holder", "Vintage tin set", "Spotty bunting", "Cake stand", "Jumbo bag", "Recipe box"]
PRODUCTS: dict[int, Product] = {
    pk: ProductFactory.build(pk=pk, title=title, category=CATEGORIES[1]) for pk, title in enumerate(TITLES, start=1)
}
BECAUSE = re.compile(r"because|因为", re.IGNORECASE)


def said(stated: Contract, language: str = "en", products: dict[int, Product] = PRODUCTS) -> Phrased:
    return phrase(stated, products=products, categories=CATEGORIES, language=language)


def units(count: int, **fields: object) -> tuple[Evidence, ...]:
    return tuple(evidence(2 + number, (), **fields) for number in range(count))


def moment(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp())  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("reasons", "english", "chinese"),
    [
        ([reason(*units(1))], "Because you bought “Vintage tin set”", "因为您购买过「Vintage tin set」"),
        (
            [reason(evidence(3), delta=0.5), reason(evidence(2))],
            "Because you bought “Vintage tin set” and “Spotty bunting”",
            "因为您购买过「Vintage tin set」和「Spotty bunting」",
        ),
        (
            [reason(evidence(2)), reason(evidence(3, event_type="view"), delta=0.5)],
            "Because you bought “Vintage tin set” and viewed “Spotty bunting”",
            "因为您购买过「Vintage tin set」，也浏览过「Spotty bunting」",
        ),
        (
            [reason(*units(3))],
            "Because you bought “Vintage tin set” and 2 other things",
            "因为您购买过「Vintage tin set」等商品（另有 2 件）",
        ),
        (
            [reason(*units(4), type=ReasonType.CATEGORY, category_id=1)],
            "Because of 4 things you bought in Kitchen",
            "因为您在「厨房」中购买过的 4 件商品",
        ),
        (
            [reason(*units(2), type=ReasonType.CATEGORY, category_id=3)],  # below a sensitive group
            "Because of 2 things you bought",
            "因为您购买过的 2 件商品",
        ),
        (
            [reason(*units(3, last_at=moment(2011, 3, 12)), type=ReasonType.BASKET)],
            "Because of 3 things you bought together on 12 March 2011",
            "因为您在 2011 年 3 月 12 日一次购买过的 3 件商品",
        ),
        (
            [reason(*units(3), type=ReasonType.ALIKE)],
            "Because you bought “Vintage tin set” and 2 things like it",
            "因为您购买过「Vintage tin set」和 2 件与它相近的商品",
        ),
        (
            [reason(*units(2, event_type="unheard_of"), type=ReasonType.ALIKE)],
            "Because of “Vintage tin set” and 1 thing like it in your history",
            "因为您的记录中有「Vintage tin set」和 1 件与它相近的商品",
        ),
    ],
)
def test_a_verified_history_is_a_because(reasons: list[Reason], english: str, chinese: str) -> None:
    stated = contract(1, reasons=tuple(reasons))

    assert said(stated).line == english
    assert said(stated, "zh-hans").line == chinese


@pytest.mark.parametrize(
    ("stated", "label", "english", "chinese"),
    [
        (
            contract(
                1,
                cause=Cause.BUY_AGAIN,
                reasons=(reason(evidence(1, times=4), type=ReasonType.REPEAT, every_days=42),),
            ),
            None,
            "You bought this 4 times, usually every 6 weeks",
            "您购买过 4 次，通常每 6 周一次",
        ),
        (
            contract(
                1,
                cause=Cause.VIEWED_PRODUCT,
                reasons=(reason(evidence(2), type=ReasonType.CONTEXT_PRODUCT),),
            ),
            None,
            "Goes with “Vintage tin set”",
            "与「Vintage tin set」相配",
        ),
        (
            contract(1, cause=Cause.POPULAR, extra={"buyers": 1200}),
            "Popular",
            "Bought by about 1,200 shoppers; not chosen from your history",
            "约 1,200 位顾客购买过，并非依据您的记录选出",
        ),
        (
            contract(1, cause=Cause.POPULAR, extra={"buyers": 20}),  # too few to be counted aloud
            "Popular",
            "Popular in the whole shop; not chosen from your history",
            "全店热门，并非依据您的记录选出",
        ),
        (
            contract(
                1,
                cause=Cause.POPULAR,
                reasons=(reason(evidence(2), type=ReasonType.CONTEXT_PRODUCT, is_verified=False),),
            ),
            "Popular",
            "Popular in the whole shop, not beside this product alone",
            "全店热门，并不只是与本商品相配",
        ),
        (  # bought before, but that carries nothing
            contract(
                1,
                cause=Cause.BUY_AGAIN,
                reasons=(reason(evidence(1, times=1), type=ReasonType.REPEAT, delta=0.0, is_verified=False),),
            ),
            None,
            "You bought this on 1 November 2011",
            "您在 2011 年 11 月 1 日购买过",
        ),
        (
            contract(1, cause=Cause.BUY_AGAIN, reasons=(reason(type=ReasonType.REPEAT, is_verified=False),)),
            None,
            "From your earlier purchases",
            "来自您以前的购买",
        ),
        (
            contract(1, cause=Cause.NOT_PERSONAL),
            "For everyone",
            "The same for everyone; no history is used",
            "对所有人都一样，不使用任何记录",
        ),
        (
            contract(1, cause=Cause.NEW),
            "New",
            "New in the shop; not chosen from your history",
            "本店新品，并非依据您的记录选出",
        ),
    ],
)
def test_what_is_no_personal_reason_is_said_as_such(
    stated: Contract, label: str | None, english: str, chinese: str
) -> None:
    assert (said(stated).label, said(stated).line) == (label, english)
    assert said(stated, "zh-hans").line == chinese


def test_the_claim_says_what_was_tested() -> None:
    stated = contract(1, rank=2, reasons=(reason(evidence(2), rank_without=14),))

    assert said(stated).claim == (
        "Because you bought “Vintage tin set”. If we left this out of your history, this would move from 2nd to 14th."
    )
    assert (
        said(stated, "zh-hans").claim
        == "因为您购买过「Vintage tin set」；如果不考虑这些记录，它会从第 2 位变为第 14 位。"
    )


def test_the_panel_says_each_effect_on_one_zero_line() -> None:
    strongest = reason(evidence(2, times=3, last_at=moment(2011, 3, 12)), rank_without=14, rank_only=5, delta=2.0)
    weaker = reason(evidence(3), rank_without=3, delta=0.5)
    against = reason(evidence(4, event_type="view"), rank_without=1, delta=-1.0)

    phrased = said(contract(1, rank=2, reasons=(weaker, strongest), opposing=(against,)))

    first, second = phrased.reasons
    (opposing,) = phrased.opposing
    assert (first.title, first.detail, first.effect, first.alone, first.bar) == (
        "Vintage tin set",
        "bought 3 times, last on 12 March 2011",
        "would drop from 2nd to 14th without it",
        "with only this in your history it would be 5th",
        1.0,
    )
    assert (second.title, second.percent) == ("Spotty bunting", 25)
    assert (opposing.effect, opposing.bar) == ("would rise from 2nd to 1st without it", -0.5)


def test_an_unverified_reason_is_not_said() -> None:
    phrased = said(contract(1, reasons=(reason(evidence(2), is_verified=False),)))

    assert phrased.line == "Fits your history as a whole; no single reason passed the check"
    assert phrased.reasons == ()


@pytest.mark.parametrize(
    ("change", "english", "chinese"),
    [
        (
            Counterfactual(strength=Strength.LOSES_PLACE, removed=(2, 3), rank=9, replacement_id=5),
            "Without “Vintage tin set” and “Spotty bunting”, “Jumbo bag” would take its place; it would be 9th.",
            "如果没有「Vintage tin set」和「Spotty bunting」，它的位置会由「Jumbo bag」取代，它会变为第 9 位。",
        ),
        (
            Counterfactual(strength=Strength.LEAVES_LIST, removed=(2,), rank=1021),
            "Without “Vintage tin set” it would leave this list: it would be 1,021st.",
            "如果没有「Vintage tin set」，它会离开这个列表，降到第 1,021 位。",
        ),
        (
            Counterfactual(strength=Strength.LOSES_PLACE, removed=(2, 3, 4), rank=4, replacement_id=5, category_id=1),
            "Without the 3 things from Kitchen, “Jumbo bag” would take its place; it would be 4th.",
            "如果没有「厨房」中的 3 件商品，它的位置会由「Jumbo bag」取代，它会变为第 4 位。",
        ),
        (
            Counterfactual(strength=Strength.LEAVES_LIST, removed=(2, 3), rank=30, replacement_id=5, category_id=2),
            "Without 2 things of one kind it would leave this list: it would be 30th.",
            "如果没有某一类的 2 件商品，它会离开这个列表，降到第 30 位。",
        ),
        (
            None,
            "None of the changes that we tried (up to three things, or one group) would remove it.",
            "我们试过的改动（最多三件商品，或一个类别）都不会使它离开这里。",
        ),
    ],
)
def test_the_counterfactual_names_what_takes_the_place(
    change: Counterfactual | None, english: str, chinese: str
) -> None:
    stated = contract(1, reasons=(reason(evidence(2)),), counterfactual=change)

    assert said(stated).counterfactual == english
    assert said(stated, "zh-hans").counterfactual == chinese


@pytest.mark.parametrize(
    ("probability", "english"),
    [
        (0.12, "High chance: of recommendations scored like this, about 1 in 8 is in the next basket."),
        (0.0123, "Low chance: of recommendations scored like this, about 1 in 81 is in the next basket."),
        (0.00002, "Low chance: of recommendations scored like this, fewer than 1 in 1,000 is in the next basket."),
        (0.61, "High chance: of recommendations scored like this, about 6 in 10 are in the next basket."),
        (1.0, "High chance: of recommendations scored like this, more than 9 in 10 are in the next basket."),
    ],
)
def test_a_chance_is_a_share_of_something(probability: float, english: str) -> None:
    stated = contract(1)

    assert said(replace(stated, target=replace(stated.target, probability=probability))).chance == english


def test_beside_a_product_the_chance_is_a_share_of_its_baskets() -> None:
    context = reason(evidence(2), type=ReasonType.CONTEXT_PRODUCT)
    stated = contract(1, rank=2, cause=Cause.VIEWED_PRODUCT, reasons=(context,), extra={"beside": 30})

    assert said(stated).chance == "High chance: about 1 in 10 baskets with “Vintage tin set” holds this too."
    assert said(stated, "zh-hans").chance == "可能性高：含有「Vintage tin set」的购物篮中，每 10 个约有 1 个也有它。"


@pytest.mark.parametrize("extra", [{}, {"beside": 20}])
def test_a_share_of_few_people_is_not_said(extra: dict[str, int]) -> None:
    context = reason(evidence(2), type=ReasonType.CONTEXT_PRODUCT)
    stated = contract(1, rank=2, cause=Cause.VIEWED_PRODUCT, reasons=(context,), extra=extra)

    assert said(stated).chance == "High chance: too few people have bought “Vintage tin set” to say a share."
    assert said(stated, "zh-hans").chance == "可能性高：购买过「Vintage tin set」的人太少，无法给出比例。"


def test_the_provenance_is_named() -> None:
    phrased = said(replace(contract(1), provenance=provenance(run_id=5, version_id=12)))

    assert phrased.provenance == ("Model version 12, run 5, computed 1 December 2011, 12:00 among 4,812 products.")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("cause", "status"), list(itertools.product(Cause, Status)))
def test_every_contract_is_phrased_within_its_length(language: str, cause: Cause, status: Status) -> None:
    longest = {pk: ProductFactory.build(pk=pk, title=f"{'wonderful ' * 28}{pk}") for pk in range(1, 8)}

    for kind, count in itertools.product([None, *ReasonType], [1, 2, 5]):
        reasons = () if kind is None else (reason(*units(count), type=kind, category_id=1, every_days=42),) * 2
        phrased = said(contract(1, cause=cause, reasons=reasons, status=status), language, longest)

        assert phrased.line
        assert "%(" not in phrased.claim
        if language == "en":
            assert len(phrased.line.split()) <= 25
        else:
            assert len(phrased.line) <= 60
        is_checked = status is Status.VERIFIED and cause in {Cause.HISTORY, Cause.HISTORY_GROUP} and bool(reasons)
        assert is_checked or not BECAUSE.search(phrased.claim)


EVIDENCE = st.builds(
    Evidence,
    product_id=st.integers(1, 8),
    event_type=st.sampled_from(["purchase", "view", "rating", "unheard_of"]),
    times=st.integers(1, 400),
    last_at=st.none() | st.integers(1_000_000_000, 1_900_000_000),
)
REASON = st.builds(
    Reason,
    type=st.sampled_from(ReasonType),
    evidence=st.lists(EVIDENCE, max_size=6).map(tuple),
    category_id=st.none() | st.integers(1, 4),
    delta=st.floats(-50, 50),
    rank_without=st.none() | st.integers(1, 90_000),
    rank_only=st.none() | st.integers(1, 90_000),
    is_verified=st.booleans(),
    every_days=st.none() | st.integers(1, 2000),
)
CONTRACT = st.builds(
    Contract,
    product_id=st.just(1),
    cause=st.sampled_from(Cause),
    status=st.sampled_from(Status),
    target=st.builds(
        Target,
        score=st.floats(-20, 20),
        log_probability=st.floats(-30, 0),
        probability=st.floats(0, 1),
        rank=st.integers(1, 90_000),
    ),
    reasons=st.lists(REASON, max_size=3).map(tuple),
    opposing=st.lists(REASON, max_size=3).map(tuple),
    counterfactual=st.none()
    | st.builds(
        Counterfactual,
        strength=st.sampled_from(Strength),
        removed=st.lists(st.integers(1, 8), max_size=3).map(tuple),
        rank=st.integers(1, 90_000),
        replacement_id=st.integers(1, 8),
        category_id=st.none() | st.integers(1, 3),
    )
    | st.builds(
        Counterfactual,
        strength=st.sampled_from(Strength),
        removed=st.lists(st.integers(1, 8), max_size=3).map(tuple),
        rank=st.integers(1, 90_000),
    ),
    extra=st.dictionaries(st.just("buyers"), st.integers(0, 5000)),
)


def figures(stated: Contract) -> set[int]:
    """Every number that the contract gives a sentence the right to say, dates and roundings included."""
    given_figures = {stated.target.rank, *stated.extra.values(), *chance_figures(stated.target.probability)}
    for each in (*stated.reasons, *stated.opposing):
        given_figures |= {each.rank_without or 0, each.rank_only or 0, len(each.evidence), len(each.evidence) - 1}
        given_figures.add(sum(unit.times for unit in each.evidence))
        given_figures |= {int(number) for number in re.findall(r"\d+", interval(each.every_days or 1))}
        for unit in each.evidence:
            given_figures.add(unit.times)
            if unit.last_at is not None:
                at = datetime.fromtimestamp(unit.last_at, tz=UTC)
                given_figures |= {at.year, at.month, at.day}
    if stated.counterfactual is not None:
        given_figures.add(stated.counterfactual.rank)
        if stated.counterfactual.category_id is not None:
            given_figures.add(len(stated.counterfactual.removed))
    return given_figures


def chance_figures(probability: float) -> set[int]:
    """ "3 in 10", "1 in 40", or what cannot be said more exactly."""
    if probability < 0.001:
        return {1, 1000}
    if probability >= 0.95:
        return {9, 10}
    if probability >= 0.3:
        return {min(9, round(probability * 10)), 10}
    one_in = 1 / probability
    return {1, round(one_in) if one_in < 10 else int(float(f"{one_in:.2g}"))}


@given(stated=CONTRACT, language=st.sampled_from(LANGUAGES))
@settings(deadline=None, max_examples=300)
def test_numbers_and_names_come_from_the_contract_only(stated: Contract, language: str) -> None:
    phrased = said(stated, language)

    statements = (*phrased.reasons, *phrased.opposing)
    texts = [phrased.claim, phrased.line, phrased.counterfactual or "", phrased.chance]
    texts += [text for each in statements for text in (each.title, each.detail, each.effect, each.alone)]
    everything = " ".join(texts)
    assert "%(" not in everything
    cited = {unit.product_id for each in (*stated.reasons, *stated.opposing) for unit in each.evidence}
    if stated.counterfactual is not None:
        cited |= {*stated.counterfactual.removed, stated.counterfactual.replacement_id or 0}
    assert {pk for pk, product in PRODUCTS.items() if product.title in everything} <= cited
    numbers = {int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", everything)}
    assert numbers <= figures(stated), numbers - figures(stated)
    assert all(-1 <= each.bar <= 1 and 1 <= each.percent <= 100 for each in statements)


@given(
    stated=CONTRACT | CONTRACT.map(lambda any_: replace(any_, cause=Cause.HISTORY, status=Status.VERIFIED)),
    language=st.sampled_from(LANGUAGES),
)
@settings(deadline=None, max_examples=300)
def test_because_is_said_of_what_was_verified_alone(stated: Contract, language: str) -> None:
    phrased = said(stated, language)

    if BECAUSE.search(phrased.line) or BECAUSE.search(phrased.claim):
        assert stated.status is Status.VERIFIED
        held = [each for each in stated.reasons if each.is_verified]
        assert held
        unnamed = {unit.product_id for each in stated.reasons for unit in each.evidence}
        unnamed -= {unit.product_id for each in held for unit in each.evidence}
        assert not any(PRODUCTS[pk].title in phrased.line for pk in unnamed & PRODUCTS.keys())


def test_titles_cannot_forge_a_sentence() -> None:
    hostile = {
        1: PRODUCTS[1],
        2: ProductFactory.build(pk=2, title="%(rank)s \u202eevil\u2066\x00\n<b>x</b>\u200b %s {0}"),
        3: ProductFactory.build(pk=3, title="\u202e\u200b", external_id="85123A"),
    }

    phrased = said(contract(1, reasons=(reason(evidence(2)), reason(evidence(3), delta=0.1))), products=hostile)

    assert phrased.line == "Because you bought “%(rank)s evil <b>x</b> %s {0}” and “85123A”"


def test_a_product_of_a_sensitive_group_is_not_named() -> None:
    products = {**PRODUCTS, 2: ProductFactory.build(pk=2, title="Pregnancy test", category=CATEGORIES[3])}

    stated = contract(1, reasons=(reason(evidence(2)), reason(evidence(77), delta=0.1)))

    assert said(stated, products=products).line == (  # what is no title is not quoted as one
        "Because you bought a product that is not named here and a product that is no longer here"
    )
    assert "「" not in said(stated, "zh-hans", products).line


@pytest.mark.parametrize(
    ("title", "cleaned"),
    [
        ("  A \t tin ", "A tin"),
        ("o\u0301\u0301\u0301\u0301b", "ó\u0301\u0301b"),
        ("王冠\u200f", "王冠"),
        ("🎄 x", "🎄 x"),
    ],
)
def test_titles_are_cleaned(title: str, cleaned: str) -> None:
    assert clean(title) == cleaned


@given(text=st.text(min_size=1), characters=st.integers(8, 60))
def test_a_shortened_title_keeps_its_limit(text: str, characters: int) -> None:
    cleaned = clean(text)

    short = shorten(cleaned, characters=characters)

    assert len(short) <= characters
    assert short == cleaned or short.endswith("…")


def test_titles_are_cut_between_words() -> None:
    assert shorten("Set of three cake tins pantry design", characters=20) == "Set of three cake…"
    assert shorten("Supercalifragilisticexpialidocious", characters=12) == "Supercalifr…"
    assert shorten("Cake tins", characters=9) == "Cake tins"


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (112, "112th"), (1021, "1,021st")],
)
def test_ranks_are_ordinals(number: int, text: str) -> None:
    assert ordinal(number) == text


@pytest.mark.parametrize(
    ("days", "text"), [(1, "day"), (10, "10 days"), (14, "2 weeks"), (42, "6 weeks"), (61, "2 months")]
)
def test_intervals_are_said_as_one_says_them(days: int, text: str) -> None:
    assert interval(days) == text
