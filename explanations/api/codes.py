"""What the codes of an explanation mean, in the words of the schema."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from explanations.absences import Absence
from explanations.contract import Band, Cause, ReasonType, Status, Strength
from explanations.parameters import NotUsed, Option

CAUSES = {
    Cause.HISTORY: "one product in the shopper's history carries it",
    Cause.HISTORY_GROUP: "several products in the shopper's history together carry it",
    Cause.VIEWED_PRODUCT: "it goes with the product that is being viewed",
    Cause.BUY_AGAIN: "the shopper bought it before, more than once",
    Cause.POPULAR: "it would stand there without any history: many buy it",
    Cause.NEW: "it was launched recently",
    Cause.NOT_PERSONAL: "it is the same for everybody",
}
STATUSES = {
    Status.VERIFIED: "at least one reason survived its check: a second pass of the model over all products, or, for "
    "`viewed_product`, the count of shared baskets",
    Status.FALLBACK: "the cause is true, and no personal reason",
    Status.WITHHELD: "what led to it must not be named; such products are not shown",
}
REASON_TYPES = {
    ReasonType.INTERACTION: "everything the shopper did with one product",
    ReasonType.BASKET: "what the shopper bought together, and not later",
    ReasonType.CATEGORY: "everything from one category",
    ReasonType.ALIKE: "everything that was done with the first product and with those that are nearly the same to the "
    "model",
    ReasonType.CONTEXT_PRODUCT: "the product that is being viewed",
    ReasonType.REPEAT: "the shopper's earlier purchases of the same product",
}
ABSENCES = {
    Absence.NOTHING_PUBLISHED: "no recommendations are published",
    Absence.INACTIVE: "the product is not active",
    Absence.OUT_OF_STOCK: "the product is out of stock",
    Absence.SWITCHED_OFF: "personalisation is off: the shopper sees what everybody sees",
    Absence.NO_HISTORY: "nothing is known of what the shopper did",
    Absence.NOT_COMPUTED: "the shopper has a history, and no recommendations from it yet",
    Absence.SHOWN: "it is recommended",
    Absence.HIDDEN: "the shopper said not interested",
    Absence.BOUGHT: "the shopper bought it already; the placement holds what is new to the shopper",
    Absence.LESS_OF_GROUP: "it would be shown, but the shopper wished for less of its category",
    Absence.NO_REASON: "it ranks high enough, but no reason that may be said passed its check",
    Absence.NOT_IN_VERSION: "the live model version does not know it",
    Absence.PENDING: "only the model can tell, and it has not answered within two seconds: ask again",
    Absence.RANKED_LOWER: "others rank higher",
    Absence.FAILED: "the model could not be asked",
}
NOT_USED = {
    NotUsed.TRAITS: "who the shopper is: age, sex, health, beliefs, income, family",
    NotUsed.CONTACT: "name and addresses",
    NotUsed.DEVICE: "place, device, browser, address on the internet",
    NotUsed.ELSEWHERE: "anything from outside the shop",
    NotUsed.LEFT_OUT: "what the shopper left out of the history",
    NotUsed.SWITCHED_OFF: "anything personal once personalisation is off",
    NotUsed.PRICES: "nothing personal sets a price",
}
OPTIONS = {
    Option.SWITCH_OFF: "switch personalisation off",
    Option.NOT_INTERESTED: "hide a product",
    Option.LEAVE_OUT: "leave what was done with a product out of the history",
    Option.GIFT: "say that a purchase was a gift",
    Option.LESS_OF_GROUP: "see less of a category",
}
STRENGTHS = {
    Strength.LOSES_PLACE: "another product takes its place",
    Strength.LEAVES_LIST: "it falls below the last rank that is shown",
}
BANDS = {
    Band.LOW: "under 2 % of recommendations scored like this are in the next basket",
    Band.FAIR: "2 to 10 %",
    Band.HIGH: "10 % and more",
}


Code = TypeVar("Code", bound=StrEnum)


def choices(meanings: Mapping[Code, str]) -> list[tuple[str, str]]:
    """For a field of the schema."""
    return [(code.value, meaning) for code, meaning in meanings.items()]
