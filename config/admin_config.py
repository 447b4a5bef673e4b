"""The admin with our own front page."""

from django.contrib.admin.apps import AdminConfig


class BecauseAdminConfig(AdminConfig):
    default_site = "config.admin_site.BecauseAdminSite"
