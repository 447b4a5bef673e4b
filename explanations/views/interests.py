""" "My interests"."""

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from catalog.visitors import shopper_of
from explanations.interests import Interest, interests_of
from explanations.phrasing.moves import counted, said
from explanations.views.waiting import wait_of

ON_A_PAGE = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """One interest with what would happen without it."""

    interest: Interest
    counted: str
    lines: list[str]


@login_required
@require_safe
@cache_control(private=True, no_cache=True)
def interests(request: HttpRequest) -> HttpResponse:
    """Asks the model and waits a moment; the script asks again, as long as the answer is on its way."""
    shopper = shopper_of(request)
    if shopper is None:
        return render(request, "explanations/no_history.html")
    found = interests_of(shopper=shopper, wait=wait_of(request))
    page = Paginator(found.measured, ON_A_PAGE).get_page(request.GET.get("page"))
    return render(
        request,
        "explanations/interests.html",
        {
            "interests": found,
            "page": page,
            "measured": [
                Said(
                    interest=interest,
                    counted=counted(interest.without),
                    lines=said(interest.without, found.products),
                )
                for interest in page
            ],
            "changed": said(found.change.moves, found.products) if found.change is not None else [],
        },
    )
