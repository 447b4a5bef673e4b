"""Imports: upload, progress, what was rejected, resume and revert."""

import zoneinfo
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.admin_acts import Act, Refused, ask
from catalog.admin_links import list_url, pretty_json, row_link, row_url, tag
from catalog.batch_written import BatchWritten
from catalog.importing import services, uploads
from catalog.models import Import, ImportRejection, Interaction, Partner
from catalog.paging import BigTableAdmin

WORKING = {Import.State.STAGING, Import.State.MERGING}
PERMISSION = "catalog.add_import"


class UploadForm(forms.Form):
    kind = forms.ChoiceField(label=gettext_lazy("What it holds"), choices=Import.Kind.choices)
    partner = forms.ModelChoiceField(
        label=gettext_lazy("Partner"),
        queryset=Partner.objects.filter(is_active=True).order_by("name"),
        help_text=gettext_lazy("Who sent it. A partner sees only its own shoppers."),
    )
    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy("CSV or Parquet, also compressed with gzip; columns are recognised by their headings."),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.gz,.parquet,.pq,.tsv,.txt"}),
    )
    time_zone = forms.CharField(
        label=gettext_lazy("Time zone"),
        required=False,
        help_text=gettext_lazy("Of times that do not say, like Europe/London. Empty is UTC."),
    )
    is_dry_run = forms.BooleanField(
        label=gettext_lazy("Dry run"), required=False, help_text=gettext_lazy("Check everything, import nothing.")
    )
    is_strict = forms.BooleanField(
        label=gettext_lazy("Strict"), required=False, help_text=gettext_lazy("One bad row rejects the whole file.")
    )

    def clean_time_zone(self) -> str:
        name = str(self.cleaned_data["time_zone"]).strip()
        if name and name not in zoneinfo.available_timezones():
            raise forms.ValidationError(_("“%(name)s” is no time zone.") % {"name": name})
        return name


@admin.register(Import)
class ImportAdmin(BatchWritten[Import]):
    list_display = (
        "id",
        "filename",
        "kind",
        "state_tag",
        "rows_read",
        "rows_merged",
        "rejected_link",
        "started_at",
        "partner",
        "started_by",
    )
    list_display_links = ("id", "filename")
    list_filter = ("state", "kind", "is_dry_run", "partner")
    list_select_related = ("partner", "started_by")
    search_fields = ("filename",)
    search_help_text = gettext_lazy("Name of the file.")
    ordering = ("-id",)
    change_form_template = "admin/catalog/import/facts.html"
    change_list_template = "admin/catalog/import/list.html"
    fields = (
        "partner", "kind", "filename", "file_format", "is_strict", "is_dry_run", "state", "rows_read", "rows_accepted",
        "rows_known", "rows_rejected", "rows_merged", "merged_through", "options_text", "error", "started_at",
        "heartbeat_at", "finished_at", "started_by",
    )  # fmt: skip
    readonly_fields = ("options_text",)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("upload/", wrap(self.upload), name="catalog_import_upload"),
            path("<int:pk>/rejected.csv", wrap(self.rejected), name="catalog_import_rejected"),
            path("<int:pk>/resume/", wrap(self.resume), name="catalog_import_resume"),
            path("<int:pk>/revert/", wrap(self.revert), name="catalog_import_revert"),
            *super().get_urls(),
        ]

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state_tag(self, row: Import) -> str:
        return tag(row.state, row.get_state_display())

    @admin.display(description=gettext_lazy("rows rejected"), ordering="rows_rejected")
    def rejected_link(self, row: Import) -> str:
        url = list_url(ImportRejection, source__id__exact=row.pk)
        return format_html('<a href="{}">{}</a>', url, row.rows_rejected)

    @admin.display(description=gettext_lazy("options"))
    def options_text(self, row: Import) -> str:
        return pretty_json(row.options)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        may_upload = request.user.has_perm(PERMISSION)
        return super().changelist_view(request, {"may_upload": may_upload, **(extra_context or {})})

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        row: Import = context["original"]
        is_working = row.state in WORKING and not row.error
        may_act = request.user.has_perm(PERMISSION)
        seconds = ((row.finished_at or row.heartbeat_at or timezone.now()) - row.started_at).total_seconds()
        context |= {
            "title": row.filename,
            "subtitle": None,
            "is_moving": is_working,
            "done": row.merged_through if row.state == Import.State.MERGING else row.rows_read,
            "rate": row.rows_read / seconds if seconds >= 1 else None,
            "problems": sorted(row.rejection_counts.items(), key=lambda pair: -pair[1]),
            "samples": row.rejections.order_by("row", "pk")[:10],
            "rejections_url": list_url(ImportRejection, source__id__exact=row.pk),
            "interactions_url": list_url(Interaction, source__id__exact=row.pk),
            "may_resume": may_act and row.state in WORKING,
            "may_revert": may_act
            and row.state != Import.State.REVERTED
            and not (row.kind == Import.Kind.PRODUCTS and row.state == Import.State.FINISHED),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def upload(self, request: HttpRequest) -> HttpResponse:
        """The form; sending it keeps the file, starts the import and leads to its progress."""
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            given = form.cleaned_data
            source = uploads.start_upload(
                kind=Import.Kind(given["kind"]),
                partner=given["partner"],
                file=given["file"],
                time_zone=given["time_zone"],
                is_strict=given["is_strict"],
                is_dry_run=given["is_dry_run"],
                by=request.user,  # type: ignore[arg-type]  # admin_view lets nobody in who is not signed in
                at=timezone.now(),
            )
            self.log_addition(request, source, "Uploaded.")
            self.message_user(request, _("“%(file)s” is being imported.") % {"file": source.filename}, messages.SUCCESS)
            return redirect(row_url(source))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Import a file"),
            "form": form,
        }
        return TemplateResponse(request, "admin/catalog/import/upload.html", context)

    def rejected(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The rejected rows as a CSV file, streamed."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        source = get_object_or_404(Import, pk=pk)
        response = StreamingHttpResponse(
            services.rejection_report(source=source), content_type="text/csv; charset=utf-8"
        )
        response["Content-Disposition"] = f'attachment; filename="import-{source.pk}-rejected.csv"'
        return response

    def resume(self, request: HttpRequest, pk: int) -> HttpResponse:
        source = get_object_or_404(Import, pk=pk)

        def do() -> tuple[Model, str, str]:
            if source.state not in WORKING:
                raise Refused(_("This import has ended."))
            uploads.request_resume(source=source)
            return source, _("Going on with “%(file)s”.") % {"file": source.filename}, row_url(source)

        act = Act(
            title=_("Resume the import of “%(file)s”") % {"file": source.filename},
            lines=[_("It goes on where it stopped. If a worker is still at it, nothing happens twice.")],
            button=_("Resume"),
            permission=PERMISSION,
            do=do,
            back=row_url(source),
        )
        return ask(self, request, act)

    def revert(self, request: HttpRequest, pk: int) -> HttpResponse:
        source = get_object_or_404(Import, pk=pk)

        def do() -> tuple[Model, str, str]:
            try:
                uploads.request_revert(source=source)
            except services.NotRevertible as error:
                raise Refused(
                    _("The earlier values of products are not kept. Import the file that had them again.")
                ) from error
            return source, _("“%(file)s” is being taken back.") % {"file": source.filename}, row_url(source)

        act = Act(
            title=_("Revert the import of “%(file)s”") % {"file": source.filename},
            lines=[
                _("What this file brought is hidden at once, and then deleted. No reason cites it any more."),
                _("The file can be imported again."),
            ],
            button=_("Revert"),
            permission=PERMISSION,
            do=do,
            back=row_url(source),
            is_dangerous=True,
        )
        return ask(self, request, act)


@admin.register(ImportRejection)
class ImportRejectionAdmin(BatchWritten[ImportRejection], BigTableAdmin[ImportRejection]):
    list_display = ("row", "source_link", "field", "value", "code", "remedy")
    list_select_related = ("source",)
    search_fields = ("code__exact",)
    search_help_text = gettext_lazy("A whole code, like bad_time.")

    @admin.display(description=gettext_lazy("import"))
    def source_link(self, rejection: ImportRejection) -> str:
        return row_link(rejection.source)
