"""The first version of the API."""

from django.urls import include, path, re_path

from catalog.api.base import NoSuchEndpoint

urlpatterns = [
    path("", include("catalog.api.urls")),
    re_path("", NoSuchEndpoint.as_view()),
]
