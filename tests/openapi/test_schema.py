from enum import StrEnum
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command
from django.test import Client

from catalog.api.errors import MEANINGS, ErrorCode
from catalog.models import Scope
from explanations.absences import Absence
from explanations.api import codes
from explanations.contract import Band, Cause, ReasonType, Status, Strength
from explanations.parameters import NotUsed, Option

COMMITTED = settings.BASE_DIR / "config" / "openapi" / "schema.yml"


@pytest.fixture(scope="module")
def schema() -> Any:
    return yaml.safe_load(COMMITTED.read_text())


def _operations(schema: Any) -> list[tuple[str, Any]]:
    return [
        (f"{method} {path}", operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]


def test_the_committed_schema_is_the_generated_one(tmp_path: Any) -> None:
    generated = tmp_path / "schema.yml"

    call_command("spectacular", validate=True, fail_on_warn=True, file=str(generated))

    assert generated.read_text() == COMMITTED.read_text(), (
        "Write it anew: manage.py spectacular --file config/openapi/schema.yml"
    )


def test_it_is_served_as_it_is_committed() -> None:
    response = Client().get("/api/v1/schema/")

    assert response.status_code == 200
    assert response["Content-Type"] == "application/yaml; charset=utf-8"
    assert response.content == COMMITTED.read_bytes()


def test_these_are_the_operations(schema: Any) -> None:
    assert sorted(name for name, _ in _operations(schema)) == [
        "delete /api/v1/shoppers/{external_id}",
        "get /api/v1/categories",
        "get /api/v1/event-types",
        "get /api/v1/explanations/{recommendation_id}",
        "get /api/v1/model/main-parameters",
        "get /api/v1/products",
        "get /api/v1/products/{external_id}",
        "get /api/v1/recommendations",
        "get /api/v1/shoppers/{external_id}",
        "get /api/v1/shoppers/{external_id}/recommendations",
        "get /api/v1/shoppers/{external_id}/why-not/{product}",
        "patch /api/v1/shoppers/{external_id}",
        "post /api/v1/events",
        "put /api/v1/products",
    ]


def test_every_operation_names_a_scope_a_summary_and_its_errors(schema: Any) -> None:
    for name, operation in _operations(schema):
        statuses = set(operation["responses"])
        assert any(f"`{scope.value}`" in operation["description"] for scope in Scope), name
        assert operation["summary"], name
        assert {"400", "401", "403", "406", "429", "500"} <= statuses, name
        assert ("404" in statuses) == ("{" in name), name
        assert ("413" in statuses) == ("415" in statuses) == ("requestBody" in operation), name
        assert operation["security"] == [{"partnerKey": []}], name


@pytest.mark.parametrize(
    ("name", "codes_of", "meanings"),
    [
        ("Absence", Absence, codes.ABSENCES),
        ("NotUsed", NotUsed, codes.NOT_USED),
        ("Option", Option, codes.OPTIONS),
        ("Cause", Cause, codes.CAUSES),
        ("Status", Status, codes.STATUSES),
        ("ReasonType", ReasonType, codes.REASON_TYPES),
        ("Strength", Strength, codes.STRENGTHS),
        ("Band", Band, codes.BANDS),
        ("ErrorCode", ErrorCode, MEANINGS),
    ],
)
def test_every_code_of_the_contract_is_documented(
    schema: Any, name: str, codes_of: type[StrEnum], meanings: dict[StrEnum, str]
) -> None:
    described = schema["components"]["schemas"][name]

    assert list(meanings) == list(codes_of)
    assert described["enum"] == [code.value for code in codes_of]
    for code, meaning in meanings.items():
        assert f"* `{code.value}` - {meaning}" in described["description"]


def test_bodies_are_strict(schema: Any) -> None:
    components = schema["components"]["schemas"]

    strict = sorted(name for name, component in components.items() if component.get("additionalProperties") is False)

    assert strict == [
        "EventBatchRequest",
        "EventRequest",
        "ProductBatchRequest",
        "ProductRowRequest",
        "ShopperChangeRequest",
    ]
