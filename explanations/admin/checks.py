"""What was measured of a version, what audits found, and what a language model made of the lines."""

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.admin_acts import Act, ask
from catalog.admin_links import row_url, tag
from catalog.batch_written import BatchWritten
from explanations import publishing
from explanations.models import Audit, FrozenCounts, OfferedProducts, Recount, Rewriting, VersionCheck


@admin.register(VersionCheck)
class VersionCheckAdmin(BatchWritten[VersionCheck], admin.ModelAdmin[VersionCheck]):
    list_display = ("version", "placebo_floor", "created_at")
    list_filter = ("created_at",)
    list_select_related = ("version",)
    search_fields = ("=version__id",)
    search_help_text = gettext_lazy("The number of a model version.")


@admin.register(FrozenCounts)
class FrozenCountsAdmin(BatchWritten[FrozenCounts], admin.ModelAdmin[FrozenCounts]):
    """Of which runs the counts of popularity are kept; the counts themselves are bytes."""

    list_display = ("run", "created_at")
    list_filter = ("created_at",)
    list_select_related = ("run",)
    search_fields = ("=run__id",)
    search_help_text = gettext_lazy("Number of the run.")
    fields = ("run", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[FrozenCounts]:
        return super().get_queryset(request).defer("recent_popularity")


@admin.register(OfferedProducts)
class OfferedProductsAdmin(BatchWritten[OfferedProducts], admin.ModelAdmin[OfferedProducts]):
    """When what was on offer changed while a run was served; the products themselves are bits."""

    list_display = ("run", "digest", "created_at")
    list_filter = ("created_at",)
    list_select_related = ("run",)
    search_fields = ("=run__id",)
    search_help_text = gettext_lazy("Number of the run.")
    fields = ("run", "digest", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[OfferedProducts]:
        return super().get_queryset(request).defer("products")


@admin.register(Recount)
class RecountAdmin(BatchWritten[Recount], admin.ModelAdmin[Recount]):
    """Products that an erased shopper bought, and what too few people are left of."""

    list_display = ("product", "asked_at", "counted_at", "is_too_few")
    list_filter = ("is_too_few", ("counted_at", admin.EmptyFieldListFilter))
    list_select_related = ("product",)
    search_fields = ("=product__external_id", "product__title")


@admin.register(Rewriting)
class RewritingAdmin(BatchWritten[Rewriting], admin.ModelAdmin[Rewriting]):
    """What a language model made of the lines; the filters count the rejected ones by cause."""

    list_display = ("source", "text", "rejection", "answer", "language", "created_at")
    list_filter = ("language", ("rejection", admin.AllValuesFieldListFilter))
    search_fields = ("source",)
    show_facets = admin.ShowFacets.ALWAYS
    ordering = ("-created_at", "-pk")


@admin.register(Audit)
class AuditAdmin(BatchWritten[Audit], admin.ModelAdmin[Audit]):
    list_display = ("id", "outcome", "run", "created_at", "slates", "moved_on", "failures", "acknowledged_by", "act")
    list_filter = ("is_passed", "created_at")
    search_fields = ("=run__id",)
    search_help_text = gettext_lazy("Number of the run.")
    list_select_related = ("run", "acknowledged_by")
    ordering = ("-created_at", "-id")

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        acknowledge = path("<int:pk>/acknowledge/", wrap(self.acknowledge), name="explanations_audit_acknowledge")
        return [acknowledge, *super().get_urls()]

    @admin.display(description=gettext_lazy("outcome"), ordering="is_passed")
    def outcome(self, audit: Audit) -> str:
        return tag("ready", _("passed")) if audit.is_passed else tag("failed", _("failed"))

    @admin.display(description=gettext_lazy("failures"))
    def failures(self, audit: Audit) -> str:
        return audit.failures

    @admin.display(description="")
    def act(self, audit: Audit) -> str:
        if audit.is_passed or audit.acknowledged_at is not None:
            return ""
        url = reverse("admin:explanations_audit_acknowledge", args=[audit.pk])
        return format_html('<a href="{}">{}</a>', url, _("Acknowledge"))

    def acknowledge(self, request: HttpRequest, pk: int) -> HttpResponse:
        audit = get_object_or_404(Audit, pk=pk)

        def do() -> tuple[Model, str, str]:
            publishing.acknowledge(audit=audit, by=request.user, at=timezone.now())  # type: ignore[arg-type]  # signed in
            return audit, _("The audit is acknowledged; runs can be published again."), row_url(audit)

        act = Act(
            title=_("Acknowledge audit %(number)d") % {"number": audit.pk},
            lines=[
                _("What failed: %(failures)s.") % {"failures": audit.failures or _("nothing")},
                _("The next run can be published although these claims did not hold. Your name is recorded."),
            ],
            button=_("Acknowledge"),
            permission="explanations.acknowledge_audit",
            do=do,
            back=row_url(audit),
            is_dangerous=True,
        )
        return ask(self, request, act)
