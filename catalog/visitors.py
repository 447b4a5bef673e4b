"""Who is looking at a page."""

from django.http import HttpRequest

from catalog.models import Shopper


def shopper_of(request: HttpRequest) -> Shopper | None:
    """The shopper whose account is signed in; read once a request. None for visitors and for staff."""
    if not hasattr(request, "_shopper"):
        user = getattr(request, "user", None)  # not there when an error page answers before the session is read
        is_known = user is not None and user.is_authenticated
        shopper = Shopper.objects.filter(user=user).first() if is_known else None
        request._shopper = shopper  # type: ignore[attr-defined]
    return request._shopper  # type: ignore[attr-defined,no-any-return]
