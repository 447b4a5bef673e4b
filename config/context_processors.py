"""What every page's frame shows: the shop, the theme, the shopper."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from catalog.views import THEME_COOKIE, THEMES
from catalog.visitors import shopper_of


def page(request: HttpRequest) -> dict[str, Any]:
    chosen = request.COOKIES.get(THEME_COOKIE, "")
    theme = chosen if chosen in THEMES else THEMES[0]
    return {
        "shop_name": settings.SHOP_NAME,
        "theme": theme,
        "next_theme": THEMES[(THEMES.index(theme) + 1) % len(THEMES)],
        "shopper": SimpleLazyObject(lambda: shopper_of(request)),
    }
