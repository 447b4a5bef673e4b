"""Every template of a reason is said in both languages, in its word order and within its length."""

import ast
import inspect
import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType

import pytest
from django.utils import translation
from django.utils.translation import gettext, ngettext, pgettext

from catalog.models import Product
from explanations.absences import Absence, Ranked, WhyNot
from explanations.contract import Cause, Contract, Counterfactual, Evidence, Reason, ReasonType, Status, Strength
from explanations.moves import Moves
from explanations.phrasing import Phrased, absences, lines, moves, names, phrase, phrased, statements, text
from explanations.services import Recommendation
from tests.factories import CategoryFactory, EventTypeFactory, ProductFactory
from tests.worlds import contract, evidence, provenance, reason

pytestmark = pytest.mark.django_db

LANGUAGES = ("en", "zh-hans")
MODULES = (lines, names, phrased, statements, text)
WORDS, CHARACTERS = 25, 60  # of the line under a product; of a sentence of the panel, which may name four products:
PANEL_WORDS, PANEL_CHARACTERS = 55, 240
CATEGORIES = {
    1: CategoryFactory.build(pk=1, path="a", name_en="wonderful " * 9, name_zh_hans="奇妙的厨房用品" * 9),
    2: CategoryFactory.build(pk=2, path="b", is_sensitive=True),
}
LONG = {"en": "wonderful " * 40, "zh-hans": "奇妙无比的厨房用品" * 40}


def products(language: str) -> dict[int, Product]:
    """Titles without an end, one that is nothing when cleaned, and one of a group that is not named."""
    made = {pk: ProductFactory.build(pk=pk, title=f"{LONG[language]}{pk}", category=None) for pk in range(1, 8)}
    made[8] = ProductFactory.build(pk=8, title="\u202e", external_id="\u200b", category=None)
    made[9] = ProductFactory.build(pk=9, title="x", category=CATEGORIES[2])
    return made


def msgids(module: ModuleType) -> set[str]:
    """All that a module says through gettext: the plural form stands for both."""
    called: set[str] = set()
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            place = {"_": 0, "ngettext": 1, "pgettext": 1}.get(node.func.id)
            if place is not None:
                called.add(ast.literal_eval(node.args[place]))
    return called


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What was asked of gettext while a test ran."""
    heard: set[str] = set()

    def one(message: str) -> str:
        heard.add(message)
        return gettext(message)

    def many(singular: str, plural: str, number: int) -> str:
        heard.add(plural)
        return ngettext(singular, plural, number)

    def within(context: str, message: str) -> str:
        heard.add(message)
        return pgettext(context, message)

    for module in (*MODULES, absences, moves):
        for name, recorder in {"_": one, "ngettext": many, "pgettext": within}.items():
            if hasattr(module, name):
                monkeypatch.setattr(module, name, recorder)
    return heard


def unit(pk: int, **fields: object) -> Evidence:
    return evidence(pk, (), **fields)


def reasons() -> Iterator[tuple[Reason, ...]]:
    """One to five units of every type: one verb, two, none that is known; known dates and counts, and none."""
    yield ()
    fields = itertools.product(ReasonType, (1, 2, 5), ("purchase", "mixed", "unheard_of"), (1, 4))
    for kind, count, verb, times in fields:
        for last_at, days in (
            (None, None),
            (1_300_000_000, None),
            (None, 42),
            (1_300_000_000, 90),
            (1_300_000_000, 10),
        ):
            units = tuple(
                unit(
                    2 + place,
                    event_type="view" if verb == "mixed" and place == 1 else verb.replace("mixed", "purchase"),
                    times=times,
                    last_at=last_at,
                )
                for place in range(count)
            )
            for category in (1, 2) if kind is ReasonType.CATEGORY else (1,):
                yield (reason(*units, type=kind, category_id=category, every_days=days, rank_without=12_345),)
    for first, second in itertools.product(("purchase", "view", "unheard_of"), repeat=2):
        yield (reason(unit(2, event_type=first)), reason(unit(3, event_type=second), delta=0.4))
    yield (reason(unit(8)), reason(unit(9), delta=0.2), reason(unit(77), delta=0.1))
    for rank_without, delta in itertools.product((None, 1, 2, 3), (1.0, -1.0, 0.0)):
        yield (reason(unit(2), rank_without=rank_without, delta=delta, rank_only=None),)


def contracts() -> Iterator[Contract]:
    for cause, status, given in itertools.product((Cause.HISTORY, Cause.BUY_AGAIN), (Status.VERIFIED,), reasons()):
        yield contract(1, cause=cause, status=status, rank=2, reasons=given, opposing=given[:1])
    for cause, status, given in itertools.product(Cause, Status, itertools.islice(reasons(), 0, None, 17)):
        yield contract(1, cause=cause, status=status, rank=2, reasons=given, opposing=given[:1])
    for buyers, cause in itertools.product((0, 20, 21, 1_000_000), Cause):
        yield contract(1, cause=cause, extra={"buyers": buyers})
    checked = contract(1, rank=1_234, reasons=(reason(unit(2), rank_without=12_345),))
    yield replace(checked, withholds=True)
    for strength, count, other in itertools.product(Strength, range(4), (None, 6)):
        change = Counterfactual(
            strength=strength, removed=tuple(range(2, 2 + count)), rank=12_345, replacement_id=other
        )
        yield replace(checked, counterfactual=change)
    for strength, category in itertools.product(Strength, CATEGORIES):
        change = Counterfactual(strength=strength, removed=(2, 3), rank=12_345, replacement_id=6, category_id=category)
        yield replace(checked, counterfactual=change)
    context = (reason(unit(2), type=ReasonType.CONTEXT_PRODUCT),)
    beside = contract(1, cause=Cause.VIEWED_PRODUCT, reasons=context, extra={"beside": 21})
    few = contract(1, cause=Cause.VIEWED_PRODUCT, reasons=context, extra={"beside": 20})
    for stated, probability in itertools.product((checked, beside, few), (0.0001, 0.01, 0.05, 0.2, 0.5, 0.99)):
        target = replace(stated.target, probability=probability)
        yield replace(stated, target=target, provenance=provenance(), chances={"view": probability})


def length(sentence: str, language: str) -> int:
    """Words in English, characters in Chinese, where a figure or a word in Latin letters is one."""
    return len(sentence.split()) if language == "en" else len(sentence)


def sentences(found: Phrased) -> list[str]:
    """All that the panel says."""
    pieces = [found.counterfactual or "", found.chance, found.provenance or "", found.claim, *found.chances.values()]
    for statement in (*found.reasons, *found.opposing):
        pieces += [statement.title, statement.detail, statement.effect, statement.alone]
    return [piece for piece in pieces if piece]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_template_is_said_within_its_length_with_the_longest_titles(language: str, said: set[str]) -> None:
    EventTypeFactory(code="purchase")
    EventTypeFactory(code="view")
    named = products(language)
    line_limit, panel_limit = (WORDS, PANEL_WORDS) if language == "en" else (CHARACTERS, PANEL_CHARACTERS)

    for stated in contracts():
        found = phrase(stated, products=named, categories=CATEGORIES, language=language)

        assert found.line
        assert length(found.line, language) <= line_limit, found.line
        for sentence in sentences(found):
            assert length(sentence, language) <= panel_limit, sentence
            assert not re.search(r"%\(|\{|\}| {2}|「」|“”", sentence)
            assert "1 things" not in sentence
            assert "1 times" not in sentence

    assert said >= set().union(*(msgids(module) for module in MODULES))


def absent(language: str) -> Iterator[WhyNot]:
    """Every cause, with and without what the model says, for the longest title, an empty one, and a group."""
    longest, nameless, *_ = (products(language)[pk] for pk in (1, 8))
    last = Recommendation(id="1-10", rank=12_345, product=longest, score=1.0, probability=0.1, contract=contract(1))
    ranks = [
        Ranked(
            rank=12_345,
            candidates=98_765,
            empty_rank=54_321,
            is_candidate=is_candidate,
            last_rank=11_111,
            gap=gap,
            parts=(),
        )
        for is_candidate, gap in itertools.product((True, False), (-12.345, 12.345))
    ]
    ranks.append(replace(ranks[0], last_rank=None, gap=None))
    for absence, product, ranked in itertools.product(Absence, (longest, nameless), (None, *ranks)):
        why = WhyNot(product=product, absence=absence, is_pending=False, ranked=ranked, last=last, place=9)
        if absence is not Absence.LESS_OF_GROUP:
            yield why
        else:
            yield replace(why, wish=CATEGORIES[1], is_wish_named=True)
            yield replace(why, wish=CATEGORIES[1], is_wish_named=False)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_answer_to_why_not_is_said_within_its_length_with_the_longest_titles(
    language: str, said: set[str]
) -> None:
    limit = WORDS if language == "en" else 90

    with translation.override(language):
        for why in absent(language):
            for sentence in (absences.cause_of(why), *absences.details_of(why)):
                assert sentence
                assert length(sentence, language) <= limit, sentence
                assert not re.search(r"%\(|\{|\}| {2}|「」|“”", sentence)

    assert said >= msgids(absences)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_move_is_said_within_its_length_with_the_longest_titles(language: str, said: set[str]) -> None:
    line_limit = WORDS if language == "en" else CHARACTERS
    found = [
        Moves(enters=((1, 10), (8, 1)), leaves=((1, 10), (77, 1)), moves=((1, 10, 9), (8, 1, 10))),
        Moves(enters=((1, 1),), leaves=((1, 1),), moves=((1, 1, 2),)),
        Moves(enters=(), leaves=(), moves=()),
    ]

    with translation.override(language):
        for each in found:
            for sentence in (moves.counted(each), *moves.said(each, products(language))):
                assert sentence
                assert length(sentence, language) <= line_limit, sentence
                assert not re.search(r"%\(|\{|\}| {2}|「」|“”", sentence)

    assert said >= msgids(moves)


def test_there_are_some_forty_templates() -> None:
    assert len(msgids(lines)) >= 30
    assert len(set().union(*(msgids(module) for module in MODULES))) >= 70
