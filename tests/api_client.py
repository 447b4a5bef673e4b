"""A partner's program, for tests of the API."""

from collections.abc import Iterable
from typing import Any

from django.test import Client

from catalog import services
from catalog.models import Partner, PartnerKey, Scope
from tests.factories import ShopPartnerFactory

BASE = "/api/v1/"


class PartnerClient:
    """Sends JSON with its key and reads JSON."""

    def __init__(
        self, *, partner: Partner | None = None, scopes: Iterable[Scope] = tuple(Scope), sees_all_shoppers: bool = False
    ) -> None:
        self.partner = partner or ShopPartnerFactory()
        self.key: PartnerKey
        self.key, self.secret = services.issue_key(
            partner=self.partner, name="tests", scopes=scopes, sees_all_shoppers=sees_all_shoppers
        )
        self.client = Client(raise_request_exception=False)

    def request(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.secret}", **options.pop("headers", {})}
        if body is not None:
            options |= {"data": body, "content_type": "application/json"}
        return getattr(self.client, method)(f"{BASE}{path}", headers=headers, **options)

    def get(self, path: str, **query: Any) -> Any:
        return self.request("get", path, query_params=query)

    def put(self, path: str, body: Any) -> Any:
        return self.request("put", path, body)

    def post(self, path: str, body: Any) -> Any:
        return self.request("post", path, body)

    def patch(self, path: str, body: Any) -> Any:
        return self.request("patch", path, body)

    def delete(self, path: str) -> Any:
        return self.request("delete", path)


def problems(response: Any) -> list[tuple[int | None, str, str]]:
    """Row, field and code of each field error."""
    return [(error["row"], error["field"], error["code"]) for error in response.json()["error"]["fields"]]
