"""Files for the tests of imports."""

import io
from typing import Any

from catalog.importing import services
from catalog.models import EventType, Import, Partner
from tests.factories import EventTypeFactory

CUP = "e1,s1,cup,purchase,2011-01-02T03:04:05Z,2,4.95,GBP"
HEADINGS = "event_id,shopper,product,event_type,occurred_at,quantity,unit_price,currency"


def csv_of(*rows: str, headings: str = HEADINGS) -> io.BytesIO:
    return io.BytesIO("\n".join([headings, *rows, ""]).encode())


def import_interactions(*rows: str, partner: Partner, headings: str = HEADINGS, **options: Any) -> Import:
    return services.run_import(
        kind=Import.Kind.INTERACTIONS, partner=partner, source=csv_of(*rows, headings=headings), **options
    )


def import_products(*rows: str, partner: Partner, headings: str, **options: Any) -> Import:
    return services.run_import(
        kind=Import.Kind.PRODUCTS, partner=partner, source=csv_of(*rows, headings=headings), **options
    )


def event_types() -> list[EventType]:
    """Those that the tests use: a test with real transactions before may have emptied their table."""
    return [EventTypeFactory(code=code) for code in ("purchase", "view", "return", "not_interested")]


def problems(source: Import) -> list[tuple[int, str, str, str]]:
    """Row, field, value and code of every rejection, in their order."""
    return list(source.rejections.order_by("row", "field").values_list("row", "field", "value", "code"))
