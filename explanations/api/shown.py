"""Recommendations as the API shows them: the contract's facts under names, and its sentences in one language.

Already in the form that `serializers` describes and a test compares: passing a thousand fields through them once more
would be a quarter of the time of an answer.
"""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from django.utils import translation

from catalog.models import Product
from explanations.contract import Band, Contract, Counterfactual, Evidence, ReasonType
from explanations.phrasing import Phrased, Statement, phrase, redacted
from explanations.phrasing.phrased import claim_of
from explanations.phrasing.text import bare_title
from explanations.rewriting import store
from explanations.services import Recommendation, Recommendations, sensitive_ids

Data = dict[str, Any]


class Shown:
    """One answer: what it names, in which language, and whether the reader may see evidence."""

    def __init__(self, recommendations: Recommendations, *, language: str, sees_evidence: bool) -> None:
        self.found = recommendations
        self.language = language
        self.sees_evidence = sees_evidence
        self.sensitive = sensitive_ids(recommendations.categories)

    def data(self) -> Data:
        with translation.override(self.language):
            return {
                "placement": self.found.placement,
                "language": self.language,
                "is_personal": self.found.is_personal,
                "is_stale": self.found.is_stale,
                "computed_at": self.found.slate.computed_at if self.found.slate else None,
                "recommendations": [
                    self._recommendation(item, phrased)
                    for item, phrased in zip(self.found.items, self._phrased(), strict=True)
                ],
            }

    def _phrased(self) -> list[Phrased]:
        products, categories = self.found.products, self.found.categories
        said = [
            phrase(item.contract, products=products, categories=categories, language=self.language)
            for item in self.found.items
        ]
        return store.reworded(self.found, said)

    def single(self) -> Data:
        """The only one, with what else there is to say of it."""
        data = self.data()
        return {
            **data["recommendations"][0],
            "placement": data["placement"],
            "language": data["language"],
            "is_personal": data["is_personal"],
            "is_current": self.found.slate is not None and self.found.slate.superseded_at is None,
        }

    def _recommendation(self, item: Recommendation, phrased: Phrased) -> Data:
        product = item.product
        category = self.found.categories.get(product.category_id) if product.category_id is not None else None
        return {
            "id": item.id,
            "rank": item.rank,
            "lowered_for": self._wish(item),
            "score": item.score,
            "probability": item.probability,
            "chances": {
                code: {"probability": chance, "band": Band.of(chance), "text": phrased.chances[code]}
                for code, chance in item.contract.chances.items()
            },
            "product": {
                "external_id": product.external_id,
                "title": bare_title(product),
                "category": category.path if category else None,
                "price": None if product.price is None else f"{product.price:.2f}",
                "currency": product.currency,
            },
            "explanation": self._explanation(item.contract, phrased),
        }

    def _wish(self, item: Recommendation) -> str | None:
        """A wish tells of the shopper as evidence does, and a sensitive group is never named."""
        wish = item.less_of
        return wish.path if wish is not None and self.sees_evidence and wish.pk not in self.sensitive else None

    def _is_redacted(self, contract: Contract) -> bool:
        """What is the same for everybody tells of nobody, nor does a cause that cites nothing."""
        cites = bool(contract.reasons or contract.opposing or contract.counterfactual)
        return cites and self.found.is_personal and not self.sees_evidence

    def _explanation(self, contract: Contract, phrased: Phrased) -> Data:
        is_redacted = self._is_redacted(contract)
        target, line = contract.target, phrased.line
        if is_redacted:
            line = redacted.line_of(contract, line)
        return {
            "cause": contract.cause,
            "status": contract.status,
            "label": phrased.label,
            "text": line,
            "claim": claim_of(contract, line) if is_redacted else phrased.claim,
            "is_redacted": is_redacted,
            "counts": contract.extra,
            "target": {
                "log_probability": target.log_probability,
                "rank": target.rank,
                "empty_rank": target.empty_rank,
                "runner_up": self._named(target.runner_up_id),
            },
            "confidence": {"probability": target.probability, "band": contract.band, "text": phrased.chance},
            "reasons": [self._reason(statement, is_redacted) for statement in phrased.reasons],
            "opposing": [self._reason(statement, is_redacted) for statement in phrased.opposing],
            "counterfactual": self._counterfactual(contract.counterfactual, phrased, is_redacted),
            "split": asdict(contract.split) if contract.split else None,
            "shares": asdict(contract.shares) if contract.shares else None,
            "provenance": _provenance(contract),
        }

    def _reason(self, statement: Statement, is_redacted: bool) -> Data:
        reason = statement.reason
        category = self.found.categories.get(reason.category_id) if reason.category_id is not None else None
        return {
            "type": reason.type,
            "is_verified": reason.is_verified,
            "delta": reason.delta,
            "threshold": reason.threshold,
            "rank_without": reason.rank_without,
            "rank_only": reason.rank_only,
            "share": reason.share,
            "effect": statement.effect,
            "text": redacted.evidence_of(reason)
            if is_redacted
            else ": ".join(filter(None, [statement.title, statement.detail])),
            "category": None if is_redacted or category is None else category.path,
            "every_days": None if is_redacted else reason.every_days,
            "evidence": None
            if is_redacted
            else [
                self._evidence(unit, is_context=reason.type is ReasonType.CONTEXT_PRODUCT) for unit in reason.evidence
            ],
        }

    def _evidence(self, unit: Evidence, *, is_context: bool) -> Data:
        return {
            "product": self._named(unit.product_id),
            "event_type": None if is_context else unit.event_type,
            "times": None if is_context else unit.times,
            "last_at": None if is_context or unit.last_at is None else datetime.fromtimestamp(unit.last_at, UTC),
        }

    def _counterfactual(self, change: Counterfactual | None, phrased: Phrased, is_redacted: bool) -> Data | None:
        if change is None:
            return None
        return {
            "strength": change.strength,
            "rank": change.rank,
            "replacement": self._named(change.replacement_id),
            "removed": None
            if is_redacted
            else [named for product in change.removed if (named := self._named(product)) is not None],
            "category": None if is_redacted else self._group(change.category_id),
            "text": redacted.counterfactual_of(change) if is_redacted else phrased.counterfactual,
        }

    def _group(self, category_id: int | None) -> str | None:
        category = self.found.categories.get(category_id) if category_id is not None else None
        return None if category is None or category_id in self.sensitive else category.path

    def _named(self, product_id: int | None) -> Data | None:
        product: Product | None = self.found.products.get(product_id) if product_id is not None else None
        if product is not None and product.category_id in self.sensitive:
            return None
        return {"external_id": product.external_id, "title": bare_title(product)} if product else None


def _provenance(contract: Contract) -> Data:
    provenance = contract.provenance
    if provenance is None:
        raise ValueError("A stored contract has a provenance.")
    return {
        "model_version": provenance.version_id,
        "run": provenance.run_id,
        "history_hash": provenance.history_hash,
        "candidates": provenance.candidates,
        "torch": provenance.torch,
        "device": provenance.device,
        "computed_at": datetime.fromtimestamp(provenance.computed_at, UTC),
    }
