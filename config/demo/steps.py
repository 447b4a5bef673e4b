"""The demo's steps up to its start as data: each knows whether it is done, and does it."""

from collections.abc import Callable
from dataclasses import dataclass

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from catalog.demo_shop import load
from catalog.importing.progress import Progress
from catalog.models import Import
from catalog.services import shop_partner
from config import schedule
from config.demo import accounts
from config.demo.console import Console
from recommendations import services
from recommendations.models import ModelVersion, Run


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """Something to do once."""

    title: str
    is_done: Callable[[], bool]
    run: Callable[[Console], None]


def _is_migrated() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def _migrate(console: Console) -> None:
    call_command("migrate", verbosity=0, interactive=False)


def _create_staff(console: Console) -> None:
    accounts.create_staff()


def _is_imported() -> bool:
    finished = Import.objects.filter(partner=shop_partner(), state=Import.State.FINISHED)
    return set(finished.values_list("filename", flat=True)) >= {load.PRODUCTS, load.INTERACTIONS}


def _import(console: Console) -> None:
    def report(progress: Progress) -> None:
        total = f" of {progress.total:,} rows" if progress.total else ""
        console.progress(f"{progress.phase} {progress.done:,}{total}")

    loaded = load.load_demo_shop(partner=shop_partner(), progress=report)
    for ended in (loaded.products, loaded.interactions):
        seconds = (ended.finished_at - ended.started_at).total_seconds() if ended.finished_at else 0.0
        speed = f"{ended.rows_read / seconds:,.0f} rows/s" if seconds else ""
        console.say(
            f"  {ended.filename}: {ended.rows_read:,} rows read, {ended.rows_rejected:,} rejected "
            f"with their reason, {ended.rows_known:,} known already; {speed}"
        )


def _create_shoppers(console: Console) -> None:
    accounts.create_shoppers()


def _install_schedule(console: Console) -> None:
    schedule.install()


def _is_model_on_its_way() -> bool:
    return (
        Run.objects.live().exists()
        or ModelVersion.objects.unfinished().exists()
        or ModelVersion.objects.passed().filter(is_publish_wanted=True).exists()
    )


def _request_model(console: Console) -> None:
    services.retrain(by=None, at=timezone.now(), publish_when_ready=True)


STEPS = (
    Step(title="Database schema", is_done=_is_migrated, run=_migrate),
    Step(title="Staff account and partner key", is_done=accounts.has_staff, run=_create_staff),
    Step(title="Import of the demo shop", is_done=_is_imported, run=_import),
    Step(title="Accounts of shoppers", is_done=accounts.has_shoppers, run=_create_shoppers),
    Step(title="Schedule", is_done=schedule.is_installed, run=_install_schedule),
    Step(title="Training asked for", is_done=_is_model_on_its_way, run=_request_model),
)
