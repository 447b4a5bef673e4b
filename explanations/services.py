"""What every surface calls: recommendations joined with their checked reasons."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from django.db.models import Exists, F, OuterRef, Q

from catalog.models import Category, Interaction, PartnerKey, Product, Shopper
from catalog.services import NOT_INTERESTED, PURCHASE
from explanations.contract import Contract, Reason, Shares, Status, unpack, unpack_provenance
from explanations.models import Explanation, Recount
from explanations.wishes import Ranked, in_wished_order, wish_for, wished_less
from recommendations.models import Placement, Slate
from recommendations.models.runs import SlateQuerySet

SHOWN = 20  # the first 20 of a slate are explained; `limit` goes no further


class UnknownRecommendation(Exception):
    """No such recommendation, or not this shopper's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recommendation:
    """One product at one rank of a slate, with its contract."""

    id: str  # slate id and rank; never changes its meaning
    rank: int
    product: Product
    score: float
    probability: float
    contract: Contract
    less_of: Category | None = None  # why it stands lower than its rank: the shopper wished for less of this group


@dataclass(frozen=True, kw_only=True, slots=True)
class Recommendations:
    """What one placement shows, and the products and groups that its contracts name."""

    placement: Placement
    is_personal: bool
    is_stale: bool  # something happened since it was computed; a refresh is under way
    slate: Slate | None  # None: nothing is published yet
    items: tuple[Recommendation, ...]
    less_of: tuple[Category, ...] = ()  # groups that stand lower in this slate, at the shopper's wish
    products: Mapping[int, Product]  # everything that the contracts cite, by id
    categories: Mapping[int, Category]

    def __bool__(self) -> bool:
        return bool(self.items)


def recommendations_for(
    *,
    shopper: Shopper | None,
    placement: Placement,
    limit: int = 10,
    context_product: Product | None = None,
) -> Recommendations:
    """The shopper's current recommendations in a placement, or the non-personal ones where nothing valid is stored.

    `shopper` is None for anonymous visitors; `context_product` is needed by the placement `product`.
    """
    slate, explanation = None, None
    is_personal = placement != Placement.PRODUCT and shopper is not None and shopper.is_personalised
    if placement == Placement.PRODUCT and context_product is not None:
        slate, explanation = _explained(_counted(Slate.objects.for_product(context_product)))
    elif is_personal and shopper is not None:
        slate, explanation = _explained(Slate.objects.for_shopper(shopper, placement))
    is_stale = bool(
        is_personal
        and slate is not None
        and shopper is not None
        and shopper.changed_at is not None
        and shopper.changed_at > slate.computed_at
    )
    if slate is None or explanation is None:
        is_personal = False
        slate, explanation = _explained(Slate.objects.non_personal(placement))
    if slate is None or explanation is None:
        return Recommendations(
            placement=placement,
            is_personal=False,
            is_stale=False,
            slate=None,
            items=(),
            products={},
            categories={},
        )
    contracts = _contracts(explanation)
    invalid = _broken_citations(contracts, shopper) if is_stale and shopper is not None else frozenset()
    hidden = _unwanted(shopper, placement) if shopper is not None else frozenset()
    products = Product.objects.in_bulk(_cited_products(contracts, slate))
    categories = _categories()
    sensitive = sensitive_ids(categories)
    wishes = wished_less(shopper) if shopper is not None and shopper.is_personalised else frozenset[int]()
    ranked: list[Ranked] = []
    for rank, stored in enumerate(contracts, start=1):
        product, contract = products.get(stored.product_id), _nameable(stored, products, sensitive)
        if (
            product is None
            or not (product.is_active and product.is_available)
            or product.pk in hidden
            or stored.status is Status.WITHHELD
            or contract is None
            or _cites(stored, invalid)
        ):
            continue
        ranked.append((rank, contract, wish_for(product.category_id, wishes, categories)))
    items = [
        Recommendation(
            id=f"{slate.pk}-{rank}",
            rank=rank,
            product=products[contract.product_id],
            score=slate.scores[rank - 1],
            probability=slate.probabilities[rank - 1],
            contract=contract,
            less_of=wish,
        )
        for rank, contract, wish in in_wished_order(ranked)[: min(limit, SHOWN)]
    ]
    return Recommendations(
        placement=placement,
        is_personal=is_personal,
        is_stale=is_stale,
        slate=slate,
        items=tuple(items),
        less_of=tuple({wish.pk: wish for _, _, wish in ranked if wish is not None}.values()),
        products=products,
        categories=categories,
    )


def place_of(recommendation_id: str) -> tuple[int, int]:
    """The slate and the rank that an id is made of. Raises UnknownRecommendation."""
    slate_id, _, rank = recommendation_id.partition("-")
    if not (slate_id.isdecimal() and rank.isdecimal() and len(slate_id) < 19 and len(rank) < 3):
        raise UnknownRecommendation(recommendation_id)
    return int(slate_id), int(rank)


def find(*, recommendation_id: str, shopper: Shopper | None) -> tuple[Slate, Contract]:
    """A recommendation by its id, also a superseded one. Raises UnknownRecommendation."""
    slate_id, rank = place_of(recommendation_id)
    is_uncounted = Exists(Recount.objects.pending().filter(product=OuterRef("slate__context_product")))
    explanation = (
        Explanation.objects.filter(Q(slate__shopper=None) | Q(slate__shopper=shopper), ~is_uncounted, slate_id=slate_id)
        .select_related("slate__run")
        .first()
    )
    contracts = _contracts(explanation) if explanation else []
    if explanation is None or not 1 <= rank <= len(contracts):
        raise UnknownRecommendation(recommendation_id)
    return explanation.slate, contracts[rank - 1]


def recommendation(*, recommendation_id: str, shopper: Shopper | None) -> Recommendations:
    """One recommendation as it may be shown now: what it cites still counts, and may be named.

    Raises UnknownRecommendation.
    """
    slate, stored = find(recommendation_id=recommendation_id, shopper=shopper)
    if slate.shopper_id is not None and shopper is not None and not shopper.is_personalised:
        raise UnknownRecommendation(recommendation_id)
    products = Product.objects.in_bulk(_cited_products([stored], slate))
    categories = _categories()
    product, contract = products.get(stored.product_id), _nameable(stored, products, sensitive_ids(categories))
    if (
        product is None
        or not product.is_active
        or contract is None
        or stored.status is Status.WITHHELD
        or (shopper is not None and _cites(stored, _broken_citations([stored], shopper)))
    ):
        raise UnknownRecommendation(recommendation_id)
    rank = int(recommendation_id.partition("-")[2])
    wishes = wished_less(shopper) if shopper is not None and shopper.is_personalised else frozenset[int]()
    return Recommendations(
        placement=Placement(slate.placement),
        is_personal=slate.shopper_id is not None,
        is_stale=False,
        slate=slate,
        items=(
            Recommendation(
                id=f"{slate.pk}-{rank}",
                rank=rank,
                product=product,
                score=slate.scores[rank - 1],
                probability=slate.probabilities[rank - 1],
                contract=contract,
                less_of=wish_for(product.category_id, wishes, categories),
            ),
        ),
        products=products,
        categories=categories,
    )


def visible_recommendation(*, recommendation_id: str, key: PartnerKey) -> Recommendations:
    """`recommendation` for a partner: everybody's, and those of the shoppers that its key may see.

    Raises UnknownRecommendation.
    """
    slate_id = recommendation_id.partition("-")[0]
    if not (slate_id.isdecimal() and len(slate_id) < 19):
        raise UnknownRecommendation(recommendation_id)
    shopper = Shopper.objects.visible_to(key).filter(slates=int(slate_id)).first()
    return recommendation(recommendation_id=recommendation_id, shopper=shopper)


def _counted(slates: SlateQuerySet) -> SlateQuerySet:
    """Without what stands beside a product while it is counted whether enough people are left, or when none of it may.

    See `recounts`.
    """
    is_uncounted = Exists(Recount.objects.pending().filter(product=OuterRef("context_product")))
    return slates.filter(~is_uncounted).exclude(explanation__withheld=F("explanation__explained"))


def _explained(slates: SlateQuerySet) -> tuple[Slate | None, Explanation | None]:
    """The slate with its explanation, in one query."""
    slate = slates.filter(explanation__isnull=False).select_related("explanation").first()
    return (slate, slate.explanation) if slate is not None else (None, None)


def _contracts(explanation: Explanation) -> list[Contract]:
    stored = explanation.contracts
    provenance = unpack_provenance(stored["provenance"])
    return [unpack(packed, provenance) for packed in stored["contracts"]]


def _reasons(contract: Contract) -> Iterator[Reason]:
    yield from contract.reasons
    yield from contract.opposing


def _cited_products(contracts: list[Contract], slate: Slate) -> set[int]:
    cited = {contract.product_id for contract in contracts}
    if slate.context_product_id is not None:
        cited.add(slate.context_product_id)
    for contract in contracts:
        cited.update(evidence.product_id for reason in _reasons(contract) for evidence in reason.evidence)
        if contract.counterfactual is not None:
            cited.update(contract.counterfactual.removed)
            if contract.counterfactual.replacement_id is not None:
                cited.add(contract.counterfactual.replacement_id)
        if contract.target.runner_up_id is not None:
            cited.add(contract.target.runner_up_id)
    return cited


def _broken_citations(contracts: list[Contract], shopper: Shopper) -> frozenset[int]:
    """Cited interactions that are gone or excluded: what cites them is not shown any more."""
    cited = {
        interaction
        for contract in contracts
        for reason in _reasons(contract)
        for evidence in reason.evidence
        for interaction in evidence.interaction_ids
    }
    valid = Interaction.objects.usable().filter(pk__in=cited, shopper=shopper).values_list("pk", flat=True)
    return frozenset(cited) - frozenset(valid)


def _cites(contract: Contract, interactions: frozenset[int]) -> bool:
    return bool(interactions) and any(
        not interactions.isdisjoint(evidence.interaction_ids)
        for reason in _reasons(contract)
        for evidence in reason.evidence
    )


def _unwanted(shopper: Shopper, placement: Placement) -> frozenset[int]:
    """Products that the shopper hid and, where new ones are promised, those bought in the meantime."""
    codes = [NOT_INTERESTED] if placement != Placement.HOME else [NOT_INTERESTED, PURCHASE]
    rows = Interaction.objects.visible().filter(shopper=shopper, event_type__code__in=codes)
    rows = rows.filter(Q(excluded_at=None) | Q(event_type__code=PURCHASE))  # a purchase not used is still a purchase
    return frozenset(rows.values_list("product_id", flat=True))


def _categories() -> dict[int, Category]:
    """Every category with its ancestors: the tree is small, and sensitivity is inherited."""
    return {category.pk: category for category in Category.objects.all()}


def sensitive_ids(categories: Mapping[int, Category]) -> frozenset[int]:
    """Flagged categories and everything below them."""

    def is_sensitive(category: Category | None) -> bool:
        while category is not None:
            if category.is_sensitive:
                return True
            category = categories.get(category.parent_id) if category.parent_id is not None else None
        return False

    return frozenset(pk for pk, category in categories.items() if is_sensitive(category))


def _nameable(contract: Contract, products: Mapping[int, Product], sensitive: frozenset[int]) -> Contract | None:
    """The contract without reasons that would name what must not be named, and saying so; None where none is left.

    What those carry belongs to the rest of the history then, so that the shares still add up.
    """

    def is_nameable(reason: Reason) -> bool:
        cited = (products.get(evidence.product_id) for evidence in reason.evidence)
        return reason.category_id not in sensitive and all(
            product is None or product.category_id not in sensitive for product in cited
        )

    if not sensitive or all(is_nameable(reason) for reason in _reasons(contract)):
        return contract
    kept = tuple(reason for reason in contract.reasons if is_nameable(reason))
    if contract.status is not Status.VERIFIED or not any(reason.is_verified for reason in kept):
        return None
    return replace(
        contract,
        reasons=kept,
        opposing=tuple(reason for reason in contract.opposing if is_nameable(reason)),
        shares=_folded(contract, is_nameable),
        withholds=any(not is_nameable(reason) for reason in contract.verified_reasons),
    )


def _folded(contract: Contract, is_nameable: Callable[[Reason], bool]) -> Shares | None:
    shares = contract.shares
    if shares is None:
        return None
    pairs = list(zip(contract.reasons, shares.reasons, strict=False))
    hidden = math.fsum(share for reason, share in pairs if not is_nameable(reason))
    return replace(
        shares, rest=shares.rest + hidden, reasons=tuple(share for reason, share in pairs if is_nameable(reason))
    )
