"""The schema of the API, and the page that shows it."""

from functools import cache

from csp.constants import SELF, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

SCHEMA = settings.BASE_DIR / "config" / "openapi" / "schema.yml"


@cache
def _schema() -> bytes:
    """As committed: a test generates it anew and compares."""
    return SCHEMA.read_bytes()


@require_safe
@cache_control(public=True, max_age=300)
def schema(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_schema(), content_type="application/yaml; charset=utf-8")


@require_safe
# Swagger writes style attributes; scripts stay as strict as anywhere.
@csp_replace({"style-src": [SELF, UNSAFE_INLINE]})
def docs(request: HttpRequest) -> HttpResponse:
    return render(request, "api/docs.html")
