"""Names for the ids of a contract, in the active language."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from catalog.models import Category, EventType, Product
from explanations.contract import Evidence
from explanations.phrasing.text import Segment, clean, is_chinese, short_group, short_title

VERBS_KEPT_SECONDS = 60


class Verbs:
    """The event types' verbs, read again every minute: staff edit them, and a page phrases many reasons."""

    def __init__(self) -> None:
        self._by_code: dict[str, EventType] = {}
        self._read_at = float("-inf")

    def get(self, code: str) -> EventType | None:
        is_old = time.monotonic() - self._read_at > VERBS_KEPT_SECONDS
        if is_old or code not in self._by_code:
            self._by_code = {event_type.code: event_type for event_type in EventType.objects.all()}
            self._read_at = time.monotonic()
        return self._by_code.get(code)


VERBS = Verbs()


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """Where a contract's products, groups and verbs are looked up."""

    products: Mapping[int, Product]
    categories: Mapping[int, Category]

    def product(self, product_id: int, *, characters: int) -> Segment:
        product = self.products.get(product_id)
        if product is None:
            return Segment(text=_("a product that is no longer here"), is_title=False)
        if self._is_sensitive(product.category_id):
            return Segment(text=_("a product that is not named here"), is_title=False)
        title = short_title(product, characters=characters)
        return Segment(text=title, product=product if product.is_active else None)

    def group(self, category_id: int | None) -> str:
        """Empty where it is not known or must not be named."""
        category = self.categories.get(category_id) if category_id is not None else None
        if category is None or self._is_sensitive(category_id):
            return ""
        return short_group(category.name)

    def _is_sensitive(self, category_id: int | None) -> bool:
        """Flagged, or below a flagged group. Readers leave such contracts out already; this is the second lock."""
        while category_id is not None and (category := self.categories.get(category_id)) is not None:
            if category.is_sensitive:
                return True
            category_id = category.parent_id
        return False

    def verb(self, units: tuple[Evidence, ...]) -> str:
        """The one verb of all units, or nothing where they differ."""
        codes = {unit.event_type for unit in units}
        event_type = VERBS.get(codes.pop()) if len(codes) == 1 else None
        if event_type is None:
            return ""
        return clean(event_type.verb_zh_hans if is_chinese() else event_type.verb_en)
