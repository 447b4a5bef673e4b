"""Probes for whoever restarts us: /livez (the process answers) and /readyz (it can serve)."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from config import diagnosis
from recommendations.models import Run


@require_safe
@never_cache
def livez(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type="text/plain")


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """503 unless database and broker answer; the age of what is shown stands beside, for the monitoring."""
    now = timezone.now()
    findings = {finding.check: finding.level for finding in (diagnosis.database(now), diagnosis.broker(now))}
    is_ready = all(level is not diagnosis.Level.ERROR for level in findings.values())
    run = Run.objects.live().first() if is_ready else None
    live_run = None
    if run is not None and run.published_at is not None:
        live_run = {
            "id": run.pk,
            "model_version": run.version_id,
            "age_seconds": int((now - run.published_at).total_seconds()),
        }
    status = 200 if is_ready else 503
    return JsonResponse({"ready": is_ready, "checks": findings, "live_run": live_run}, status=status)
