"""The main parameters in words."""

from django.utils.translation import gettext as _

from explanations.parameters import NotUsed, Option
from explanations.wishes import LOWERED_BY


def not_used(what: NotUsed) -> str:
    match what:
        case NotUsed.TRAITS:
            return _("Who you are: your age, sex, health, beliefs, income or family.")
        case NotUsed.CONTACT:
            return _("Your name, address, e-mail address or telephone number.")
        case NotUsed.DEVICE:
            return _("Your place, device, browser or address on the internet.")
        case NotUsed.ELSEWHERE:
            return _("Anything from outside this shop.")
        case NotUsed.LEFT_OUT:
            return _("What you left out of your history, and what you said was a gift.")
        case NotUsed.SWITCHED_OFF:
            return _("Anything of yours at all, once Personalised is off.")
        case NotUsed.PRICES:
            return _("Anything of yours to set a price: prices are the same for everybody.")


def option(what: Option) -> str:
    match what:
        case Option.SWITCH_OFF:
            return _("Switch Personalised off, at the top of each page: it works at once.")
        case Option.NOT_INTERESTED:
            return _("Say Not interested, under “Why this?”: the product disappears, and you can undo it.")
        case Option.LEAVE_OUT:
            return _("Leave a purchase out, under “Why this?” or in your history: it is not used any more.")
        case Option.GIFT:
            return _("Say that it was a gift: it is not used either, and we remember that it was for somebody else.")
        case Option.LESS_OF_GROUP:
            return _(
                "Ask for less of a group: %(places_lower)s products of other groups go ahead of each of its products. "
                "None is hidden."
            ) % {"places_lower": LOWERED_BY}
