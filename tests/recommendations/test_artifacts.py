import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import IntegrityError
from pytest_django.fixtures import Settings

from recommendations import artifacts
from recommendations.artifacts import ArtifactDamaged, load_bytes, save_bytes
from recommendations.models import ArtifactChunk

FIVE_MEGABYTES = bytes(range(256)) * (5 << 12)


def test_what_is_saved_is_loaded_chunk_by_chunk(db: None) -> None:
    checksum = save_bytes("versions/1/weights", FIVE_MEGABYTES)

    assert checksum == hashlib.sha256(FIVE_MEGABYTES).hexdigest()
    assert load_bytes("versions/1/weights", checksum) == FIVE_MEGABYTES
    sizes = [len(data) for data in ArtifactChunk.objects.order_by("index").values_list("data", flat=True)]
    assert sizes == [2 << 20, 2 << 20, 1 << 20, 0]
    assert storages["artifacts"].size("versions/1/weights") == 5 << 20


def test_nothing_is_an_artifact_too(db: None) -> None:
    checksum = save_bytes("versions/1/weights", b"")

    assert load_bytes("versions/1/weights", checksum) == b""


def test_saving_again_replaces(db: None) -> None:
    save_bytes("versions/1/weights", FIVE_MEGABYTES)
    checksum = save_bytes("versions/1/weights", b"shorter")

    assert load_bytes("versions/1/weights", checksum) == b"shorter"
    assert ArtifactChunk.objects.count() == 2


def test_a_save_that_fails_leaves_what_was_there(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    checksum = save_bytes("versions/1/weights", b"first")

    def cut_off(self: "ContentFile[bytes]", chunk_size: int | None = None) -> object:
        yield b"sec"
        raise ConnectionResetError

    monkeypatch.setattr(ContentFile, "chunks", cut_off)
    with pytest.raises(ConnectionResetError):
        save_bytes("versions/1/weights", b"second")

    assert load_bytes("versions/1/weights", checksum) == b"first"


def _flip_a_bit() -> None:
    chunk = ArtifactChunk.objects.get(index=1)
    chunk.data = bytes([chunk.data[0] ^ 1]) + bytes(chunk.data[1:])
    chunk.save()


def _lose_the_middle() -> None:
    ArtifactChunk.objects.filter(index=1).delete()


def _lose_the_end() -> None:
    ArtifactChunk.objects.filter(index=3).delete()


def _swap_two() -> None:
    ArtifactChunk.objects.filter(index=0).update(index=9)
    ArtifactChunk.objects.filter(index=1).update(index=0)
    ArtifactChunk.objects.filter(index=9).update(index=1)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (_flip_a_bit, "chunk 1 of versions/1/weights does not match its checksum"),
        (_lose_the_middle, "versions/1/weights lacks a chunk: it has [0, 2, 3]"),
        (_lose_the_end, "versions/1/weights lacks its end"),
        (_swap_two, "chunk 3 of versions/1/weights does not match its checksum"),
    ],
)
def test_damage_is_noticed_before_the_first_byte(db: None, harm: Callable[[], None], message: str) -> None:
    save_bytes("versions/1/weights", os.urandom(5 << 20))
    harm()

    with pytest.raises(ArtifactDamaged) as raised:
        storages["artifacts"].open("versions/1/weights")

    assert str(raised.value) == message


def test_other_bytes_than_recorded_are_refused(db: None) -> None:
    save_bytes("versions/1/weights", b"another training's")

    with pytest.raises(ArtifactDamaged, match="another checksum than recorded"):
        load_bytes("versions/1/weights", hashlib.sha256(b"ours").hexdigest())


def test_an_unknown_artifact_is_not_found(db: None) -> None:
    with pytest.raises(FileNotFoundError, match="no artifact versions/9/weights"):
        load_bytes("versions/9/weights", "")


def test_artifacts_are_listed_by_version(db: None) -> None:
    for name in (artifacts.weights_name(1), artifacts.checkpoint_name(1), artifacts.weights_name(22)):
        save_bytes(name, b"x")

    assert artifacts.by_version() == {
        "1": ["versions/1/checkpoint", "versions/1/weights"],
        "22": ["versions/22/weights"],
    }


def test_a_storage_that_renames_is_refused(tmp_path: Path, settings: Settings) -> None:
    storage = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = {**settings.STORAGES, "artifacts": storage}
    save_bytes("weights", b"first")

    with pytest.raises(ImproperlyConfigured, match="Remedy: choose one that overwrites"):
        save_bytes("weights", b"second")


def test_trainer_and_server_share_no_disk(process_environment: dict[str, str], tmp_path: Path) -> None:
    """Another process in another folder, which knows nothing but the database, reads what this one saved."""
    checksum = save_bytes("versions/1/weights", FIVE_MEGABYTES)
    program = (
        "import django; django.setup(); import sys; from recommendations.artifacts import load_bytes; "
        "print(len(load_bytes('versions/1/weights', sys.argv[1])))"
    )

    run = subprocess.run(
        [sys.executable, "-c", program, checksum],
        env=process_environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert run.stdout == f"{5 << 20}\n"
    assert list(tmp_path.iterdir()) == []


def test_a_name_has_one_chunk_per_index(db: None) -> None:
    save_bytes("versions/1/weights", b"x")

    with pytest.raises(IntegrityError):
        ArtifactChunk.objects.create(name="versions/1/weights", index=0, data=b"", checksum="")
