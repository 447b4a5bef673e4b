"""Rows of cards: recommendations with their sentences, a title that says what the row is, and a note."""

from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from catalog.models import Category, Product, Shopper
from explanations.phrasing import Phrased, phrase
from explanations.phrasing.text import clean
from explanations.rewriting import store
from explanations.services import Recommendation, Recommendations, recommendation, recommendations_for
from explanations.wishes import LOWERED_BY
from recommendations.models import Placement

CARDS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """One recommended product with its sentences."""

    recommendation: Recommendation
    phrased: Phrased
    group: Category | None  # the product's

    @property
    def product(self) -> Product:
        return self.recommendation.product


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    placement: Placement
    title: str
    note: str
    cards: tuple[Card, ...]
    is_personal: bool
    is_stale: bool
    is_published: bool
    less_of: str  # the groups whose products stand lower in it, at the shopper's wish
    url: str  # where a stale row asks for itself; empty where it never is
    places_lower: int = LOWERED_BY


def cards_of(found: Recommendations) -> tuple[Card, ...]:
    said = [phrase(item.contract, products=found.products, categories=found.categories) for item in found.items]
    return tuple(
        Card(
            recommendation=item,
            phrased=phrased,
            group=found.categories.get(item.product.category_id) if item.product.category_id is not None else None,
        )
        for item, phrased in zip(found.items, store.reworded(found, said), strict=True)
    )


def home_rows(*, shopper: Shopper | None) -> list[Row]:
    """What the first page shows: for a shopper with personalisation two rows, otherwise the one for everyone."""
    rows = [row_of(placement=Placement.HOME, shopper=shopper)]
    if shopper is not None and shopper.is_personalised and rows[0].is_published:
        rows.append(row_of(placement=Placement.BUY_AGAIN, shopper=shopper))
    return rows


def row_of(*, placement: Placement, shopper: Shopper | None) -> Row:
    """One row of the first page."""
    found = recommendations_for(shopper=shopper, placement=placement, limit=CARDS)
    if placement == Placement.BUY_AGAIN and not found.is_personal:
        (title, note), cards = (_("Buy again"), ""), tuple[Card, ...]()  # nobody buys again what others bought
    else:
        (title, note), cards = _headings(found, shopper), cards_of(found)
    return Row(
        placement=placement,
        title=title,
        note=note,
        cards=cards,
        is_personal=found.is_personal,
        is_stale=found.is_stale,
        # A run may hold nothing that anybody buys again; the row then says what would fill it.
        is_published=found.slate is not None or placement == Placement.BUY_AGAIN,
        less_of=_groups(found),
        url=reverse("row", args=[placement.value]),
    )


def similar_row(*, product: Product, shopper: Shopper | None) -> Row:
    """What goes with the product on this page."""
    found = recommendations_for(shopper=shopper, placement=Placement.PRODUCT, limit=CARDS, context_product=product)
    return Row(
        placement=Placement.PRODUCT,
        title=_("Similar to what you are viewing"),
        note="",
        cards=cards_of(found),
        is_personal=False,
        is_stale=False,
        is_published=found.slate is not None,
        less_of=_groups(found),
        url="",
    )


def card_of(*, recommendation_id: str, shopper: Shopper | None) -> Card:
    """One recommendation with its sentences. Raises UnknownRecommendation."""
    (card,) = cards_of(recommendation(recommendation_id=recommendation_id, shopper=shopper))
    return card


def _groups(found: Recommendations) -> str:
    return pgettext("between products", ", ").join(clean(group.name) for group in found.less_of)


def _headings(found: Recommendations, shopper: Shopper | None) -> tuple[str, str]:
    if found.is_personal and found.placement == Placement.HOME:
        return _("New for you"), _("Products you have not bought yet, each with its reason.")
    if found.is_personal:
        return _("Buy again"), ""
    if shopper is None:
        return _("For everyone"), _("The same for every visitor. Sign in to see what is chosen for you, and why.")
    if not shopper.is_personalised:
        return _("For everyone"), _("Personalised is off, so this is the same for every visitor.")
    return _("For everyone"), _("Nothing is computed for you yet, so this is the same for every visitor.")
