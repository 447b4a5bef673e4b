"""What a report has seen is settled: nothing can appear before its time afterwards."""

import threading
from collections.abc import Iterator
from datetime import datetime

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from catalog import quality
from catalog.cleaning import horizon
from catalog.importing import locks
from catalog.models import Interaction
from tests.catalog.importing.files import event_types
from tests.factories import InteractionFactory, ProductFactory, ShopperFactory


@pytest.fixture
def other_connection(transactional_db: None) -> Iterator[psycopg.Connection]:
    """Another process, as far as Postgres can tell."""
    parameters = connection.get_connection_params()
    names = {"dbname", "user", "password", "host", "port"}
    with psycopg.connect(**{name: value for name, value in parameters.items() if name in names}) as other:
        yield other


def test_a_report_waits_for_an_event_that_was_received_before_it(other_connection: psycopg.Connection) -> None:
    event_types()
    row = InteractionFactory(shopper=ShopperFactory(), product=ProductFactory())
    other_connection.execute(
        "INSERT INTO catalog_interaction (event_id, partner_id, shopper_id, product_id, event_type_id, occurred_at,"
        " received_at, quantity, unit_price, currency, basket, recommendation)"
        " SELECT 'slow', partner_id, shopper_id, product_id, event_type_id, occurred_at, received_at, quantity + 1,"
        " unit_price, currency, '', '' FROM catalog_interaction"
    )
    committed = threading.Timer(0.5, other_connection.commit)
    committed.start()

    report = quality.clean(cutoff_at=timezone.now())

    committed.join()
    assert report.rows_read == 2
    assert Interaction.objects.get(event_id="slow").received_at == row.received_at < report.created_at


def test_a_writer_that_never_ends_is_said_instead_of_waited_for(
    other_connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(horizon, "_PATIENCE", 0.3)
    other_connection.execute("LOCK TABLE catalog_interaction IN ROW EXCLUSIVE MODE")

    with pytest.raises(horizon.StillWriting):
        horizon.settled()


def test_an_import_finishes_either_before_a_report_or_after_it(other_connection: psycopg.Connection) -> None:
    other_connection.execute("SELECT pg_advisory_xact_lock(%s, 0)", [locks._HORIZON])  # an import is finishing
    released: list[datetime] = []

    def release() -> None:
        released.append(timezone.now())
        other_connection.commit()

    threading.Timer(0.3, release).start()

    at = horizon.settled()

    assert at > released[0]
