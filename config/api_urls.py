"""The first version of the API."""

from django.urls import include, path, re_path

from catalog.api.base import NoSuchEndpoint
from config import api_docs

urlpatterns = [
    path("schema/", api_docs.schema, name="api_schema"),
    path("docs/", api_docs.docs, name="api_docs"),
    # Before the shoppers themselves, whose ids may hold a slash.
    path("", include("explanations.api.urls")),
    path("", include("catalog.api.urls")),
    re_path("", NoSuchEndpoint.as_view()),
]
