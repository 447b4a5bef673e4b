"""What enters, leaves and moves, in words."""

from collections.abc import Mapping

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from catalog.models import Product
from explanations.moves import Moves
from explanations.phrasing.text import Segment, compose, ordinal, plain, short_title

TITLE_CHARACTERS = 40


def counted(found: Moves) -> str:
    """In short: 2 leave, 2 enter, 3 move."""
    if not found:
        return _("the first ten stay as they are, with other scores")
    pieces = [
        ngettext("%(count)s leaves", "%(count)s leave", len(found.leaves)) % {"count": len(found.leaves)},
        ngettext("%(count)s enters", "%(count)s enter", len(found.enters)) % {"count": len(found.enters)},
        ngettext("%(count)s moves", "%(count)s move", len(found.moves)) % {"count": len(found.moves)},
    ]
    counts = (len(found.leaves), len(found.enters), len(found.moves))
    return pgettext("between products", ", ").join(piece for piece, count in zip(pieces, counts, strict=True) if count)


def said(found: Moves, products: Mapping[int, Product]) -> list[str]:
    """One line a product: what leaves, what enters, what moves."""

    def title(product_id: int) -> Segment:
        product = products.get(product_id)
        if product is None:
            return Segment(text=_("a product that is no longer here"), is_title=False)
        return Segment(text=short_title(product, characters=TITLE_CHARACTERS))

    lines = [
        plain(compose(_("leaves: “%(title)s”, which stood %(place)s"), {"title": title(pk), "place": ordinal(place)}))
        for pk, place in found.leaves
    ]
    lines += [
        plain(compose(_("enters: “%(title)s”, as %(place)s"), {"title": title(pk), "place": ordinal(place)}))
        for pk, place in found.enters
    ]
    lines += [
        plain(
            compose(
                _("moves: “%(title)s”, from %(before)s to %(after)s"),
                {"title": title(pk), "before": ordinal(before), "after": ordinal(after)},
            )
        )
        for pk, before, after in found.moves
    ]
    return lines
