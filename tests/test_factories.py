"""The factories and worlds that other tests stand on."""

import pytest
from django.db import IntegrityError, transaction

from explanations.services import recommendations_for
from recommendations.models import Placement, Run
from tests import factories
from tests.worlds import live_shop, publish

FACTORIES = [
    value
    for name, value in vars(factories).items()
    if name.endswith("Factory") and name not in {"ModelFactory", "DjangoModelFactory", "SubFactory"}
]


@pytest.mark.django_db
@pytest.mark.parametrize("factory", FACTORIES, ids=lambda factory: factory.__name__)
def test_every_factory_makes_rows_that_the_database_accepts(factory: type[factories.ModelFactory]) -> None:  # type: ignore[type-arg]
    rows = factory.create_batch(2)

    assert all(row.pk for row in rows)
    assert all(str(row) for row in rows)


@pytest.mark.django_db
def test_a_live_shop_shows_every_placement() -> None:
    shop = live_shop()

    home = recommendations_for(shopper=shop.shopper, placement=Placement.HOME)
    again = recommendations_for(shopper=shop.shopper, placement=Placement.BUY_AGAIN)
    similar = recommendations_for(shopper=None, placement=Placement.PRODUCT, context_product=shop.products[0])

    assert (len(home.items), len(again.items), len(similar.items)) == (9, 2, 8)
    assert home.is_personal
    assert not home.is_stale


@pytest.mark.django_db
def test_a_run_without_slates_is_not_published() -> None:
    run = factories.RunFactory()

    with pytest.raises(IntegrityError, match="has no slates"), transaction.atomic():
        publish(run)

    assert not Run.objects.live().exists()
