"""The API against its own schema: whatever is sent, the answer is one that the schema knows."""

from typing import Any

import pytest
import schemathesis
from celery import current_app
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from catalog.api.throttling import PartnerThrottle
from config.wsgi import application
from explanations import asking
from tests.api_client import PartnerClient
from tests.factories import EventTypeFactory
from tests.worlds import live_shop


@pytest.fixture
def partner(transactional_db: None) -> PartnerClient:
    """Who may do everything."""
    return PartnerClient(sees_all_shoppers=True)


@pytest.fixture
def api(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Of a live shop, so that the good paths are reached too."""
    monkeypatch.setattr(PartnerThrottle, "allow_request", lambda *_: True)
    monkeypatch.setattr(asking, "WAIT", 0.01)  # nobody answers
    monkeypatch.setattr(current_app, "send_task", lambda *_, **__: None)
    for code in ("purchase", "view"):
        EventTypeFactory(code=code)
    live_shop()
    config = schemathesis.Config.from_dict({"generation": {"allow-x00": False}})
    return schemathesis.openapi.from_wsgi("/api/v1/schema/", application, config=config)


schema = schemathesis.pytest.from_fixture("api")


# What a schema cannot say: these depend on the catalogue, or on two fields together.
BEYOND_THE_SCHEMA = {
    "before_1970",
    "blank",  # of nothing but blanks
    "currency_missing",
    "not_a_cursor",
    "product_missing",
    "product_not_taken",
    "repeated",
    "unknown_category",
    "unknown_product",
}


@schema.parametrize()
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_one_that_the_schema_knows(case: Any, partner: PartnerClient) -> None:
    headers = {"Authorization": f"Bearer {partner.secret}"}

    response = case.call(headers=headers)

    excluded = []
    if response.status_code == 400 and _codes(response) <= BEYOND_THE_SCHEMA:
        excluded.append(positive_data_acceptance)
    if case.operation.path.endswith("/events") and response.status_code == 200 and response.json()["rejected"]:
        excluded.append(negative_data_rejection)  # a bad row is rejected within a good answer
    case.validate_response(response, headers=headers, excluded_checks=excluded)


def _codes(response: Any) -> set[str]:
    return {error["code"] for error in response.json()["error"]["fields"]} or {"none"}
