"""What a key may do: a view declares the scopes of each of its methods."""

from typing import TYPE_CHECKING

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from catalog.models import PartnerKey

if TYPE_CHECKING:
    from rest_framework.views import APIView


class MissingScope(PermissionDenied):
    """The key lacks the scope that this method needs."""

    default_code = "missing_scope"


class HasScope(BasePermission):
    """One of the scopes that the view declares for the method. What declares none is open to nobody."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not isinstance(request.auth, PartnerKey):
            return False
        method = "GET" if request.method == "HEAD" else request.method
        scopes = getattr(view, "scopes", {}).get(method)
        if scopes is None:
            # A method that the view does not have is answered 405 by the view itself.
            return str(method).lower() not in view.http_method_names or not hasattr(view, str(method).lower())
        if not set(scopes) & set(request.auth.scopes):
            needed = " or ".join(scope.value for scope in scopes)
            raise MissingScope(f"This key lacks the scope {needed}.")
        return True
