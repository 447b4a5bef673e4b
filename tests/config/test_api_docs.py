from django.test import Client


def _directives(policy: str) -> dict[str, str]:
    return dict(directive.strip().partition(" ")[::2] for directive in policy.split(";"))


def test_style_attributes_are_allowed_on_the_page_of_the_api_and_nowhere_else(db: None) -> None:
    docs = _directives(Client().get("/api/v1/docs/")["Content-Security-Policy"])
    elsewhere = _directives(Client().get("/api/v1/schema/")["Content-Security-Policy"])

    assert docs.pop("style-src") == "'self' 'unsafe-inline'"
    assert elsewhere.pop("style-src") == "'self'"
    assert docs == elsewhere
    assert docs["script-src"] == "'self'"


def test_the_page_of_the_api_loads_nothing_from_elsewhere(db: None) -> None:
    page = Client().get("/api/v1/docs/").content.decode()

    assert 'data-schema="/api/v1/schema/"' in page
    assert 'src="/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"' in page
    assert "http://" not in page
    assert "https://" not in page
