""" "Why is this not recommended to me?"."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from catalog.models import Product
from catalog.visitors import shopper_of
from explanations.absences import why_not
from explanations.phrasing.absences import cause_of, details_of
from explanations.phrasing.parts import bars_of
from explanations.views.waiting import wait_of


@login_required
@require_safe
@cache_control(private=True, no_cache=True)
def why_not_page(request: HttpRequest, external_id: str) -> HttpResponse:
    """Asks the model and waits a moment; the script asks again, as long as the answer is on its way."""
    product = get_object_or_404(Product, external_id=external_id)
    shopper = shopper_of(request)
    if shopper is None:
        return render(request, "explanations/no_history.html")
    why = why_not(shopper=shopper, product=product, wait=wait_of(request))
    return render(
        request,
        "explanations/why_not.html",
        {
            "why": why,
            "product": product,
            "cause": cause_of(why),
            "details": details_of(why),
            "parts": bars_of(why.ranked),
        },
    )
