"""How long a page waits for the model."""

from django.http import HttpRequest


def wait_of(request: HttpRequest) -> float | None:
    """Not at all where the page's own script asks again; else as long as `asking` says."""
    return 0.0 if request.headers.get("X-Requested-With") == "fetch" else None
