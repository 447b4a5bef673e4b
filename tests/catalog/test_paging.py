"""Lists over big tables cost the same on every page, and nobody counts."""

import re
from collections.abc import Iterator

import pytest
from django.contrib.admin import site
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoDbBlocker

from catalog.models import Category, Interaction, Partner, Product, Shopper
from catalog.paging import LookaheadPaginator, estimated_rows
from tests.factories import CategoryFactory, EventTypeFactory, ProductFactory, ShopperFactory, StaffFactory

ROWS = 100_000
LIST = "admin:catalog_interaction_changelist"


@pytest.fixture(scope="module")
def big_table(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Shopper]:
    """100,000 interactions of 1,000 shoppers; the one who is given has 100. Committed once for this file."""
    with django_db_blocker.unblock():
        product, event_type, shopper = ProductFactory(), EventTypeFactory(), ShopperFactory()
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO catalog_shopper (partner_id, external_id, is_personalised, created_at)"
                " SELECT %s, 'many-' || n, true, now() FROM generate_series(1, 999) n",
                [shopper.partner_id],
            )
            cursor.execute(
                "INSERT INTO catalog_interaction (partner_id, event_id, shopper_id, product_id, event_type_id,"
                " occurred_at, received_at, currency, basket, recommendation)"
                " SELECT %(partner)s, 'event-' || n, s.ids[1 + n %% 1000], %(product)s, %(type)s,"
                " now() - n * interval '1 minute', now(), '', '', ''"
                " FROM generate_series(1, %(rows)s) n, (SELECT array_agg(id) AS ids FROM catalog_shopper) s",
                {"partner": shopper.partner_id, "product": product.pk, "type": event_type.pk, "rows": ROWS},
            )
            cursor.execute("ANALYZE catalog_interaction, catalog_shopper")
        yield shopper
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE catalog_interaction")
            cursor.execute("DELETE FROM catalog_shopper")
            cursor.execute("ANALYZE catalog_interaction, catalog_shopper")
        product.delete()
        Category.objects.filter(products=None).delete()
        Partner.objects.filter(pk=shopper.partner_id).delete()


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(StaffFactory())
    return client


def rows_read(client: Client, url: str) -> int:
    """How many rows of the big table the database touched, over all queries of the page."""
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200
    total = 0
    for query in queries.captured_queries:
        sql = query["sql"]
        if 'FROM "catalog_interaction"' not in sql:
            continue
        assert "OFFSET" not in sql
        assert "COUNT(" not in sql.upper() or "EXPLAIN" in sql
        if sql.startswith("SELECT"):
            with connection.cursor() as cursor:
                cursor.execute("EXPLAIN (ANALYZE, TIMING OFF) " + sql)
                plan = "\n".join(row[0] for row in cursor.fetchall())
            total += max(int(float(n)) for n in re.findall(r"catalog_interaction.*actual rows=([\d.]+)", plan))
    return total


def test_the_first_and_the_deepest_page_read_one_page_of_rows(big_table: Shopper, staff: Client) -> None:
    lowest = Interaction.objects.order_by("pk").values_list("pk", flat=True)[200]

    first = rows_read(staff, reverse(LIST))
    deep = rows_read(staff, reverse(LIST) + f"?before={lowest}")

    assert (first, deep) == (51, 51)


def test_pages_follow_each_other_without_gap_or_repetition(big_table: Shopper, staff: Client) -> None:
    url = reverse(LIST)
    seen: list[int] = []
    for _ in range(3):
        listed = staff.get(url).context["cl"]
        seen += [row.pk for row in listed.result_list]
        url = reverse(LIST) + listed.older_url
    newest = list(Interaction.objects.order_by("-pk").values_list("pk", flat=True)[:150])

    back = staff.get(reverse(LIST) + staff.get(url).context["cl"].newer_url).context["cl"]

    assert seen == newest
    assert [row.pk for row in back.result_list] == newest[100:150]


def test_the_number_of_rows_is_the_planners_estimate_and_said_to_be_one(big_table: Shopper, staff: Client) -> None:
    response = staff.get(reverse(LIST))

    listed = response.context["cl"]
    assert listed.is_estimate
    assert abs(listed.result_count - ROWS) < ROWS * 0.05
    assert "about" in response.content.decode()


def test_one_shoppers_interactions_are_found_by_external_id(big_table: Shopper, staff: Client) -> None:
    read = rows_read(staff, reverse(LIST) + f"?q={big_table.external_id}")

    listed = staff.get(reverse(LIST) + f"?q={big_table.external_id}").context["cl"]
    assert {row.shopper_id for row in listed.result_list} == {big_table.pk}
    assert len(listed.result_list) == 50
    assert read <= 100  # that shopper's, not the table's


def test_a_filter_starts_at_its_first_page(big_table: Shopper, staff: Client) -> None:
    listed = staff.get(reverse(LIST) + "?before=500&excluded_at__isempty=1").context["cl"]

    assert "before" not in listed.get_query_string()
    assert "before" not in listed.get_filters_params()


def test_a_nonsense_position_shows_the_first_page(big_table: Shopper, staff: Client) -> None:
    listed = staff.get(reverse(LIST) + "?before=abc&after=" + "9" * 30).context["cl"]

    assert len(listed.result_list) == 50
    assert listed.newer_url is None


def test_a_list_that_reads_too_much_asks_to_be_narrowed(
    big_table: Shopper, staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = site._registry[Interaction]

    def slow(*_: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 50")
            cursor.execute("SELECT pg_sleep(2)")

    monkeypatch.setattr(admin, "get_search_results", slow)

    response = staff.get(reverse(LIST), follow=False)

    assert response.status_code == 302
    assert response["Location"] == reverse(LIST)


def test_small_tables_are_counted(db: None) -> None:
    before = Category.objects.count()
    CategoryFactory.create_batch(3)

    assert estimated_rows(Category.objects.all()) == before + 3


def test_an_autocomplete_looks_one_row_ahead_and_never_counts(db: None, staff: Client) -> None:
    ids = [shopper.pk for shopper in ShopperFactory.create_batch(25)]
    paginator = LookaheadPaginator(Shopper.objects.filter(pk__in=ids).order_by("pk"), 20)

    with CaptureQueriesContext(connection) as queries:
        first, second = paginator.page(1), paginator.page(2)
        assert (len(first), len(second)) == (20, 5)
        assert not second.has_next()

    assert not any("COUNT" in query["sql"] for query in queries.captured_queries)


def test_a_small_product_list_can_be_sorted_and_a_large_one_cannot(
    db: None, rf: RequestFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = site._registry[Product]
    request = rf.get("/")

    small = admin.get_sortable_by(request)
    monkeypatch.setattr(admin, "large_from", 0)

    assert "title" in small
    assert admin.get_sortable_by(request) == ()
