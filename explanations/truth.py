"""Whether a sentence says nothing that its contract does not: every product, group and number has its place there."""

import copy
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from django.utils import timezone

from catalog.models import Category, Product
from explanations.contract import Contract
from explanations.inspection import cited
from explanations.phrasing import phrase
from explanations.rewriting import store

LANGUAGES = ("en", "zh-hans")
TOKEN = re.compile(r"⟦([a-j]+)⟧")
NUMBER = re.compile(r"\d[\d,]*")
BECAUSE = re.compile(r"\bbecause\b|因为", re.IGNORECASE)
CONSTANTS = {1, 9, 10, 1_000}  # "fewer than 1 in 1,000", "more than 9 in 10"
DAYS_IN = (1, 7, 30.44)  # an interval in days, weeks or months, as it is said


def unsupported(
    contract: Contract, *, products: Mapping[int, Product], categories: Mapping[int, Category], language: str
) -> list[str]:
    """What the sentences say beyond the contract. Names are replaced by tokens first, to be told from words."""
    said = phrase(
        contract,
        products={pk: _product(product) for pk, product in products.items()},
        categories={pk: _category(category) for pk, category in categories.items()},
        language=language,
    )
    shown = store.shown_as(contract, said)
    statements = [*shown.reasons, *shown.opposing]
    parts = [shown.label, shown.line, shown.claim, shown.counterfactual, shown.chance]
    parts += [text for one in statements for text in (one.title, one.detail, one.effect, one.alone)]
    text = " ".join(part for part in parts if part)
    named = cited(contract) | {reason.category_id for reason in (*contract.reasons, *contract.opposing)}
    named |= {contract.counterfactual.category_id} if contract.counterfactual is not None else set()
    wrong = [f"names {token}" for token in TOKEN.findall(text) if _decoded(token) not in named]
    allowed = set(_numbers(contract))
    for found in NUMBER.findall(TOKEN.sub(" ", text)):
        number = int(found.replace(",", ""))
        if number not in allowed and not _is_chance(number, contract.target.probability):
            wrong.append(f"says {number}")
    if BECAUSE.search(text) and not contract.verified_reasons:
        wrong.append("says because")
    return wrong


def _product(product: Product) -> Product:
    twin = copy.copy(product)
    twin.title, twin.title_zh_hans = _token(product.pk), ""
    return twin


def _category(category: Category) -> Category:
    twin = copy.copy(category)
    twin.name_en, twin.name_zh_hans = _token(category.pk), ""
    return twin


def _token(pk: int) -> str:
    return "⟦" + "".join("abcdefghij"[int(digit)] for digit in str(pk)) + "⟧"


def _decoded(token: str) -> int:
    return int("".join(str("abcdefghij".index(letter)) for letter in token))


def _numbers(contract: Contract) -> Iterator[int]:
    yield from CONSTANTS
    yield contract.target.rank
    yield from contract.extra.values()
    if contract.counterfactual is not None:
        yield contract.counterfactual.rank
        yield len(contract.counterfactual.removed)
    for reason in (*contract.reasons, *contract.opposing):
        yield len(reason.evidence)
        yield len(reason.evidence) - 1  # "and so many things like it"
        yield sum(unit.times for unit in reason.evidence)
        for rank in (reason.rank_without, reason.rank_only):
            yield rank or 1
        for days in DAYS_IN if reason.every_days else ():
            yield round((reason.every_days or 0) / days)
        for unit in reason.evidence:
            yield unit.times
            if unit.last_at is not None:
                moment = timezone.localtime(datetime.fromtimestamp(unit.last_at, tz=UTC))
                yield from (moment.day, moment.month, moment.year)


def _is_chance(number: int, probability: float) -> bool:
    """ "3 in 10" or "1 in 250", to two figures."""
    as_tenths = abs(number - probability * 10) <= 0.5 or (number == 3 and probability >= 0.25)
    return as_tenths or (probability > 0 and abs(number - 1 / probability) <= max(0.51, 0.06 / probability))
