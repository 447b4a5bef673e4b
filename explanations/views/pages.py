"""Pages that show recommendations with their reasons."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import pgettext
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from catalog.histories import history_of
from catalog.models import Product
from catalog.visitors import shopper_of
from explanations.parameters import NotUsed, Option, main_parameters
from explanations.phrasing.parameters import not_used, option
from explanations.phrasing.parts import part_name
from explanations.phrasing.statements import units_of
from explanations.phrasing.text import date_of
from explanations.rows import card_of, home_rows, row_of, similar_row
from explanations.services import UnknownRecommendation
from recommendations.models import Placement

LONGEST_ID = 60
personal = cache_control(private=True, no_cache=True)


@require_safe
@personal
def home(request: HttpRequest) -> HttpResponse:
    shopper = shopper_of(request)
    context = {"rows": home_rows(shopper=shopper), "is_counted": shopper is not None and shopper.is_personalised}
    return render(request, "explanations/home.html", context)


@require_safe
@personal
def row(request: HttpRequest, placement: str) -> HttpResponse:
    """One row of the first page, which a stale row asks for until it is fresh."""
    if placement not in {Placement.HOME, Placement.BUY_AGAIN}:
        raise Http404
    found = row_of(placement=Placement(placement), shopper=shopper_of(request))
    return render(request, "explanations/row.html", {"row": found})


@require_safe
@personal
def product(request: HttpRequest, external_id: str) -> HttpResponse:
    """One product and what goes with it. The view itself is counted by a POST once the page is seen."""
    viewed = get_object_or_404(
        Product.objects.select_related("category__parent"), external_id=external_id, is_active=True
    )
    shopper = shopper_of(request)
    return render(
        request,
        "explanations/product.html",
        {
            "product": viewed,
            "row": similar_row(product=viewed, shopper=shopper),
            "recommendation_id": request.GET.get("from", "")[:LONGEST_ID],
            "is_counted": shopper is not None and shopper.is_personalised,
        },
    )


@require_safe
@personal
def why(request: HttpRequest, recommendation_id: str) -> HttpResponse:
    """The reason for one recommendation: a page of its own, from which the script takes the panel."""
    shopper = shopper_of(request)
    try:
        card = card_of(recommendation_id=recommendation_id, shopper=shopper)
    except UnknownRecommendation:
        return render(request, "explanations/why_gone.html", status=404)
    is_own = shopper is not None and shopper.is_personalised
    units = units_of(card.recommendation.contract) if is_own else ()
    products = Product.objects.in_bulk([unit.product_id for unit in units])
    return render(
        request,
        "explanations/why.html",
        {
            "card": card,
            "is_own": is_own,
            "group": card.group,
            "units": [(unit, products[unit.product_id]) for unit in units if unit.product_id in products],
        },
    )


@login_required
@require_safe
@personal
def history(request: HttpRequest) -> HttpResponse:
    """What is used of a shopper, and what is not."""
    shopper = shopper_of(request)
    if shopper is None:
        return render(request, "explanations/no_history.html")
    return render(request, "explanations/history.html", {"history": history_of(shopper=shopper)})


@require_safe
def how(request: HttpRequest) -> HttpResponse:
    """How recommendations work: from the live version, not from a brochure."""
    found = main_parameters()
    return render(
        request,
        "explanations/how.html",
        {
            "run": found.run,
            "shares": found.causes,
            "weights": found.weights,
            "parts": [(part, part_name(part.code)) for part in found.weights.parts] if found.weights else [],
            "trained_until": date_of(int(found.trained_until.timestamp())) if found.trained_until is not None else "",
            "known": pgettext("between products", ", ").join(part_name(code) for code in found.known_of_products),
            "acts": pgettext("between products", ", ").join(event_type.verb for event_type in found.event_types),
            "not_used": [not_used(what) for what in NotUsed],
            "options": [option(what) for what in Option],
        },
    )
