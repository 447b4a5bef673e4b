""" "Why not?" in words: the cause first, then where the model ranks it."""

from django.utils.translation import gettext as _

from catalog.models import Product
from explanations.absences import Absence, WhyNot
from explanations.phrasing.text import Segment, compose, grouped, is_chinese, ordinal, plain, short_group, short_title


def cause_of(why: WhyNot) -> str:
    """One sentence."""
    slots: dict[str, str | int | Segment] = {"title": _title(why.product)}
    if why.place is not None:
        slots["place"] = ordinal(why.place)
    if why.wish is not None:
        slots["group"] = short_group(why.wish.name)
    return plain(compose(_template(why), slots))


def _title(product: Product) -> str:
    return short_title(product, characters=36 if is_chinese() else 48)


def _template(why: WhyNot) -> str:
    match why.absence:
        case Absence.NOTHING_PUBLISHED:
            return _("No recommendations are published yet, so nothing is recommended to anybody.")
        case Absence.INACTIVE:
            return _("“%(title)s” is not sold any more, and what is not sold is not recommended.")
        case Absence.OUT_OF_STOCK:
            return _("“%(title)s” is out of stock, and what is out of stock is not recommended.")
        case Absence.SWITCHED_OFF:
            return _("Personalised is off: you see what everybody sees, and nothing is chosen for you.")
        case Absence.NO_HISTORY:
            return _("Nothing is known of what you bought or viewed, so you see what everybody sees.")
        case Absence.NOT_COMPUTED:
            return _("Your own recommendations are not computed yet, so you see what everybody sees.")
        case Absence.SHOWN:
            return _("“%(title)s” is recommended to you: it stands %(place)s in your list.")
        case Absence.HIDDEN:
            return _("You said “not interested” in “%(title)s”, so it is not shown.")
        case Absence.BOUGHT:
            return _("You bought “%(title)s” already, and this list holds only what is new to you.")
        case Absence.LESS_OF_GROUP if not why.is_wish_named:
            return _("You wished for less of its group, so “%(title)s” stands lower than the list reaches.")
        case Absence.LESS_OF_GROUP:
            return _("You wished for less of %(group)s, so “%(title)s” stands lower than the list reaches.")
        case Absence.NO_REASON:
            return _("“%(title)s” ranks high enough, but no reason for it that may be said passed its check.")
        case Absence.NOT_IN_VERSION:
            return _("The model does not know “%(title)s” yet: it came after the last training.")
        case Absence.PENDING:
            return _("The model is being asked where it ranks “%(title)s”.")
        case Absence.RANKED_LOWER:
            return _("Other products fit your history better than “%(title)s”.")
        case Absence.FAILED:
            return _("The model could not be asked at the moment. Please try again later.")


def details_of(why: WhyNot) -> tuple[str, ...]:
    """Where the model ranks it, and what is missing to the last one shown; empty until the model has answered."""
    ranked = why.ranked
    if ranked is None:
        return ()
    slots: dict[str, str | int | Segment] = {
        "rank": ordinal(ranked.rank),
        "empty": ordinal(ranked.empty_rank),
        "count": grouped(ranked.candidates),
    }
    said = [
        _("The model ranks it %(rank)s of %(count)s products that could be recommended to you.")
        if ranked.is_candidate
        else _("But for that, the model would rank it %(rank)s of %(count)s products.")
    ]
    said.append(_("For somebody without a history it would be %(empty)s."))
    if why.last is not None and ranked.gap is not None and ranked.last_rank is not None:
        slots["last"] = _title(why.last.product)
        slots["last_rank"] = ordinal(ranked.last_rank)
        slots["gap"] = f"{abs(ranked.gap):.2f}"
        said.append(
            _("The last one shown is “%(last)s”, which the model ranks %(last_rank)s; its score is %(gap)s higher.")
            if ranked.gap < 0
            else _("The last one shown is “%(last)s”, which the model ranks %(last_rank)s; its score is %(gap)s lower.")
        )
    return tuple(plain(compose(sentence, slots)) for sentence in said)
