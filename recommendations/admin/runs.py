"""Runs with their shards: progress, publishing, rolling back."""

from typing import Any

from django.contrib import admin
from django.db import IntegrityError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.admin_acts import Act, Refused, ask
from catalog.admin_links import list_url, row_link, row_url, tag
from catalog.batch_written import BatchWritten
from recommendations import figures, services, standing
from recommendations.models import Run, Shard, Slate


@admin.register(Run)
class RunAdmin(BatchWritten[Run]):
    list_display = ("name", "state_tag", "version_link", "as_of", "created_at", "took", "published_at", "published_by")
    list_filter = ("state", "version")
    list_select_related = ("version", "published_by")
    search_fields = ("=id",)
    search_help_text = gettext_lazy("Number of the run.")
    ordering = ("-id",)
    change_form_template = "admin/recommendations/run/facts.html"
    change_list_template = "admin/recommendations/run/list.html"

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("roll-back/", wrap(self.roll_back), name="recommendations_run_roll_back"),
            path("<int:pk>/publish/", wrap(self.publish), name="recommendations_run_publish"),
            *super().get_urls(),
        ]

    @admin.display(description=gettext_lazy("run"), ordering="id")
    def name(self, run: Run) -> str:
        return str(run)

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state_tag(self, run: Run) -> str:
        return tag(run.state, run.get_state_display())

    @admin.display(description=gettext_lazy("model version"), ordering="version")
    def version_link(self, run: Run) -> str:
        return row_link(run.version)

    @admin.display(description=gettext_lazy("took"))
    def took(self, run: Run) -> str:
        return standing.took(run.created_at, run.ready_at)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        extra = {
            "may_roll_back": request.user.has_perm("recommendations.roll_back_run"),
            "may_precompute": request.user.has_perm("recommendations.add_run"),
        }
        return super().changelist_view(request, extra | (extra_context or {}))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        run: Run = context["original"]
        now = timezone.now()
        context |= {
            "title": _("Run %(number)d") % {"number": run.pk},
            "subtitle": None,
            "is_moving": run.state == Run.State.COMPUTING,
            "progress": standing.of_run(run, now),
            "took": standing.took(run.created_at, run.ready_at or now),
            "cause_chart": figures.cause_chart(run),
            "coverage": [table] if (table := figures.coverage(run)) else [],
            "verified_share": figures.verified_share(run),
            "summary_tables": figures.other_summary(run),
            "version_url": row_url(run.version),
            "shards_url": list_url(Shard, run__id__exact=run.pk),
            "slates_url": list_url(Slate, run__id__exact=run.pk),
            "is_comparable": run.state in {Run.State.READY, Run.State.RETIRED},
            "may_publish": run.state in {Run.State.READY, Run.State.RETIRED}
            and request.user.has_perm("recommendations.publish_run"),
            "may_roll_back": run.state == Run.State.LIVE and request.user.has_perm("recommendations.roll_back_run"),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def publish(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Asked for on the page that compares it with the live run; done by POST."""
        run = get_object_or_404(Run.objects.select_related("version"), pk=pk)
        if request.method != "POST":
            return redirect(
                "admin:explanations_promotion", run.pk
            )  # the last app sees the reasons too; this knows its name

        def do() -> tuple[Model, str, str]:
            try:
                services.publish(run=run, by=request.user, at=timezone.now())  # type: ignore[arg-type]  # signed in
            except services.NotPublishable as error:
                unready = _(
                    "This run cannot be published: it is live already, not complete, or a slate has no explanation."
                )
                raise Refused(" ".join(error.objections) or unready) from error
            except IntegrityError as error:
                raise Refused(_("Another run was published at the same moment.")) from error
            return run, _("Run %(number)d is live.") % {"number": run.pk}, row_url(run)

        act = Act(
            title=_("Publish run %(number)d") % {"number": run.pk},
            lines=[],
            button=_("Publish"),
            permission="recommendations.publish_run",
            do=do,
            back=row_url(run),
        )
        return ask(self, request, act)

    def roll_back(self, request: HttpRequest) -> HttpResponse:
        def do() -> tuple[Model, str, str]:
            try:
                run = services.roll_back(by=request.user, at=timezone.now())  # type: ignore[arg-type]  # signed in
            except services.NothingToRollBackTo as error:
                raise Refused(_("There is no earlier run to go back to.")) from error
            except services.NotPublishable as error:
                raise Refused(_("The earlier run is not complete any more.")) from error
            return run, _("Run %(number)d is live again.") % {"number": run.pk}, row_url(run)

        live = Run.objects.live().first()
        act = Act(
            title=_("Roll back"),
            lines=[
                _("The run that was live before takes the place of the live one at once; the live one is kept."),
                _("Live now: run %(number)d.") % {"number": live.pk} if live else _("Nothing is live now."),
            ],
            button=_("Roll back"),
            permission="recommendations.roll_back_run",
            do=do,
            back=list_url(Run),
            is_dangerous=True,
        )
        return ask(self, request, act)


@admin.register(Shard)
class ShardAdmin(BatchWritten[Shard]):
    list_display = (
        "id",
        "run_link",
        "number",
        "kind",
        "state_tag",
        "slates",
        "seconds",
        "attempts",
        "leased_until",
        "error",
    )
    list_filter = ("state", "kind", "run")
    search_fields = ("=run__id",)
    search_help_text = gettext_lazy("Number of the run.")
    list_select_related = ("run",)
    ordering = ("-id",)
    list_max_show_all = 1000

    @admin.display(description=gettext_lazy("run"), ordering="run")
    def run_link(self, shard: Shard) -> str:
        return row_link(shard.run)

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state_tag(self, shard: Shard) -> str:
        return tag(shard.state, shard.get_state_display())
