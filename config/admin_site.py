"""The stock admin site with figures on its first page and the main pages in its header."""

from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy, pgettext_lazy

from config import dashboard

APPS = ("catalog", "recommendations", "explanations", "django_celery_beat", "auth", "axes")


class BecauseAdminSite(AdminSite):
    site_header = pgettext_lazy("the product", "Because")
    site_title = pgettext_lazy("the product", "Because")
    index_title = gettext_lazy("How the shop is doing")

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        if context["has_permission"]:
            context |= {"main_links": dashboard.main_links(request.user), "other_language": _other_language()}
        return context

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Facts, guesses, reasons, then the machinery."""
        order = {label: position for position, label in enumerate(APPS)}
        return sorted(super().get_app_list(request, app_label), key=lambda app: order.get(app["app_label"], len(order)))

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        at = timezone.now()
        figures = {
            "figures": dashboard.figures(user=request.user, at=at),
            "alerts": dashboard.alerts(user=request.user, at=at),
            "doings": dashboard.doings(request.user),
        }
        return super().index(request, figures | (extra_context or {}))


def _other_language() -> dict[str, str] | None:
    """The way to read the admin in the other language, where the site offers one."""
    try:
        url = reverse("set_language")
    except NoReverseMatch:
        return None
    others = [(code, name) for code, name in settings.LANGUAGES if code != get_language()]
    return {"url": url, "code": others[0][0], "name": others[0][1]} if others else None
