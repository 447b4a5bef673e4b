"""What is taken out of the history is gone from every stored explanation, in the same transaction."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from catalog.importing.services import revert_import
from catalog.models import Import, Interaction
from catalog.services import erase_shopper, exclude_history, include_history
from explanations.contract import unpack
from explanations.models import Explanation
from recommendations.models import Placement
from tests.explanations.shown import home_of, refresh, shown_world
from tests.factories import NOON, ImportFactory, RunFactory, ShopperFactory
from tests.worlds import Shop, contract, evidence, explained_slate, live_shop, reason

pytestmark = pytest.mark.django_db
TINS = "Set of 3 cake tins pantry design"


@pytest.fixture
def shop() -> Shop:
    return live_shop()


def stored(shop: Shop) -> list[Explanation]:
    return list(Explanation.objects.filter(slate__shopper=shop.shopper).order_by("pk"))


def cited(explanation: Explanation) -> set[int]:
    contracts = [unpack(packed) for packed in explanation.contracts["contracts"]]
    found = {u.product_id for c in contracts for r in (*c.reasons, *c.opposing) for u in r.evidence}
    return found | {pk for c in contracts if c.counterfactual is not None for pk in c.counterfactual.removed}


def test_no_stored_contract_cites_what_was_left_out(shop: Shop) -> None:
    product = shop.product(TINS)
    explained_slate(
        run=RunFactory(),  # one that is not live
        shopper=shop.shopper,
        contracts=[contract(shop.products[9], reasons=(reason(evidence(product, shop.history[TINS])),))],
    )
    before = [len(explanation.contracts["contracts"]) for explanation in stored(shop)]

    exclude_history(shopper=shop.shopper, product=product, at=NOON)

    after = stored(shop)
    ids = {str(row.pk) for row in shop.history[TINS]}
    assert all(product.pk not in cited(explanation) for explanation in after)
    for explanation in after:
        for packed in explanation.contracts["contracts"]:
            named = {str(i) for r in (*packed.get("r", ()), *packed.get("o", ())) for u in r["e"] for i in u[1]}
            assert not ids & named
    assert [len(explanation.contracts["contracts"]) for explanation in after] == before  # ranks keep their meaning
    home = next(one for one in after if one.slate.run == shop.run and one.slate.placement == Placement.HOME)
    statuses = [packed["st"] for packed in home.contracts["contracts"]]
    assert (home.verified, home.fallback, home.withheld) == tuple(
        statuses.count(status) for status in ("verified", "fallback", "withheld")
    )
    assert statuses[:3] == ["withheld", "verified", "withheld"]  # the first and the third rested on it


def test_it_goes_with_the_transaction_or_not_at_all(shop: Shop) -> None:
    before = [json.dumps(explanation.contracts) for explanation in stored(shop)]

    with transaction.atomic():
        exclude_history(shopper=shop.shopper, product=shop.product(TINS), at=NOON)
        assert [json.dumps(explanation.contracts) for explanation in stored(shop)] != before
        transaction.set_rollback(True)

    assert [json.dumps(explanation.contracts) for explanation in stored(shop)] == before
    assert Interaction.objects.filter(excluded_at__isnull=False).count() == 0


def test_what_a_reverted_import_brought_is_cited_no_more(shop: Shop) -> None:
    source = ImportFactory(partner=shop.shopper.partner, kind=Import.Kind.INTERACTIONS)
    Interaction.objects.filter(pk__in=[row.pk for row in shop.history[TINS]]).update(source=source)
    others = {product for explanation in stored(shop) for product in cited(explanation)} - {shop.product(TINS).pk}

    revert_import(source=source, at=NOON)

    assert {product for explanation in stored(shop) for product in cited(explanation)} == others
    assert not Interaction.objects.filter(source=source).exists()


def test_a_revert_whose_withdrawal_fails_hides_nothing(shop: Shop, settings: Any) -> None:
    source = ImportFactory(partner=shop.shopper.partner, kind=Import.Kind.INTERACTIONS)
    Interaction.objects.filter(pk__in=[row.pk for row in shop.history[TINS]]).update(source=source)
    before = [cited(explanation) for explanation in stored(shop)]
    settings.HISTORY_WITHDRAWN = "explanations.withdrawal.nothing_of_this_name"

    with pytest.raises(ImportError):
        revert_import(source=source, at=NOON)

    source.refresh_from_db()
    assert source.state == Import.State.FINISHED
    assert [cited(explanation) for explanation in stored(shop)] == before


def test_explanations_of_others_stay(shop: Shop) -> None:
    other = ShopperFactory()
    theirs = explained_slate(
        run=shop.run,
        shopper=other,
        contracts=[contract(shop.products[3], reasons=(reason(evidence(shop.product(TINS))),))],
    )

    exclude_history(shopper=shop.shopper, product=shop.product(TINS), at=NOON)

    assert cited(theirs.explanation) == {shop.product(TINS).pk}


def test_what_is_used_again_is_explained_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = shown_world(monkeypatch)
    shopper = world.shoppers[0]
    before, slate = cited(home_of(shopper).explanation), home_of(shopper)
    product, verified = world.product(min(before)), slate.explanation.verified

    exclude_history(shopper=shopper, product=product, at=NOON + timedelta(minutes=1))
    include_history(shopper=shopper, product=product, at=NOON + timedelta(minutes=2))
    refresh([shopper], minutes=3)  # the result is that of before: the explanation that lost a part is not kept

    assert home_of(shopper).product_ids == slate.product_ids
    assert home_of(shopper).pk != slate.pk
    assert cited(home_of(shopper).explanation) == before
    assert home_of(shopper).explanation.verified == verified


def test_erasing_a_shopper_erases_every_explanation(shop: Shop) -> None:
    erase_shopper(shopper=shop.shopper)

    assert not Explanation.objects.filter(slate__shopper__isnull=False).exists()
    numbers = {str(row.pk) for rows in shop.history.values() for row in rows}
    for explanation in Explanation.objects.all():
        for packed in explanation.contracts["contracts"]:
            assert not numbers & {str(i) for r in packed.get("r", ()) for u in r["e"] for i in u[1]}


def test_the_page_is_refilled_at_once(shop: Shop, client: Client) -> None:
    client.force_login(shop.user)
    exclude_history(shopper=shop.shopper, product=shop.product(TINS), at=NOON)

    html = client.get("/").content.decode()

    assert "Vintage tin with retro spots" not in html
    assert "Recipe box pantry yellow design" in html
