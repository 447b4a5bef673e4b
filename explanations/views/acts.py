"""What a shopper says of recommendations: each is a POST that answers at once, and most can be undone."""

from collections.abc import Callable
from functools import wraps

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from catalog.models import Category, Product, Shopper
from catalog.returning import back_from
from catalog.services import (
    NOT_INTERESTED,
    as_much_of_group,
    exclude_history,
    include_history,
    less_of_group,
    record_act,
    record_view,
    set_personalised,
    show_again,
)
from catalog.visitors import shopper_of
from explanations import impressions
from explanations.phrasing.text import short_group, short_title
from explanations.undo import undo_tags
from explanations.wishes import LOWERED_BY

LONGEST_ID = 60
MOST_SHOWN = 60  # cards of one page


def by_shopper(view: Callable[[HttpRequest, Shopper], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A POST of a signed-in shopper."""

    @login_required
    @require_POST
    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        shopper = shopper_of(request)
        if shopper is None:
            raise PermissionDenied
        return view(request, shopper)

    return guarded


def _number(request: HttpRequest, field: str) -> int:
    number = request.POST.get(field, "")
    return int(number) if number.isdecimal() and len(number) < 19 else 0


def _product(request: HttpRequest) -> Product:
    return get_object_or_404(Product, pk=_number(request, "product"))


def _group(request: HttpRequest) -> Category:
    return get_object_or_404(Category, pk=_number(request, "group"))


def _title(product: Product) -> str:
    return short_title(product, characters=48)


@by_shopper
def not_interested(request: HttpRequest, shopper: Shopper) -> HttpResponse:
    product = _product(request)
    record_act(
        shopper=shopper,
        product=product,
        event_type=NOT_INTERESTED,
        at=timezone.now(),
        recommendation=request.POST.get("recommendation", "")[:LONGEST_ID],
    )
    text = _("“%(title)s” is not shown any more.") % {"title": _title(product)}
    messages.success(request, text, extra_tags=undo_tags(act="show_again", number=product.pk))
    return redirect(back_from(request))


@by_shopper
def show_product_again(request: HttpRequest, shopper: Shopper) -> HttpResponse:
    product = _product(request)
    show_again(shopper=shopper, product=product, at=timezone.now())
    messages.success(request, _("“%(title)s” may be shown again.") % {"title": _title(product)})
    return redirect(back_from(request))


@by_shopper
def leave_out(request: HttpRequest, shopper: Shopper) -> HttpResponse:
    """ "Don't use this purchase"."""
    product = _product(request)
    excluded = exclude_history(shopper=shopper, product=product, at=timezone.now())
    if excluded:
        text = _("“%(title)s” is not used for your recommendations any more.") % {"title": _title(product)}
        messages.success(request, text, extra_tags=undo_tags(act="use_again", number=product.pk))
    else:
        messages.info(request, _("“%(title)s” was not used.") % {"title": _title(product)})
    return redirect(back_from(request))


@by_shopper
def gift(request: HttpRequest, shopper: Shopper) -> HttpResponse:
    """ "It was a gift": it says nothing of the shopper, so it is not used; it stays bought."""
    product = _product(request)
    if exclude_history(shopper=shopper, product=product, at=timezone.now(), is_gift=True):
        text = _("“%(title)s” was a gift: it is not used for your recommendations any more.")
        tags = undo_tags(act="use_again", number=product.pk)
        messages.success(request, text % {"title": _title(product)}, extra_tags=tags)
    else:
        messages.info(request, _("“%(title)s” was not used.") % {"title": _title(product)})
    return redirect(back_from(request))


@by_shopper
def less_of(request: HttpRequest, shopper: Shopper) -> HttpResponse:
    """ "Less of this group": it stands lower from the very next page on."""
    group = _group(request)
    less_of_group(shopper=shopper, category=group, at=timezone.now())
    text = _("From now on, %(places)s other products go ahead of each product of %(group)s.")
    tags = undo_tags(act="as_much_of", field="group", number=group.pk)
    messages.success(request, text % {"group": short_group(group.name), "places": LOWERED_BY}, extra_tags=tags)
    return redirect(back_from(request))


@by_shopper
def as_much_of(request: HttpRequest, shopper: Shopper) -> HttpResponse:
    group = _group(request)
    as_much_of_group(shopper=shopper, category=group)
    messages.success(request, _("Products of %(group)s stand where they did.") % {"group": short_group(group.name)})
    return redirect(back_from(request))


@by_shopper
def use_again(request: HttpRequest, shopper: Shopper) -> HttpResponse:
    product = _product(request)
    include_history(shopper=shopper, product=product, at=timezone.now())
    messages.success(request, _("“%(title)s” is used again.") % {"title": _title(product)})
    return redirect(back_from(request))


@by_shopper
def personalised(request: HttpRequest, shopper: Shopper) -> HttpResponse:
    """The switch: it works for the very page that it leads back to."""
    is_on = request.POST.get("personalised") == "on"
    set_personalised(shopper=shopper, is_personalised=is_on, at=timezone.now())
    return redirect(back_from(request))


@by_shopper
def viewed(request: HttpRequest, shopper: Shopper) -> HttpResponse:
    """A product page was seen. Nobody who switched personalisation off is followed."""
    if shopper.is_personalised:
        record_view(
            shopper=shopper,
            product=_product(request),
            at=timezone.now(),
            recommendation=request.POST.get("recommendation", "")[:LONGEST_ID],
        )
    return HttpResponse(status=204)


@by_shopper
def shown(request: HttpRequest, shopper: Shopper) -> HttpResponse:
    """Recommendations came into view. Of those who switched personalisation off nothing is noted."""
    if shopper.is_personalised:
        ids = request.POST.getlist("recommendation")[:MOST_SHOWN]
        impressions.note(shopper=shopper, recommendation_ids=ids, at=timezone.now())
    return HttpResponse(status=204)
