"""What `import_version` and `train --from` share."""

from pathlib import Path

from django.core.management.base import CommandError
from django.utils import timezone

from recommendations import foreign
from recommendations.models import ModelVersion


def import_file(path: Path) -> ModelVersion:
    """Raises CommandError with the remedy."""
    try:
        with path.open("rb") as file:
            return foreign.import_version(file=file, name=path.name, by=None, at=timezone.now())
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
    except foreign.Unreadable as error:
        raise CommandError(f"{path}: {error}") from error
