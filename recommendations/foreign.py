"""Versions that come from another shop as a file: checked, kept, and only ever begun with. Loads no torch."""

import hashlib
import io
from dataclasses import asdict
from datetime import datetime
from typing import IO

from django.core.files.base import File
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.models import User
from recommendations import artifacts
from recommendations.ml.exported import FORMAT, LONGEST, Exported, OtherFormat
from recommendations.ml.tensor_files import Damaged, NotSuchAFile
from recommendations.models import ModelVersion


class Unreadable(Exception):
    """A training can begin with nothing in this file; the message says why, and the remedy."""


def import_version(*, file: "IO[bytes] | File[bytes]", name: str, by: User | None, at: datetime) -> ModelVersion:
    """Check the file to its last byte and keep it as a version to begin trainings with.

    The same file again gives the version that is there. Raises Unreadable, and then nothing is kept.
    """
    exported = _read(file)
    checksum = _checksum(file)
    with transaction.atomic():
        known = ModelVersion.objects.filter(state=ModelVersion.State.FOREIGN, weights_checksum=checksum)
        if version := known.order_by("pk").first():
            return version
        version = ModelVersion.objects.create(
            state=ModelVersion.State.FOREIGN,
            config={"model": asdict(exported.config)},
            origin={
                **exported.origin,
                "file": name.rpartition("/")[2][:LONGEST],
                "encoder": exported.encoder,
                "products": len(exported.keys),
                "attribute_values": {attribute: len(values) for attribute, values in exported.labels.items()},
                "kinds": list(exported.kinds),
            },
            weights=checksum,  # until it has a number to be named by
            weights_checksum=checksum,
            created_by=by,
            finished_at=at,
        )
        version.weights = artifacts.weights_name(version.pk)
        version.save(update_fields=["weights"])
        artifacts.save_file(version.weights, file)
        return version


def load(version: ModelVersion) -> Exported:
    """What was kept. Raises ArtifactDamaged or Unreadable."""
    return _read(io.BytesIO(artifacts.load_bytes(version.weights, version.weights_checksum)))


def _read(file: "IO[bytes] | File[bytes]") -> Exported:
    try:
        return Exported.read(file)
    except NotSuchAFile as error:
        raise Unreadable(
            _("This is no exported version. Remedy: have it written by manage.py export_version.")
        ) from error
    except OtherFormat as error:
        raise Unreadable(
            _(
                "The file has format %(found)s; this release reads %(known)s. "
                "Remedy: use the same release of Because on both sides."
            )
            % {"found": error, "known": FORMAT}
        ) from error
    except Damaged as error:
        raise Unreadable(
            _("The file is damaged: %(problem)s. Remedy: copy it again, or export it again.") % {"problem": error}
        ) from error


def _checksum(file: "IO[bytes] | File[bytes]") -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while part := file.read(1 << 20):
        digest.update(part)
    return digest.hexdigest()
