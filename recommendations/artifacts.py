"""Weights and checkpoints travel through one storage, so that trainer and server share no disk."""

import hashlib
import tempfile
from collections.abc import Iterator
from datetime import datetime
from typing import IO, Any, cast

from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage, storages
from django.db import connection, transaction
from django.db.models import Max, Sum
from django.db.models.functions import Length

from recommendations.models import ArtifactChunk

CHUNK_BYTES = 2 << 20
IN_MEMORY_BYTES = 32 << 20  # larger artifacts are spooled to a temporary file when read


class ArtifactDamaged(Exception):
    """What is stored is not what was saved; the message says which artifact and which part."""


def weights_name(version_id: int) -> str:
    return f"versions/{version_id}/weights"


def checkpoint_name(version_id: int) -> str:
    return f"versions/{version_id}/checkpoint"


def save_bytes(name: str, data: bytes) -> str:
    """Store `data` under `name`, replacing what was there in one step, and return its SHA-256."""
    _save(name, ContentFile(data))
    return hashlib.sha256(data).hexdigest()


def save_file(name: str, file: IO[bytes]) -> None:
    """Store what `file` holds from its beginning under `name`, a chunk at a time, replacing what was there."""
    file.seek(0)
    _save(name, File(file))


def _save(name: str, content: "File[bytes]") -> None:
    stored = storages["artifacts"].save(name, content)
    if stored != name:
        raise ImproperlyConfigured(
            f"The artifact storage renamed {name} to {stored}. Remedy: choose one that overwrites, see ARTIFACT_STORAGE"
        )


def open_file(name: str) -> IO[bytes] | None:
    """What was stored under `name`, checked by its chunks' own checksums; None where there is nothing."""
    try:
        return cast(IO[bytes], storages["artifacts"].open(name))
    except FileNotFoundError:
        return None


def load_bytes(name: str, checksum: str) -> bytes:
    """What was stored under `name`. Raises FileNotFoundError, or ArtifactDamaged when it is not what was saved."""
    with storages["artifacts"].open(name) as file:
        data = cast(bytes, file.read())
    if hashlib.sha256(data).hexdigest() != checksum:
        raise ArtifactDamaged(f"{name} has another checksum than recorded")
    return data


def delete(name: str) -> None:
    """Forget an artifact; nothing happens when there is none."""
    storages["artifacts"].delete(name)


def by_version() -> dict[str, list[str]]:
    """The names of all artifacts, by the id of their version."""
    storage = storages["artifacts"]
    folders, _ = storage.listdir("versions")
    return {
        folder: [f"versions/{folder}/{name}" for name in storage.listdir(f"versions/{folder}")[1]] for folder in folders
    }


class PostgresStorage(Storage):
    """Django storage in rows of `ArtifactChunk`.

    Each chunk carries its own checksum. The last one is empty and carries that of the whole, so that a
    missing end is noticed too. Saving replaces all chunks in one transaction; readers see the old or the new.
    """

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """Saving overwrites."""
        return name

    def _save(self, name: str, content: "File[Any]") -> str:
        whole = hashlib.sha256()
        with transaction.atomic(), connection.cursor() as cursor:
            # Two writers of one name: the later one replaces.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
            ArtifactChunk.objects.filter(name=name).delete()
            index = 0
            for data in content.chunks(CHUNK_BYTES):
                if data:
                    self._insert(name=name, index=index, data=data, checksum=hashlib.sha256(data).hexdigest())
                    whole.update(data)
                    index += 1
            self._insert(name=name, index=index, data=b"", checksum=whole.hexdigest())
        return name

    @staticmethod
    def _insert(*, name: str, index: int, data: bytes, checksum: str) -> None:
        ArtifactChunk.objects.create(name=name, index=index, data=data, checksum=checksum)

    def _open(self, name: str, mode: str = "rb") -> "File[bytes]":
        if mode != "rb":
            raise ValueError(f"artifacts are opened for reading only, not {mode!r}; use save")
        # Checked to the last byte before the first one is handed out; the caller closes the file.
        spool = cast(IO[bytes], tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES))  # noqa: SIM115
        try:
            for data in self._checked_chunks(name):
                spool.write(data)
        except BaseException:
            spool.close()
            raise
        spool.seek(0)
        return File(spool, name)

    @staticmethod
    def _checked_chunks(name: str) -> Iterator[bytes]:
        """Chunk by chunk, by primary key: a chunk of another generation cannot slip in between."""
        keys = list(ArtifactChunk.objects.filter(name=name).order_by("index").values_list("pk", "index"))
        if not keys:
            raise FileNotFoundError(f"no artifact {name}")
        if [index for _, index in keys] != list(range(len(keys))):
            raise ArtifactDamaged(f"{name} lacks a chunk: it has {[index for _, index in keys]}")
        whole = hashlib.sha256()
        for pk, index in keys:
            chunk = ArtifactChunk.objects.filter(pk=pk).values_list("data", "checksum").first()
            if chunk is None:
                raise ArtifactDamaged(f"{name} was replaced while it was read")
            data, checksum = bytes(chunk[0]), chunk[1]
            whole.update(data)
            is_end = index == len(keys) - 1
            if is_end and data:
                raise ArtifactDamaged(f"{name} lacks its end")
            if checksum != (whole if is_end else hashlib.sha256(data)).hexdigest():
                raise ArtifactDamaged(f"chunk {index} of {name} does not match its checksum")
            yield data

    def delete(self, name: str) -> None:
        ArtifactChunk.objects.filter(name=name).delete()

    def exists(self, name: str) -> bool:
        return ArtifactChunk.objects.filter(name=name).exists()

    def size(self, name: str) -> int:
        total = ArtifactChunk.objects.filter(name=name).aggregate(total=Sum(Length("data")))["total"]
        if total is None:
            raise FileNotFoundError(f"no artifact {name}")
        return int(total)

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Folders and names directly below `path`."""
        prefix = f"{path.rstrip('/')}/" if path else ""
        names = ArtifactChunk.objects.filter(name__startswith=prefix, index=0).values_list("name", flat=True)
        below = [name.removeprefix(prefix) for name in names]
        folders = sorted({name.partition("/")[0] for name in below if "/" in name})
        return folders, sorted(name for name in below if "/" not in name)

    def get_modified_time(self, name: str) -> datetime:
        saved_at = ArtifactChunk.objects.filter(name=name).aggregate(at=Max("created_at"))["at"]
        if saved_at is None:
            raise FileNotFoundError(f"no artifact {name}")
        return cast(datetime, saved_at)

    def get_created_time(self, name: str) -> datetime:
        return self.get_modified_time(name)
