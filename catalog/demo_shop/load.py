"""Puts the demo shop into the catalogue, through the same imports that a real shop uses."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from catalog.demo_shop import categories, prepare
from catalog.importing import services
from catalog.importing.progress import Progress, Report, silent
from catalog.models import Category, Import, Partner
from catalog.sensitive import is_sensitive

PRODUCTS = "Online Retail II, products.parquet"
INTERACTIONS = "Online Retail II, interactions.parquet"


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """The two imports of the demo shop, both finished."""

    products: Import
    interactions: Import


def load_demo_shop(*, partner: Partner, progress: Report = silent) -> Loaded:
    """Import groups, products and interactions. What is done is skipped; what was interrupted is resumed.

    The orders are moved on by whole weeks, so that the last ones are of this week or the one before.
    """
    create_groups()
    folder = settings.LOCAL_DIR / "demo_shop"
    products = _load(Import.Kind.PRODUCTS, PRODUCTS, partner, folder / "products.parquet", progress)
    interactions = _load(Import.Kind.INTERACTIONS, INTERACTIONS, partner, folder / "interactions.parquet", progress)
    shutil.rmtree(folder, ignore_errors=True)
    return Loaded(products=products, interactions=interactions)


@transaction.atomic
def create_groups() -> None:
    """The demo shop's groups with both names, sign and colour; what staff changed in an existing one stays."""
    for group in categories.GROUPS:
        parent_path, separator, _name = group.path.rpartition("/")
        Category.objects.get_or_create(
            path=group.path,
            defaults={
                "parent": Category.objects.get(path=parent_path) if separator else None,
                "name_en": group.name_en,
                "name_zh_hans": group.name_zh_hans,
                "glyph": group.glyph,
                "hue": group.hue,
                "is_sensitive": is_sensitive(path=group.path, name_en=group.name_en, name_zh_hans=group.name_zh_hans),
            },
        )


def _load(kind: Import.Kind, filename: str, partner: Partner, path: Path, progress: Report) -> Import:
    before = Import.objects.filter(kind=kind, partner=partner, filename=filename)
    if finished := before.filter(state=Import.State.FINISHED).first():
        return finished
    if not path.exists():
        progress(Progress(phase="preparing", done=0))
        first = Import.objects.filter(filename__in=[PRODUCTS, INTERACTIONS], partner=partner).order_by("pk").first()
        # What is resumed must be the same file: the weeks are those of the first attempt.
        _prepare(path.parent, weeks=prepare.weeks_until(first.started_at if first else timezone.now()))
    if interrupted := before.filter(state__in=[Import.State.STAGING, Import.State.MERGING]).first():
        return services.resume_import(source=interrupted, progress=progress)
    return services.run_import(kind=kind, partner=partner, source=path, filename=filename, progress=progress)


def _prepare(folder: Path, *, weeks: int) -> None:
    """Written beside and renamed, so that a folder that is there is whole."""
    beside = folder.with_name(folder.name + ".partial")
    shutil.rmtree(beside, ignore_errors=True)
    prepare.write_files(into=beside, weeks=weeks)
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)
