"""The rules of cleaning, in the order in which they are asked: a row belongs to the first that holds."""

from dataclasses import dataclass
from enum import IntEnum

from django.utils.translation import gettext_noop as _


class Verdict(IntEnum):
    """What became of a row; USABLE rows are what models learn from."""

    USABLE = 0
    AFTER_CUTOFF = 1
    FUTURE_TIME = 2
    EXCLUDED_BY_SHOPPER = 3
    NON_PRODUCT = 4
    IMPOSSIBLE_QUANTITY = 5
    IMPOSSIBLE_PRICE = 6
    DUPLICATE = 7
    CANCELLED = 8
    UNMATCHED_RETURN = 9
    BULK_BUYER = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One rule, as the report tells it. The texts are translated where they are shown."""

    code: str
    title: str
    description: str
    zero: str  # why it may well find nothing
    verdict: Verdict = Verdict.USABLE  # USABLE: the rows stay, the report only counts them


RULES = (
    Rule(
        code="after_cutoff",
        verdict=Verdict.AFTER_CUTOFF,
        title=_("After the cut-off"),
        description=_("Happened after the cut-off. Left out: a model must not learn from what it will be asked about."),
        zero=_("because nothing that was received happened after the cut-off."),
    ),
    Rule(
        code="future_time",
        verdict=Verdict.FUTURE_TIME,
        title=_("Times in the future"),
        description=_(
            "Is said to have happened more than five minutes after it was received: a wrong clock or a wrong zone."
            " Left out. Imports refuse times more than a day ahead already."
        ),
        zero=_("because every row happened before it was received."),
    ),
    Rule(
        code="excluded_by_shopper",
        verdict=Verdict.EXCLUDED_BY_SHOPPER,
        title=_("Excluded by the shopper"),
        description=_("The shopper said “don't use this”, or took a “not interested” back. Left out."),
        zero=_("because no shopper asked for it."),
    ),
    Rule(
        code="unknown_product",
        title=_("Unknown products"),
        description=_("Rows of finished imports whose product the catalogue does not know. They were never taken in."),
        zero=_("because every imported row named a product of the catalogue."),
    ),
    Rule(
        code="non_product",
        verdict=Verdict.NON_PRODUCT,
        title=_("Lines that are no product"),
        description=_("Postage, fees, vouchers, corrections: all that the shop put under non-product. Left out."),
        zero=_("because nothing with an interaction is in the group non-product."),
    ),
    Rule(
        code="impossible_quantity",
        verdict=Verdict.IMPOSSIBLE_QUANTITY,
        title=_("Impossible quantities"),
        description=_("Zero or less, or outside the outlier bounds of the product's group. Left out."),
        zero=_("because every quantity lies within its group's bounds."),
    ),
    Rule(
        code="impossible_price",
        verdict=Verdict.IMPOSSIBLE_PRICE,
        title=_("Impossible prices"),
        description=_("Zero or less, or outside the outlier bounds of the product's group. Left out."),
        zero=_("because every price lies within its group's bounds."),
    ),
    Rule(
        code="duplicate",
        verdict=Verdict.DUPLICATE,
        title=_("Duplicates"),
        description=_(
            "Same shopper, product, kind, time, quantity and price as an earlier row, under another event id."
            " Where the shopper is not known, the basket must be the same too. The earlier row stays."
        ),
        zero=_("because no two rows say the same under different event ids."),
    ),
    Rule(
        code="cancelled",
        verdict=Verdict.CANCELLED,
        title=_("Cancelled purchases and their returns"),
        description=_(
            "A return belongs to the nearest earlier purchase of the same shopper and product that is large enough."
            " When all of it came back, both are left out; else the return is, and the purchase stays with the rest."
        ),
        zero=_("because no return belongs to a purchase."),
    ),
    Rule(
        code="unmatched_return",
        verdict=Verdict.UNMATCHED_RETURN,
        title=_("Returns without a purchase"),
        description=_("Nothing earlier is known that came back here: bought before the data begins. Left out."),
        zero=_("because every return belongs to a purchase."),
    ),
    Rule(
        code="bulk_buyer",
        verdict=Verdict.BULK_BUYER,
        title=_("Bulk buyers and bots"),
        description=_(
            "All rows of shoppers whose number of lines, visits or pieces lies far outside what shoppers do"
            " (four robust deviations above the median, on a logarithmic scale). Left out."
        ),
        zero=_("because no shopper is that far from the others."),
    ),
    Rule(
        code="partly_cancelled",
        title=_("Partly cancelled purchases"),
        description=_("Part of it came back. They stay, with the quantity that was kept."),
        zero=_("because no purchase was returned in part."),
    ),
    Rule(
        code="missing_shopper",
        title=_("Shopper not known"),
        description=_("They stay and count for popularity, but are part of no history."),
        zero=_("because every usable row names its shopper."),
    ),
    Rule(
        code="unusual_quantity",
        title=_("Unusual quantities"),
        description=_("More than three robust deviations from the group's median. They stay."),
        zero=_("because no usable quantity is that far from its group's median."),
    ),
    Rule(
        code="unusual_price",
        title=_("Unusual prices"),
        description=_("More than three robust deviations from the group's median. They stay."),
        zero=_("because no usable price is that far from its group's median."),
    ),
)
