"""What is wrong with an installation, and how to mend it: one function a question, read by doctor and /readyz."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

import kombu.exceptions
import redis
from celery import current_app
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from config.beat import SEEN_KEY
from explanations.rewriting import folder
from recommendations.models import Run

QUEUES = ("default", "realtime", "precompute", "gpu")
STALE_RUN = timedelta(hours=48)  # the schedule publishes every night
GIGABYTE = 1 << 30
SECONDS = 2.0  # how long a worker may take to answer


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """The answer to one question, with the remedy unless all is well."""

    check: str
    level: Level
    detail: str
    remedy: str = ""


def database(at: datetime) -> Finding:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('server_version'), current_database()")
            version, name = cursor.fetchone()
            unapplied = MigrationExecutor(connection).migration_plan(
                MigrationExecutor(connection).loader.graph.leaf_nodes()
            )
    except DatabaseError as error:
        return _broken("database", f"no answer: {_one_line(error)}", "start PostgreSQL, or correct DATABASE_URL")
    if unapplied:
        return _broken("database", f"{len(unapplied)} migrations are not applied", "python manage.py migrate")
    return _well("database", f"PostgreSQL {version}, {name}, all migrations applied")


def extensions(at: datetime) -> Finding:
    """pg_trgm carries the search; vector is for catalogues too large for exact search."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM pg_available_extensions WHERE name IN ('pg_trgm', 'vector')")
            available = {name for (name,) in cursor.fetchall()}
            cursor.execute("SELECT extname FROM pg_extension")
            installed = {name for (name,) in cursor.fetchall()}
    except DatabaseError as error:
        return _broken("extensions", f"not known: {_one_line(error)}", "mend the database first")
    if "pg_trgm" not in installed:
        package = "python manage.py migrate" if "pg_trgm" in available else "install postgresql-contrib, then migrate"
        return _broken("extensions", "pg_trgm is missing: no search in titles", package)
    if "vector" not in available:
        return Finding(
            check="extensions",
            level=Level.WARNING,
            detail="pg_trgm is installed; vector (pgvector) is not available",
            remedy="only needed for more than about 100,000 products: install pgvector on the database server",
        )
    return _well("extensions", "pg_trgm is installed, vector is " + ("too" if "vector" in installed else "available"))


def broker(at: datetime) -> Finding:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=SECONDS, socket_connect_timeout=SECONDS) as client:
            version = client.info("server")["redis_version"]
    except redis.RedisError as error:
        return _broken("broker", f"no answer: {_one_line(error)}", "start Valkey or Redis, or correct REDIS_URL")
    return _well("broker", f"answers, speaks the protocol of Redis {version}")


def workers(at: datetime) -> Finding:
    try:
        answers = current_app.control.inspect(timeout=SECONDS).active_queues() or {}
    except (kombu.exceptions.OperationalError, redis.RedisError) as error:
        return _broken("workers", f"not known: {_one_line(error)}", "mend the broker first")
    served = {queue["name"] for queues in answers.values() for queue in queues}
    missing = [queue for queue in QUEUES if queue not in served]
    if missing:
        queues = ",".join(missing)
        return _broken("workers", f"nobody serves: {', '.join(missing)}", f"celery -A config worker -Q {queues}")
    return _well("workers", f"{len(answers)} serve {', '.join(QUEUES)}")


def beat(at: datetime) -> Finding:
    try:
        seen_at = cache.get(SEEN_KEY)
    except redis.RedisError as error:
        return _broken("beat", f"not known: {_one_line(error)}", "mend the broker first")
    if seen_at is None:
        return _broken("beat", "no sign of life: nothing is retrained or cleaned up", "celery -A config beat")
    return _well("beat", f"seen {_age(at - datetime.fromisoformat(seen_at))} ago")


def live_run(at: datetime) -> Finding:
    try:
        run = Run.objects.live().select_related("version").first()
    except DatabaseError as error:
        return _broken("live run", f"not known: {_one_line(error)}", "mend the database first")
    if run is None or run.published_at is None:
        return _broken(
            "live run", "nothing is published: pages show no recommendations", "make demo, or the admin: retrain"
        )
    age = at - run.published_at
    detail = f"{run} of model version {run.version_id}, published {_age(age)} ago"
    if age > STALE_RUN:
        remedy = "look at the newest model version and run in the admin: the nightly retraining fails or does not run"
        return Finding(check="live run", level=Level.WARNING, detail=detail, remedy=remedy)
    return _well("live run", detail)


def translations(at: datetime) -> Finding:
    """Every language but the source language has its compiled catalogue."""
    missing = [
        code
        for code, _ in settings.LANGUAGES
        if not code.startswith("en") and not any(_catalogue(folder, code).exists() for folder in settings.LOCALE_PATHS)
    ]
    if missing:
        remedy = "restore config/locale from the repository"
        return _broken("translations", f"no compiled catalogue for {', '.join(missing)}", remedy)
    return _well("translations", ", ".join(code for code, _ in settings.LANGUAGES))


def disk(at: datetime) -> Finding:
    folder = settings.LOCAL_DIR if settings.LOCAL_DIR.exists() else settings.BASE_DIR
    free = shutil.disk_usage(folder).free
    detail = f"{free / GIGABYTE:.1f} GB free at {folder}"
    if free < 5 * GIGABYTE:
        level = Level.ERROR if free < GIGABYTE else Level.WARNING
        remedy = "make room: PostgreSQL stops when the disk is full"
        return Finding(check="disk", level=level, detail=detail, remedy=remedy)
    return _well("disk", detail)


def rewriting(at: datetime) -> Finding:
    """Whether what rewords the lines is there; an endpoint is not asked."""
    if settings.REWRITING_FOLDER:
        try:
            folder.examine(settings.REWRITING_FOLDER)
        except folder.Unusable as error:
            return _broken("rewriting", error.detail, error.remedy)
        return _well("rewriting", f"by the model in {settings.REWRITING_FOLDER}")
    return _well("rewriting", f"by {settings.REWRITING_URL}" if settings.REWRITING_URL else "off")


CHECKS: tuple[Callable[[datetime], Finding], ...] = (
    database,
    extensions,
    broker,
    workers,
    beat,
    live_run,
    translations,
    disk,
    rewriting,
)


def _well(check: str, detail: str) -> Finding:
    return Finding(check=check, level=Level.OK, detail=detail)


def _broken(check: str, detail: str, remedy: str) -> Finding:
    return Finding(check=check, level=Level.ERROR, detail=detail, remedy=remedy)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _age(age: timedelta) -> str:
    seconds = max(int(age.total_seconds()), 0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _catalogue(folder: Path, code: str) -> Path:
    language, _, script = code.partition("-")
    name = f"{language}_{script.title()}" if script else language
    return Path(folder) / name / "LC_MESSAGES" / "django.mo"
