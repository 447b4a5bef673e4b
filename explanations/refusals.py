"""What the gate of explanations found wanting, in words, each with a remedy."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

SENTENCES = {
    "verified_share": gettext_lazy(
        "Only %(value)s of the first recommendations have a verified reason; at least %(bound)s must."
        " Train on longer histories, or with more of them masked."
    ),
    "verified_share_of_live": gettext_lazy(
        "Only %(value)s of the first recommendations have a verified reason; with the live model, on the same shoppers,"
        " so many have one that %(bound)s is the least. Keep the live model, or train again on more data."
    ),
    "deletion_of_live": gettext_lazy(
        "By what is lost without them, its three strongest reasons are clearly less ahead of the three latest purchases"
        " than those of the live model on the same shoppers (%(value)s; at least %(bound)s is demanded). Keep the live"
        " model, or train again."
    ),
    "insertion_of_live": gettext_lazy(
        "By what they carry alone, its three strongest reasons are clearly less ahead of the three latest purchases"
        " than those of the live model on the same shoppers (%(value)s; at least %(bound)s is demanded). Keep the live"
        " model, or train again."
    ),
    "polarity_violations": gettext_lazy(
        "%(value)s reasons do not hold when they are computed again. This is a fault of the program, not of the model:"
        " report it."
    ),
    "deletion_better_than_recency": gettext_lazy(
        "Without the three strongest reasons a product does not surely lose more than without the three latest"
        " purchases (%(value)s; below %(bound)s is demanded). Train longer, or on more shoppers."
    ),
    "insertion_better_than_recency": gettext_lazy(
        "With the three strongest reasons alone a product does not surely keep more than with the three latest"
        " purchases alone (%(value)s; above %(bound)s is demanded). Train longer, or on more shoppers."
    ),
}


def sentence(entry: Mapping[str, Any]) -> str:
    """One check that failed; a code of another release is told as it is."""
    words = SENTENCES.get(entry["code"])
    text = str(words) if words is not None else _("The check %(code)s failed: %(value)s against %(bound)s.")
    return text % {"code": entry["code"], "value": entry["value"], "bound": entry["bound"]}
