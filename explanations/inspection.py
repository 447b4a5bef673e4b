"""What the inspector shows of a slate and of one recommendation: the stored contract, undisguised."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Case, QuerySet, When

from catalog.models import Category, Product, Shopper
from explanations.contract import Contract, Reason, unpack, unpack_provenance
from explanations.models import Explanation
from explanations.phrasing import Phrased, phrase
from explanations.phrasing.text import title_of
from recommendations.figures import label
from recommendations.models import Run, Slate

LANGUAGES = ("en", "zh-hans")


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspected:
    """One recommendation with everything that its contract cites."""

    slate: Slate
    rank: int
    contract: Contract
    stored: Mapping[str, Any]  # the contract's raw JSON, as it lies in the database
    products: Mapping[int, Product]
    categories: Mapping[int, Category]

    @property
    def id(self) -> str:
        return f"{self.slate.pk}-{self.rank}"

    @property
    def product(self) -> Product | None:
        return self.products.get(self.contract.product_id)

    @property
    def title(self) -> str:
        return self.name(self.contract.product_id)

    @property
    def computed_at(self) -> datetime | None:
        provenance = self.contract.provenance
        return datetime.fromtimestamp(provenance.computed_at, UTC) if provenance else None

    @property
    def cause(self) -> str:
        return label(self.contract.cause.value)

    @property
    def status(self) -> str:
        return label(self.contract.status.value)

    @property
    def percent(self) -> str:
        """The calibrated chance that the product is in the shopper's next basket."""
        return f"{self.contract.target.probability * 100:.3g} %"

    @property
    def removed(self) -> str:
        change = self.contract.counterfactual
        if change is None:
            return ""
        names = ", ".join(self.name(pk) for pk in change.removed)
        category = self.categories.get(change.category_id) if change.category_id is not None else None
        return f"{category.name}: {names}" if category is not None else names

    @property
    def replacement(self) -> str:
        change = self.contract.counterfactual
        return self.name(change.replacement_id) if change else ""

    def name(self, product_id: int | None) -> str:
        product = self.products.get(product_id) if product_id is not None else None
        return title_of(product) if product else f"#{product_id}"

    def evidence(self, reason: Reason) -> str:
        """The products that a reason points to, in short."""
        names = [self.name(unit.product_id) for unit in reason.evidence]
        return ", ".join(names[:3]) + (f" +{len(names) - 3}" if len(names) > 3 else "")

    def phrased(self, language: str | None = None) -> Phrased:
        return phrase(self.contract, products=self.products, categories=self.categories, language=language)


def slates_of(shopper: Shopper) -> QuerySet[Slate]:
    """The shopper's slates: those of the live run first, then of the latest, and "home" before "buy again"."""
    live = Case(When(run__state=Run.State.LIVE, then=0), default=1)
    slates = Slate.objects.filter(shopper=shopper).select_related("run", "shopper")
    return slates.order_by(live, "-run", "-placement", "-pk")


def inspect(slate: Slate) -> list[Inspected]:
    """Every explained product of a slate, also what is withheld: four queries."""
    explanation = Explanation.objects.filter(slate=slate).first()
    if explanation is None:
        return []
    stored = explanation.contracts
    provenance = unpack_provenance(stored["provenance"]) if stored["provenance"] else None
    contracts = [unpack(packed, provenance) for packed in stored["contracts"]]
    products = Product.objects.select_related("category").in_bulk({pk for one in contracts for pk in cited(one)})
    categories = {category.pk: category for category in Category.objects.all()}
    return [
        Inspected(slate=slate, rank=rank, contract=contract, stored=packed, products=products, categories=categories)
        for rank, (contract, packed) in enumerate(zip(contracts, stored["contracts"], strict=True), start=1)
    ]


def cited(contract: Contract) -> set[int]:
    """Every product that the contract names."""
    found = {contract.product_id}
    for reason in (*contract.reasons, *contract.opposing):
        found.update(unit.product_id for unit in reason.evidence)
    if contract.counterfactual is not None:
        found.update(contract.counterfactual.removed)
        found.add(contract.counterfactual.replacement_id or contract.product_id)
    if contract.target.runner_up_id is not None:
        found.add(contract.target.runner_up_id)
    return found
