"""Every URL of the site."""

from django.contrib import admin
from django.urls import include, path

from config.health import livez, readyz

urlpatterns = [
    path("livez", livez, name="livez"),
    path("readyz", readyz, name="readyz"),
    path("admin/", admin.site.urls),
    path("api/v1/", include("config.api_urls")),
    path("language/", include("django.conf.urls.i18n")),
    path("", include("catalog.urls")),
    path("", include("explanations.urls")),
]
