"""Rewritings as they are made by the worker and used by pages. Off unless an endpoint or a folder is set."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.utils import timezone, translation
from redis.exceptions import RedisError

from catalog.models import Category
from explanations import inspection
from explanations.contract import Contract
from explanations.models import Rewriting
from explanations.phrasing import Phrased
from explanations.rewriting import endpoint, folder
from explanations.rewriting.checker import Refused, Rejection, check
from explanations.rewriting.sources import Source, filled, hash_of, source_of
from explanations.services import Recommendations
from recommendations.models import Slate
from recommendations.sending import send

logger = logging.getLogger(__name__)

TASK = "explanations.tasks.rewrite"
KNOWN_ROWS = 20  # accepted texts of one template that are looked through before another is asked for
ASKED_SECONDS = 3_600  # a slate is asked for at most once an hour
PASSING = {Rejection.UNREACHABLE.value, Rejection.SLOW.value}  # says nothing of the template: asked for again then


def is_on() -> bool:
    return bool(settings.REWRITING_URL or settings.REWRITING_FOLDER)


def reworded(found: Recommendations, phrased: Sequence[Phrased]) -> list[Phrased]:
    """The phrased contracts of `found`, with stored rewritings as their lines where these still pass the check.

    What is missing is asked of a worker; this answer does not wait for it.
    """
    if not is_on() or found.slate is None or not phrased:
        return list(phrased)
    language = phrased[0].language
    hashes = [hash_of(item.contract) for item in found.items]
    stored = {row.contract_hash: row for row in Rewriting.objects.filter(language=language, contract_hash__in=hashes)}
    result, is_missing, now = [], False, timezone.now()
    for item, said, key in zip(found.items, phrased, hashes, strict=True):
        is_whole = not item.contract.withholds  # else the line is not the one that was reworded
        source = source_of(item.contract, said.segments, language=language) if is_whole else None
        row = stored.get(key)
        text = _holding(row, source, said)
        is_missing = is_missing or (source is not None and not text and not _is_refused(row, source, now))
        result.append(_with(said, text))
    if is_missing:
        _ask_worker(found.slate, language)
    return result


def shown_as(contract: Contract, said: Phrased) -> Phrased:
    """One phrased contract as a page shows it: an audit reads what shoppers read."""
    if not is_on() or contract.withholds:
        return said
    row = Rewriting.objects.filter(language=said.language, contract_hash=hash_of(contract)).first()
    return _with(said, _holding(row, source_of(contract, said.segments, language=said.language), said))


def _with(said: Phrased, text: str) -> Phrased:
    return replace(said, segments=filled(text, said.segments)) if text else said


def _holding(row: Rewriting | None, source: Source | None, said: Phrased) -> str:
    """The text stored for this template, if it holds; what was accepted by a laxer check does not."""
    if row is None or source is None or row.source != source.text or not _passes(row.text, source, said):
        return ""
    return row.text


def _is_refused(row: Rewriting | None, source: Source, at: datetime) -> bool:
    """Whether this template has its refusal; that nobody answered is one for a while."""
    if row is None or row.source != source.text or row.text:
        return False
    return row.rejection not in PASSING or row.created_at > at - timedelta(seconds=ASKED_SECONDS)


def _passes(text: str, source: Source, said: Phrased) -> bool:
    try:
        return bool(text) and check(text, source, said.segments) == text
    except Refused:
        return False


def _ask_worker(slate: Slate, language: str) -> None:
    """Once an hour; where the broker does not answer the templates stand."""
    try:
        is_first = cache.add(f"rewriting:{slate.pk}:{language}", 1, ASKED_SECONDS)
    except RedisError:
        logger.warning("no rewriting is asked for, the broker does not answer", extra={"slate_id": slate.pk})
        return
    if is_first:
        send(TASK, queue="default", slate_id=slate.pk, language=language)


def rewrite(*, slate_id: int, language: str, at: datetime) -> None:
    """Every line of a slate that may be reworded and is not yet. Safe to run twice."""
    slate = Slate.objects.select_related("run").filter(pk=slate_id).first()
    if not is_on() or slate is None:
        return
    sensitive = list(Category.objects.filter(is_sensitive=True))
    names = {name for category in sensitive for name in (category.name_en, category.name_zh_hans)}
    with translation.override(language):
        for row in inspection.inspect(slate):
            said = row.phrased(language)
            source = source_of(row.contract, said.segments, language=language)
            if source is not None:
                _rewrite(hash_of(row.contract), source, said, names, at)


def _ask(source: Source) -> str:
    return folder.ask(source) if settings.REWRITING_FOLDER else endpoint.ask(source)


def _rewrite(key: str, source: Source, said: Phrased, names: set[str], at: datetime) -> None:
    """One call for each template: an accepted text of the same words serves all contracts that are said so."""
    rows = Rewriting.objects.filter(language=source.language)
    row = rows.filter(contract_hash=key).first()
    if _holding(row, source, said) or _is_refused(row, source, at):
        return
    rows.filter(contract_hash=key).delete()
    accepted = rows.filter(source=source.text).exclude(text="").order_by("-created_at", "-pk")[:KNOWN_ROWS]
    known = next((one for one in accepted if _passes(one.text, source, said)), None)
    row = Rewriting(contract_hash=key, language=source.language, source=source.text, created_at=at)
    answer = ""
    try:
        answer = known.text if known is not None else _ask(source)
        row.text = check(answer, source, said.segments, sensitive=names)
    except Refused as refused:
        row.rejection, row.answer = refused.rejection.value, answer.replace("\x00", "")[:500]
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:  # another worker was faster
        return
