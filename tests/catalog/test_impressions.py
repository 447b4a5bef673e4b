"""What shoppers were shown: sets by day, for those who want it, deleted with them, and what of it was in vain."""

from datetime import UTC, date, datetime, timedelta

from catalog import impressions
from catalog.models import Impression, Interaction, Product, Shopper
from catalog.services import erase_shopper, set_personalised
from recommendations.services import clean_up
from tests.factories import NOON, EventTypeFactory, InteractionFactory, ProductFactory, ShopperFactory

TODAY = date(2011, 12, 1)


def show(shopper: Shopper, product: Product, *, days_ago: tuple[int, ...]) -> None:
    impressions.note_shown((shopper.pk, TODAY - timedelta(days=days), product.pk) for days in days_ago)


def act(shopper: Shopper, product: Product, *, hours_ago: int, code: str = "view") -> Interaction:
    return InteractionFactory(
        shopper=shopper,
        product=product,
        event_type=EventTypeFactory(code=code),
        occurred_at=NOON - timedelta(hours=hours_ago),
        quantity=None,
        unit_price=None,
    )


def seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def test_what_is_shown_again_on_a_day_changes_nothing(db: None) -> None:
    shopper = ShopperFactory()

    first = impressions.note_shown([(shopper.pk, TODAY, 7), (shopper.pk, TODAY, 3), (shopper.pk, TODAY, 7)])
    again = impressions.note_shown([(shopper.pk, TODAY, 3)])
    more = impressions.note_shown([(shopper.pk, TODAY, 5), (shopper.pk, TODAY - timedelta(days=1), 3)])

    assert (first, again, more) == (1, 0, 2)
    rows = Impression.objects.order_by("shown_date").values_list("shown_date", "product_ids")
    assert list(rows) == [(TODAY - timedelta(days=1), [3]), (TODAY, [3, 5, 7])]


def test_a_page_is_noted_in_one_statement(db: None, django_assert_num_queries: object) -> None:
    shopper = ShopperFactory()

    with django_assert_num_queries(1):  # type: ignore[operator]
        impressions.note_shown((shopper.pk, TODAY, product) for product in range(1, 25))


def test_nothing_is_noted_of_those_who_switched_personalisation_off_and_what_was_is_deleted(db: None) -> None:
    shopper, other = ShopperFactory(), ShopperFactory()
    show(shopper, ProductFactory(), days_ago=(1, 2))
    show(other, ProductFactory(), days_ago=(1,))

    set_personalised(shopper=shopper, is_personalised=False, at=NOON)
    changed = impressions.note_shown([(shopper.pk, TODAY, 3)])

    assert changed == 0
    assert list(Impression.objects.values_list("shopper", flat=True)) == [other.pk]


def test_erasing_a_shopper_erases_what_they_were_shown(db: None) -> None:
    shopper = ShopperFactory()
    show(shopper, ProductFactory(), days_ago=(1, 2, 3))

    erase_shopper(shopper=shopper)

    assert not Impression.objects.exists()


def test_the_nightly_clean_up_deletes_what_is_older_than_half_a_year(db: None) -> None:
    shopper, product = ShopperFactory(), ProductFactory()
    show(shopper, product, days_ago=(180, 181))

    clean_up(at=NOON)

    assert Impression.objects.get().shown_date == TODAY - timedelta(days=180)


def test_three_days_of_four_weeks_without_an_answer_are_in_vain(db: None) -> None:
    shopper, early, often, spread = ShopperFactory(), ProductFactory(), ProductFactory(), ProductFactory()
    show(shopper, early, days_ago=(40, 39, 20, 19))  # the third of four within 28 days is the one that counts
    show(shopper, often, days_ago=(2, 1))
    show(shopper, spread, days_ago=(29, 10, 1))
    show(ShopperFactory(), early, days_ago=(3, 2, 0))  # today is not over

    (found,) = impressions.ignored(until=NOON)

    assert (found.shopper_id, found.product_id) == (shopper.pk, early.pk)
    assert (found.since, found.until) == (seconds(TODAY - timedelta(days=19)), impressions.NEVER)


def test_what_is_taken_up_after_all_was_in_vain_until_then(db: None) -> None:
    shopper, products = ShopperFactory(), ProductFactory.create_batch(3)
    for product in products:
        show(shopper, product, days_ago=(9, 8, 7))
    act(shopper, products[0], hours_ago=24 * 20)  # before it was shown
    bought = act(shopper, products[1], hours_ago=5, code="purchase")
    act(shopper, products[1], hours_ago=2)
    seen = act(shopper, products[2], hours_ago=24 * 9 + 1)  # on the first of the days

    found = {each.product_id: each.until for each in impressions.ignored(until=NOON)}

    assert found == {
        products[0].pk: impressions.NEVER,
        products[1].pk: int(bought.occurred_at.timestamp()),
        products[2].pk: int(seen.occurred_at.timestamp()),
    }
