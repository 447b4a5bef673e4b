"""Snapshots, model versions with their training, and stored artifacts."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Model, QuerySet
from django.db.models.functions import Length
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.admin_acts import Act, Refused, ask
from catalog.admin_links import list_url, pretty_json, row_link, row_url, tag
from catalog.batch_written import BatchWritten
from catalog.paging import BigTableAdmin
from recommendations import figures, foreign, services, standing
from recommendations.models import ArtifactChunk, ModelVersion, Snapshot, TextVector, TrainingEpoch
from recommendations.training_form import TrainingForm


@admin.register(Snapshot)
class SnapshotAdmin(BatchWritten[Snapshot]):
    list_display = ("id", "cutoff_at", "validation_from", "test_from", "size", "report_link", "versions_link")
    list_display_links = ("id", "cutoff_at")
    list_select_related = ("report",)
    list_filter = ("cutoff_at",)
    search_fields = ("=id", "checksum")
    search_help_text = gettext_lazy("The number or the checksum of a snapshot.")
    ordering = ("-id",)
    fields = ("cutoff_at", "validation_from", "test_from", "report_link", "counts_text", "checksum", "created_at")
    readonly_fields = ("report_link", "counts_text")

    @admin.display(description=gettext_lazy("interactions"))
    def size(self, snapshot: Snapshot) -> str:
        return f"{snapshot.counts.get('interactions', 0):,}"

    @admin.display(description=gettext_lazy("data-quality report"))
    def report_link(self, snapshot: Snapshot) -> str:
        return row_link(snapshot.report)

    @admin.display(description=gettext_lazy("model versions"))
    def versions_link(self, snapshot: Snapshot) -> str:
        return format_html(
            '<a href="{}">{}</a>', list_url(ModelVersion, snapshot__id__exact=snapshot.pk), _("Model versions")
        )

    @admin.display(description=gettext_lazy("counts"))
    def counts_text(self, snapshot: Snapshot) -> str:
        return pretty_json(snapshot.counts)


LARGEST_UPLOAD = 256 << 20  # bytes: a web process holds the file while it is checked


class VersionFileForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy("As manage.py export_version writes it. Nothing in it is run, whoever made it."),
        widget=forms.ClearableFileInput(attrs={"accept": ".safetensors"}),
    )

    def clean_file(self) -> "UploadedFile[Any]":
        file: UploadedFile[Any] = self.cleaned_data["file"]
        if (file.size or 0) > LARGEST_UPLOAD:
            raise forms.ValidationError(
                _("The file is larger than %(size)s. Remedy: take it in with manage.py import_version.")
                % {"size": filesizeformat(LARGEST_UPLOAD)}
            )
        return file


def _initial(earlier: ModelVersion) -> dict[str, Any]:
    """To train with the same choices; with another shop's, to begin with it too."""
    initial = TrainingForm.initial_from(earlier.config)
    return initial | ({"started_from": earlier.pk} if earlier.state == ModelVersion.State.FOREIGN else {})


@admin.register(ModelVersion)
class ModelVersionAdmin(BatchWritten[ModelVersion]):
    list_display = ("name", "state_tag", "ndcg", "snapshot_link", "seed", "created_at", "duration", "created_by")
    list_filter = ("state", "is_publish_wanted")
    list_select_related = ("snapshot", "created_by")
    search_fields = ("=id", "code_revision", "weights")
    search_help_text = gettext_lazy("Number, code revision or name of the weights.")
    ordering = ("-id",)
    change_form_template = "admin/recommendations/modelversion/facts.html"
    change_list_template = "admin/recommendations/modelversion/list.html"

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("retrain/", wrap(self.retrain), name="recommendations_modelversion_retrain"),
            path("upload/", wrap(self.upload), name="recommendations_modelversion_upload"),
            path("<int:pk>/cancel/", wrap(self.cancel), name="recommendations_modelversion_cancel"),
            path("<int:pk>/precompute/", wrap(self.precompute), name="recommendations_modelversion_precompute"),
            *super().get_urls(),
        ]

    @admin.display(description=gettext_lazy("model version"), ordering="id")
    def name(self, version: ModelVersion) -> str:
        return str(version)

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state_tag(self, version: ModelVersion) -> str:
        return tag(version.state, version.get_state_display())

    @admin.display(description=gettext_lazy("test NDCG@10"))
    def ndcg(self, version: ModelVersion) -> str:
        value = figures.headline(version)
        return "—" if value is None else f"{value:.4f}"

    @admin.display(description=gettext_lazy("snapshot"))
    def snapshot_link(self, version: ModelVersion) -> str:
        return row_link(version.snapshot)

    @admin.display(description=gettext_lazy("took"))
    def duration(self, version: ModelVersion) -> str:
        return standing.took(version.started_at, version.finished_at)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        may_train = request.user.has_perm("recommendations.add_modelversion")
        return super().changelist_view(request, {"may_train": may_train, **(extra_context or {})})

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        version: ModelVersion = context["original"]
        now = timezone.now()
        is_moving = version.state in {ModelVersion.State.QUEUED, ModelVersion.State.TRAINING}
        context |= {
            "title": _("Model version %(number)d") % {"number": version.pk},
            "subtitle": None,
            "is_moving": is_moving,
            "progress": standing.of_training(version),
            "took": standing.took(version.started_at, version.finished_at or now),
            "headline": figures.headline(version),
            "epoch_charts": figures.epoch_charts(version),
            "calibration_charts": figures.calibration_charts(version),
            "contest_chart": figures.contest_chart(version),
            "metric_tables": [
                *figures.contest(version),
                *filter(None, [figures.seeds(version)]),
                *figures.other_metrics(version),
            ],
            "gate_checks": version.gate.get("checks", ()),
            "is_foreign": version.state == ModelVersion.State.FOREIGN,
            "origin_tables": list(figures.tables(version.origin)),
            "config_tables": list(figures.tables(version.config)),
            "runs": list(version.runs.order_by("-pk")[:10]),
            "may_cancel": is_moving
            and version.cancel_requested_at is None
            and request.user.has_perm("recommendations.change_modelversion"),
            "may_precompute": version.state == ModelVersion.State.PASSED
            and request.user.has_perm("recommendations.add_run"),
            "may_train": request.user.has_perm("recommendations.add_modelversion"),
            "snapshot_url": row_url(version.snapshot) if version.snapshot else None,
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def retrain(self, request: HttpRequest) -> HttpResponse:
        """The training form; sending it queues the training and leads to its progress."""
        if not request.user.has_perm("recommendations.add_modelversion"):
            raise PermissionDenied
        number = request.GET.get("from", "")
        earlier = ModelVersion.objects.filter(pk=int(number)).first() if number.isdecimal() else None
        form = TrainingForm(
            request.POST if request.method == "POST" else None,
            initial=_initial(earlier) if earlier else None,
        )
        version = None
        if request.method == "POST" and form.is_valid():
            try:
                version = services.request_training(
                    config=form.config(),
                    seed=form.cleaned_data["seed"],
                    by=request.user,  # type: ignore[arg-type]  # admin_view lets nobody in who is not signed in
                    at=timezone.now(),
                    publish_when_ready=form.cleaned_data["publish_when_ready"],
                    started_from=form.cleaned_data["started_from"],
                    shares_product_ids=form.cleaned_data["shares_product_ids"],
                )
            except services.BadConfiguration as error:
                form.add_error(None, str(error))
        if version is not None:
            self.log_addition(request, version, "Training requested.")
            self.message_user(request, _("Training %(version)s is queued.") % {"version": version}, messages.SUCCESS)
            return redirect(row_url(version))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Train a model"),
            "form": form,
        }
        return TemplateResponse(request, "admin/recommendations/modelversion/retrain.html", context)

    def upload(self, request: HttpRequest) -> HttpResponse:
        """Another shop's version: checked, kept, and shown."""
        if not request.user.has_perm("recommendations.add_modelversion"):
            raise PermissionDenied
        form = VersionFileForm(request.POST or None, request.FILES or None)
        version = None
        if request.method == "POST" and form.is_valid():
            file = form.cleaned_data["file"]
            try:
                version = foreign.import_version(
                    file=file,
                    name=file.name,
                    by=request.user,  # type: ignore[arg-type]  # as above
                    at=timezone.now(),
                )
            except foreign.Unreadable as error:
                form.add_error("file", str(error))
        if version is not None:
            self.log_addition(request, version, "Uploaded.")
            self.message_user(
                request, _("%(version)s is there to begin trainings with.") % {"version": version}, messages.SUCCESS
            )
            return redirect(row_url(version))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Take in another shop's version"),
            "form": form,
        }
        return TemplateResponse(request, "admin/recommendations/modelversion/upload.html", context)

    def cancel(self, request: HttpRequest, pk: int) -> HttpResponse:
        version = get_object_or_404(ModelVersion, pk=pk)

        def do() -> tuple[Model, str, str]:
            try:
                services.cancel_training(version=version, at=timezone.now())
            except services.NotCancellable as error:
                raise Refused(_("This training has ended or is being cancelled already.")) from error
            return version, _("Cancelling %(version)s.") % {"version": version}, row_url(version)

        act = Act(
            title=_("Cancel the training of %(version)s") % {"version": version},
            lines=[_("It stops at its next step. What it learnt so far is not kept; the live run stays as it is.")],
            button=_("Cancel the training"),
            permission="recommendations.change_modelversion",
            do=do,
            back=row_url(version),
            is_dangerous=True,
        )
        return ask(self, request, act)

    def precompute(self, request: HttpRequest, pk: int) -> HttpResponse:
        version = get_object_or_404(ModelVersion, pk=pk)

        def do() -> tuple[Model, str, str]:
            try:
                run = services.start_run(
                    version=version,
                    by=request.user,  # type: ignore[arg-type]  # as above
                    at=timezone.now(),
                    publish_when_ready=False,
                )
            except services.NotRunnable as error:
                raise Refused(_("Only a version that passed its gate can be precomputed.")) from error
            return run, _("Run %(number)d is being computed.") % {"number": run.pk}, row_url(run)

        act = Act(
            title=_("Precompute with %(version)s") % {"version": version},
            lines=[
                _("Ranks the products for every shopper and placement, explains and verifies each recommendation."),
                _("Nothing changes for shoppers until the run is published."),
            ],
            button=_("Start the run"),
            permission="recommendations.add_run",
            do=do,
            back=row_url(version),
        )
        return ask(self, request, act)


@admin.register(TrainingEpoch)
class TrainingEpochAdmin(BatchWritten[TrainingEpoch]):
    list_display = ("id", "version_link", "number", "loss", "validation_ndcg", "seconds")
    list_select_related = ("version",)
    list_filter = ("version",)
    search_fields = ("=version__id",)
    search_help_text = gettext_lazy("The number of a model version.")
    ordering = ("-id",)

    @admin.display(description=gettext_lazy("model version"), ordering="version")
    def version_link(self, epoch: TrainingEpoch) -> str:
        return row_link(epoch.version)


@admin.register(ArtifactChunk)
class ArtifactChunkAdmin(BatchWritten[ArtifactChunk]):
    """Weights in pieces; the bytes themselves are never loaded by a page."""

    list_display = ("name", "index", "size", "checksum", "created_at")
    list_filter = ("created_at",)
    search_fields = ("name",)
    ordering = ("-id",)
    fields = ("name", "index", "size", "checksum", "created_at")
    readonly_fields = ("size",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ArtifactChunk]:
        return super().get_queryset(request).defer("data").annotate(bytes=Length("data"))

    @admin.display(description=gettext_lazy("size"))
    def size(self, chunk: ArtifactChunk) -> str:
        return filesizeformat(chunk.bytes)  # type: ignore[attr-defined]  # annotated above


@admin.register(TextVector)
class TextVectorAdmin(BatchWritten[TextVector], BigTableAdmin[TextVector]):
    """Which texts are encoded; the numbers themselves are never loaded by a page."""

    list_display = ("id", "encoder", "digest_text", "created_at")
    search_fields = ("encoder",)
    fields = ("encoder", "digest_text", "created_at")
    readonly_fields = ("digest_text",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[TextVector]:
        return super().get_queryset(request).defer("vector")

    @admin.display(description=gettext_lazy("digest of the text"))
    def digest_text(self, row: TextVector) -> str:
        return bytes(row.digest).hex()
