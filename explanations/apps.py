"""The explanations app."""

from django.apps import AppConfig


class ExplanationsConfig(AppConfig):
    name = "explanations"
    default_auto_field = "django.db.models.BigAutoField"
