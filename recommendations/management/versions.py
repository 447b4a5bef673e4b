"""How commands name a version."""

from recommendations.models import ModelVersion, Run


def trained(wanted: str) -> ModelVersion | None:
    """By its number, or the live one."""
    if wanted == "live":
        run = Run.objects.live().select_related("version").first()
        return run.version if run else None
    return ModelVersion.objects.trained().filter(pk=int(wanted)).first() if wanted.isdecimal() else None
