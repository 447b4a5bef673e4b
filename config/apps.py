"""The config app."""

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Every process that uses Django sends its tasks through our Celery application."""
        import config.celery  # noqa: F401
        from config.generics import make_subscriptable

        make_subscriptable()  # before the admin reads our ModelAdmins
