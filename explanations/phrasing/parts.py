"""Names for the parts of a product that a score is made of."""

from django.utils.translation import gettext as _

from explanations.phrasing.text import clean


def part_name(code: str) -> str:
    """In the active language; an attribute of the shop's own appears under its own name."""
    names = {
        "id": _("the product itself: what it is bought together with"),
        "group": _("its group"),
        "category": _("its group"),
        "department": _("its department"),
        "price_band": _("its price band"),
        "brand": _("its brand"),
        "other": _("its other attributes"),
        "text": _("the words of its title and description"),
        "bias": _("how it sells in general"),
        "recent_popularity": _("how it sells lately"),
        "repeat": _("that you had to do with it before"),
    }
    return names.get(code) or clean(code.replace("_", " "))
