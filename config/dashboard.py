"""The first page of the admin: figures, what needs a hand, and where to go. Every number links to what it counts."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.humanize.templatetags.humanize import intcomma
from django.urls import reverse
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from catalog.admin_cards import Alert, Figure
from catalog.admin_links import list_url, row_url
from catalog.models import Import, Interaction, Product, Shopper, User
from catalog.paging import estimated_rows
from config import diagnosis
from explanations.models import Audit
from recommendations.figures import headline
from recommendations.models import ModelVersion, Run, Shard

RECENT = timedelta(days=7)
WAITING = timedelta(minutes=10)  # a queued training that no worker took
Viewer = User | AbstractBaseUser | AnonymousUser


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    label: str
    url: str


def main_links(user: Viewer) -> list[Link]:
    """The pages that staff come for, as far as they may see them."""
    links = [
        ("explanations.view_explanation", _("Inspector"), "admin:explanations_inspector"),
        ("explanations.view_explanation", _("Explanations"), "admin:explanations_dashboard"),
        ("recommendations.view_run", _("Runs"), "admin:recommendations_run_changelist"),
        ("recommendations.view_modelversion", _("Models"), "admin:recommendations_modelversion_changelist"),
        ("catalog.view_import", _("Imports"), "admin:catalog_import_changelist"),
        ("catalog.view_qualityreport", _("Data quality"), "admin:catalog_qualityreport_changelist"),
    ]
    return [Link(label=label, url=reverse(name)) for permission, label, name in links if _may(user, permission)]


def doings(user: Viewer) -> list[Link]:
    """What can be started from here."""
    links = [
        ("recommendations.add_modelversion", _("Train a model"), "admin:recommendations_modelversion_retrain"),
        ("catalog.add_import", _("Import a file"), "admin:catalog_import_upload"),
        ("catalog.add_partnerkey", _("Issue a partner key"), "admin:catalog_partnerkey_add"),
        ("recommendations.roll_back_run", _("Roll back"), "admin:recommendations_run_roll_back"),
    ]
    return [Link(label=label, url=reverse(name)) for permission, label, name in links if _may(user, permission)]


def figures(*, user: Viewer, at: datetime) -> list[Figure]:
    found: list[Figure] = []
    if _may(user, "recommendations.view_run"):
        found.append(_live_run(at))
    for permission, name, model in (
        ("catalog.view_shopper", _("Shoppers"), Shopper),
        ("catalog.view_product", _("Products"), Product),
        ("catalog.view_interaction", _("Interactions"), Interaction),
    ):
        if _may(user, permission):
            count = estimated_rows(model._base_manager.all())
            note = _("estimated") if count >= 10_000 else ""
            found.append(Figure(name=name, value=intcomma(count), note=note, url=list_url(model)))
    if _may(user, "recommendations.view_modelversion"):
        found.append(_last_training(at))
    return found


def _live_run(at: datetime) -> Figure:
    run = Run.objects.live().select_related("version").first()
    if run is None or run.published_at is None:
        return Figure(name=_("Live run"), value=_("none"), note=_("nothing is shown to shoppers"), url=list_url(Run))
    age = _("published %(age)s ago") % {"age": timesince(run.published_at, at, depth=1)}
    return Figure(name=_("Live run"), value=f"{run.pk} · {run.version}", note=age, url=row_url(run))


def _last_training(at: datetime) -> Figure:
    version = ModelVersion.objects.own().order_by("-pk").first()
    if version is None:
        return Figure(name=_("Last training"), value=_("none"), url=list_url(ModelVersion), is_words=True)
    parts = [
        str(version),
        _("%(age)s ago") % {"age": timesince(version.finished_at or version.created_at, at, depth=1)},
    ]
    if (ndcg := headline(version)) is not None:
        parts.append(f"NDCG@10 {ndcg:.4f}")
    return Figure(
        name=_("Last training"),
        value=version.get_state_display(),
        note=" · ".join(parts),
        url=row_url(version),
        is_words=True,
    )


def alerts(*, user: Viewer, at: datetime) -> list[Alert]:
    """What needs a hand, worst first."""
    if not _may(user, "recommendations.view_run"):
        return []
    # Quick questions only: asking the workers takes two seconds, that is the doctor's.
    found = [
        Alert(
            text=f"{finding.check}: {finding.detail}",
            mend=finding.remedy,
            kind="alarm" if finding.level is diagnosis.Level.ERROR else "warning",
        )
        for finding in (check(at) for check in (diagnosis.live_run, diagnosis.broker, diagnosis.beat, diagnosis.disk))
        if finding.level is not diagnosis.Level.OK
    ]
    return sorted(found + _waiting(at) + _failed(at), key=lambda alert: alert.kind != "alarm")


def _waiting(at: datetime) -> list[Alert]:
    found = []
    for run in Run.objects.filter(state=Run.State.READY).order_by("-pk")[:3]:
        text = _("Run %(number)d is ready and waits to be published.") % {"number": run.pk}
        found.append(Alert(text=text, mend=run.error, url=row_url(run)))
    queued = ModelVersion.objects.filter(state=ModelVersion.State.QUEUED, created_at__lt=at - WAITING).count()
    if queued:
        text = ngettext("%(count)d training waits for a worker.", "%(count)d trainings wait for a worker.", queued) % {
            "count": queued
        }
        url = list_url(ModelVersion, state__exact=ModelVersion.State.QUEUED.value)
        found.append(Alert(text=text, mend="celery -A config worker -Q gpu", url=url))
    return found


def _failed(at: datetime) -> list[Alert]:
    found = []
    audit = Audit.objects.filter(run__state=Run.State.LIVE).order_by("-created_at", "-pk").first()
    if audit is not None and not audit.is_passed and audit.acknowledged_at is None:
        text = _("The last audit of explanations failed: nothing is published until somebody has looked at it.")
        found.append(Alert(text=text, mend=audit.failures, url=row_url(audit), kind="alarm"))
    since = at - RECENT
    for run in Run.objects.filter(state=Run.State.FAILED, created_at__gte=since).order_by("-pk")[:3]:
        text = _("Run %(number)d failed.") % {"number": run.pk}
        found.append(Alert(text=text, mend=run.error[:300], url=row_url(run), kind="alarm"))
    bad = [ModelVersion.State.FAILED, ModelVersion.State.REJECTED]
    last = ModelVersion.objects.own().exclude(state__in=[ModelVersion.State.QUEUED, ModelVersion.State.TRAINING])
    version = last.order_by("-pk").first()
    if version is not None and version.state in bad:
        text = _("The last training, %(version)s, did not pass: %(state)s.") % {
            "version": version,
            "state": version.get_state_display(),
        }
        kind = "alarm" if version.state == ModelVersion.State.FAILED else "warning"
        found.append(Alert(text=text, mend=version.error[:300], url=row_url(version), kind=kind))
    shards = Shard.objects.filter(run__state=Run.State.COMPUTING).exclude(error="").count()
    if shards:
        text = ngettext("%(count)d shard is in trouble.", "%(count)d shards are in trouble.", shards) % {
            "count": shards
        }
        found.append(Alert(text=text, url=list_url(Shard, run__state__exact=Run.State.COMPUTING.value)))
    for row in Import.objects.filter(state=Import.State.FAILED, started_at__gte=since).order_by("-pk")[:3]:
        text = _("Import %(import)s failed.") % {"import": row}
        found.append(Alert(text=text, mend=row.error[:300], url=row_url(row), kind="alarm"))
    return found


def _may(user: Viewer, permission: str) -> bool:
    return user.has_perm(permission) if isinstance(user, User | AnonymousUser) else False
