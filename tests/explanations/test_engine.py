"""From rows to contracts: what a contract predicts is what comes, and its numbers add up."""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pytest

from catalog.models import Interaction, Product, Shopper
from catalog.services import exclude_history, include_history
from explanations import engine
from explanations.contract import Cause, Contract, Status
from explanations.models import VersionCheck
from explanations.slates import ExplainedSlate
from recommendations import artifacts, inference
from recommendations.ml import bundle as bundles
from recommendations.ml.calibration import Calibration
from recommendations.ml.data import Catalogue
from recommendations.ml.kinds import Kinds
from recommendations.ml.model import Recommender
from recommendations.models import ModelVersion, Placement, Run
from tests.factories import (
    NOON,
    CategoryFactory,
    EventTypeFactory,
    InteractionFactory,
    ModelVersionFactory,
    ProductFactory,
    RunFactory,
    ShopperFactory,
)
from tests.recommendations.ml.made import random_model, texts_of
from tests.worlds import contract, explained_slate, publish

pytestmark = pytest.mark.django_db
PRODUCTS = 40


class World:
    """Forty products, eight shoppers with five baskets each, and a live run of a model with random weights.

    `model`: another one, for so many `products`; then it has texts and repeats.
    """

    def __init__(
        self,
        *,
        blocks: int = 1,
        uses_repeats: bool = False,
        model: Recommender | None = None,
        products: int = PRODUCTS,
        shoppers: int = 8,
    ) -> None:
        if model is None:
            model = random_model(
                7, blocks=blocks, products=products, history=64, uses_repeats=uses_repeats, has_texts=uses_repeats
            )
        chance = np.random.default_rng(11)
        categories = [CategoryFactory() for _ in range(4)]
        launched_at = NOON - timedelta(days=300)
        built = [ProductFactory.build(category=categories[n % 4], launched_at=launched_at) for n in range(products)]
        self.products: list[Product] = Product.objects.bulk_create(built)
        self.shoppers: list[Shopper] = ShopperFactory.create_batch(shoppers)
        self.event_types = [EventTypeFactory(code=code) for code in ("purchase", "view")]
        rows = [
            InteractionFactory.build(
                shopper=shopper,
                partner=shopper.partner,
                product=self.products[number],
                event_type=self.event_types[int(chance.random() < 0.2)],
                occurred_at=NOON - timedelta(days=int(10 + 50 * basket + shopper.pk % 7)),
            )
            for shopper in self.shoppers
            for basket in range(5)
            for number in chance.choice(products, int(chance.integers(1, 4)), replace=False)
        ]
        Interaction.objects.bulk_create(rows)
        self.run = self._published(model)

    def _published(self, model: Recommender) -> Run:
        version: ModelVersion = ModelVersionFactory()
        name = artifacts.weights_name(version.pk)
        version.weights, version.weights_checksum = (
            name,
            artifacts.save_bytes(name, bundles.dump(self._bundle(model))),
        )
        version.save()
        inference._loaded.pop(version.pk, None)
        run = RunFactory(version=version, as_of=NOON)
        nobody = contract(self.products[0], cause=Cause.NOT_PERSONAL)
        explained_slate(run=run, contracts=[nobody])  # the database lets no empty run go live
        VersionCheck.objects.create(version=version, placebo_floor=0.0, measures={})
        return publish(run)

    def following(self) -> Run:
        """Another run of the same version, ready to go live."""
        run = RunFactory(
            version=self.run.version, as_of=NOON, state=Run.State.READY, ready_at=NOON + timedelta(hours=1)
        )
        explained_slate(run=run, contracts=[contract(self.products[0], cause=Cause.NOT_PERSONAL)])
        return run

    def _bundle(self, model: Recommender) -> bundles.Bundle:
        count = len(self.products)
        zeros = np.zeros((count + 1, 1))
        even = Calibration(knots=(-20.0, 0.0), chances=(0.0, 1.0))
        return bundles.Bundle(
            model=model,
            catalogue=Catalogue(
                products=count,
                attributes={"group": model.products.get_buffer("values_group").numpy().astype(np.int32)},
                sizes={"group": 3},
                texts=texts_of(count) if model.products.projection is not None else None,
            ),
            product_ids=np.asarray([0, *(product.pk for product in self.products)], np.int64),
            category_ids=np.asarray([0, *(product.category_id for product in self.products)], np.int64),
            kinds=Kinds.of([(event_type.pk, 1.0, True) for event_type in self.event_types], {}),
            companions=zeros.astype(np.int64),
            companion_log_p=zeros.astype(np.float32),
            popularity_log_p=zeros[:, 0].astype(np.float32),
            repeat_buyers=zeros[:, 0].astype(np.int64),
            calibrations={Placement.HOME.value: even, Placement.BUY_AGAIN.value: even},
        )

    def product(self, pk: int) -> Product:
        return next(product for product in self.products if product.pk == pk)


def world_at_noon(monkeypatch: pytest.MonkeyPatch) -> World:
    """A world in which it stays noon, so that what is computed now is as of its run."""
    monkeypatch.setattr("explanations.engine.timezone.now", lambda: NOON)
    return World(blocks=1)


@pytest.fixture
def blocks() -> int:
    return 1


@pytest.fixture
def uses_repeats() -> bool:
    return False


@pytest.fixture
def world(blocks: int, uses_repeats: bool, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("explanations.engine.timezone.now", lambda: NOON)
    return World(blocks=blocks, uses_repeats=uses_repeats)


def home(shoppers: Sequence[Shopper]) -> dict[int, ExplainedSlate]:
    """The new slates `home`, as a refresh computes them, by shopper."""
    slates = engine.refresh([shopper.pk for shopper in shoppers])
    return {slate.shopper_id or 0: slate for slate in slates if slate.placement is Placement.HOME}


@pytest.mark.parametrize("blocks", [1, 2])
def test_not_using_a_purchase_brings_the_rank_that_was_predicted(world: World) -> None:
    predicted: list[tuple[int, int, int]] = []  # rank, rank predicted, place it came to

    for shopper in world.shoppers[:3]:
        before = home([shopper])[shopper.pk]
        for pk in dict.fromkeys(pk for stated in before.contracts for pk in cited_by(stated)):
            assert exclude_history(shopper=shopper, product=world.product(pk), at=NOON) >= 1
            after = without([pk], home([shopper])[shopper.pk])
            include_history(shopper=shopper, product=world.product(pk), at=NOON)
            predicted += [
                (stated.target.rank, reason.rank_without or 0, after.index(stated.product_id) + 1)
                for stated in before.contracts
                for reason in (*stated.reasons, *stated.opposing)
                if [evidence.product_id for evidence in reason.evidence] == [pk] and stated.product_id in after
            ]
        assert home([shopper])[shopper.pk].product_ids == before.product_ids  # all of it is undone

    assert [place for _, _, place in predicted] == [rank for _, rank, _ in predicted]
    assert len(predicted) >= 40
    assert sum(before != after for before, after, _ in predicted) >= 10


def test_not_using_all_that_a_counterfactual_names_brings_its_rank_and_its_replacement(world: World) -> None:
    sizes: list[int] = []

    for shopper, slate in ((shopper, home([shopper])[shopper.pk]) for shopper in world.shoppers[:4]):
        for stated in slate.contracts[:3]:
            change = stated.counterfactual
            if change is None:
                continue
            for pk in change.removed:
                exclude_history(shopper=shopper, product=world.product(pk), at=NOON)
            after = without(change.removed, home([shopper])[shopper.pk])

            assert stated.product_id not in after[: change.rank - 1]
            assert change.rank > len(after) or after[change.rank - 1] == stated.product_id
            assert after[stated.target.rank - 1] == change.replacement_id

            sizes.append(len(change.removed))
            for pk in change.removed:
                include_history(shopper=shopper, product=world.product(pk), at=NOON)

    assert len(sizes) >= 5


def test_what_is_not_used_is_neither_cited_nor_new(world: World) -> None:
    shopper = world.shoppers[0]
    cited = [evidence for stated in home([shopper])[shopper.pk].contracts for evidence in cited_by(stated)]
    product = world.product(cited[0])

    exclude_history(shopper=shopper, product=product, at=NOON)
    after = home([shopper])[shopper.pk]

    assert product.pk not in [pk for stated in after.contracts for pk in cited_by(stated)]
    assert product.pk not in after.product_ids


def without(removed: Sequence[int], slate: ExplainedSlate) -> list[int]:
    """A product that was only seen is new again once that is not used; others' ranks are told without it."""
    return [pk for pk in slate.product_ids if pk not in removed]


def cited_by(stated: Contract) -> list[int]:
    return [evidence.product_id for reason in (*stated.reasons, *stated.opposing) for evidence in reason.evidence]


def test_whoever_uses_nothing_any_more_has_no_slate(world: World) -> None:
    shopper, other = world.shoppers[:2]

    for pk in set(shopper.interactions.values_list("product_id", flat=True)):
        exclude_history(shopper=shopper, product=world.product(pk), at=NOON)

    assert list(home([shopper, other])) == [other.pk]


@pytest.mark.parametrize("uses_repeats", [False, True])
def test_parts_and_shares_add_up_to_the_score(world: World, uses_repeats: bool) -> None:
    slates = engine.refresh([shopper.pk for shopper in world.shoppers])
    contracts = [stated for slate in slates for stated in slate.contracts]

    assert len(contracts) >= 80
    for stated in contracts:
        score, split, shares = stated.target.score, stated.split, stated.shares
        assert split is not None
        assert shares is not None
        tolerance = 1e-5 * max(1.0, abs(score))
        assert abs(split.residual) <= tolerance
        assert abs(split.baseline + sum(split.parts.values()) - score) <= tolerance
        assert set(split.parts) == {"id", "group", "bias", "recent_popularity"} | (
            {"repeat", "text"} if uses_repeats else set()
        )
        assert abs(shares.nothing + shares.rest + sum(shares.reasons) - score) <= 1e-9 * max(1.0, abs(score))


def test_ranks_follow_the_slate_and_only_reasons_that_hold_are_verified(world: World) -> None:
    for slate in home(world.shoppers).values():
        assert [stated.target.rank for stated in slate.contracts] == list(range(1, len(slate.contracts) + 1))
        assert list(slate.scores) == sorted(slate.scores, reverse=True)
        for stated in slate.contracts:
            assert (stated.status is Status.VERIFIED) == any(reason.is_verified for reason in stated.reasons)
            for reason in stated.reasons:
                worsens = (reason.rank_without or 0) > stated.target.rank or reason.delta >= np.log(1 / 0.9)
                assert reason.is_verified == (reason.delta >= (reason.threshold or 0) and worsens)
            assert all(reason.delta < 0 for reason in stated.opposing)


def test_what_speaks_against_a_product_never_holds_it_up(world: World) -> None:
    found = [stated for slate in home(world.shoppers).values() for stated in slate.contracts]
    against = [(stated.target.rank, reason) for stated in found for reason in stated.opposing]

    assert against
    assert all(reason.delta < 0 and (reason.rank_without or 0) <= rank for rank, reason in against)


def test_slates_do_not_depend_on_who_is_computed_beside(world: World) -> None:
    together = home(world.shoppers)

    for shopper in world.shoppers[:3]:
        alone, beside = home([shopper])[shopper.pk], together[shopper.pk]
        assert alone.product_ids == beside.product_ids
        assert np.allclose(alone.scores, beside.scores, rtol=0, atol=1e-5)
        assert alone.history_hash == beside.history_hash


def test_an_excluded_line_keeps_its_place_without_its_product(world: World) -> None:
    shopper, model = world.shoppers[0], inference.loaded(world.run.version)
    before = inference.shopper_lines(model, [shopper.pk], as_of=NOON)
    first = int(before.histories.items[0])

    exclude_history(shopper=shopper, product=world.products[first - 1], at=NOON)
    after = inference.shopper_lines(model, [shopper.pk], as_of=NOON)

    assert after.histories.times.tolist() == before.histories.times.tolist()
    assert after.histories.items.tolist() == [0 if i == first else i for i in before.histories.items.tolist()]
    assert 0 not in after.line.tolist()  # nothing may cite it
