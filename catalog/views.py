"""Pages that need facts only: sign-in, the product list, pictures, the theme."""

import hashlib

from django.conf import settings
from django.contrib.auth.views import LoginView, LogoutView
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_POST, require_safe

from catalog.art import product_art
from catalog.glyphs import DEFAULT
from catalog.listing import BadCursor, groups_with_products, page_of_products
from catalog.models import Category, Product
from catalog.returning import back_from

THEMES = ("auto", "light", "dark")
THEME_COOKIE = "theme"
A_YEAR = 365 * 24 * 3600
ART_SECONDS = 30 * 24 * 3600
LONGEST_SEARCH = 100

sign_in = LoginView.as_view(template_name="catalog/sign_in.html", redirect_authenticated_user=True)
sign_out = LogoutView.as_view()


@require_safe
def products(request: HttpRequest) -> HttpResponse:
    """The product list: `q` searches, `group` filters, `after` is the cursor of a page."""
    query = request.GET.get("q", "").replace("\x00", "").strip()[:LONGEST_SEARCH]
    group = request.GET.get("group", "")
    categories = groups_with_products()
    category = next((each for each in categories if each.path == group), None)
    if group and category is None:
        raise Http404
    try:
        page = page_of_products(query=query, category=category, cursor=request.GET.get("after", ""))
    except BadCursor as error:
        raise Http404 from error
    root = group.partition("/")[0]
    following = request.GET.copy()
    following["after"] = page.next_cursor
    return render(
        request,
        "catalog/products.html",
        {
            "query": query,
            "category": category,
            "root": root,
            "groups": [each for each in categories if "/" not in each.path],
            "below": [each for each in categories if root and each.path.startswith(f"{root}/")],
            "page": page,
            "is_first": "after" not in request.GET,
            "next_url": f"?{following.urlencode()}" if page.next_cursor else "",
        },
    )


@require_safe
def art(request: HttpRequest, external_id: str) -> HttpResponse:
    """The drawn picture of a product, for an <img>: kept by the browser, and asked for again by its ETag."""
    product = get_object_or_404(Product.objects.select_related("category"), external_id=external_id)
    group = product.category
    hue, glyph = (group.hue, group.glyph or DEFAULT) if group is not None else (Category().hue, DEFAULT)
    picture = product_art(product_key=product.external_id, hue=hue, glyph=glyph)
    etag = f'"{hashlib.sha256(picture.encode()).hexdigest()[:32]}"'
    response = (
        HttpResponseNotModified()
        if request.headers.get("If-None-Match") == etag
        else HttpResponse(picture, content_type="image/svg+xml")
    )
    response["ETag"] = etag
    patch_cache_control(response, public=True, max_age=ART_SECONDS)
    return response


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keep light, dark or auto in a cookie, and go back to the page."""
    wanted = request.POST.get("theme", "")
    response = redirect(back_from(request))
    if wanted in THEMES:
        response.set_cookie(
            THEME_COOKIE,
            wanted,
            max_age=A_YEAR,
            httponly=True,
            samesite="Lax",
            secure=settings.SESSION_COOKIE_SECURE,
        )
    return response
