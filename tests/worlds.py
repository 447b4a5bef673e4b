"""Whole situations for tests: contracts as the engine writes them, explained slates, a live shop."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from catalog.models import Category, Interaction, Product, Shopper, User
from explanations.contract import (
    FORMAT,
    Cause,
    Contract,
    Counterfactual,
    Evidence,
    Provenance,
    Reason,
    ReasonType,
    Split,
    Status,
    Strength,
    Target,
    pack,
    pack_provenance,
)
from explanations.models import Explanation
from recommendations.models import Placement, Run, Slate
from tests.factories import (
    EVENT_TYPES,
    NOON,
    CategoryFactory,
    EventTypeFactory,
    InteractionFactory,
    ProductFactory,
    RunFactory,
    ShopperFactory,
    SlateFactory,
    UserFactory,
)

PERSONAL = (Cause.HISTORY, Cause.HISTORY_GROUP)


def provenance(run_id: int = 1, version_id: int = 1) -> Provenance:
    return Provenance(
        version_id=version_id,
        run_id=run_id,
        history_hash="0" * 32,
        candidates=4812,
        torch="2.13.0+cpu",
        device="cpu",
        computed_at=int(NOON.timestamp()),
    )


def evidence(product: Product | int, interactions: Sequence[Interaction] = (), **fields: object) -> Evidence:
    """One unit; without interactions it is a purchase of a month ago."""
    pk = product if isinstance(product, int) else product.pk
    last_at = max((row.occurred_at for row in interactions), default=NOON - timedelta(days=30))
    unit = Evidence(
        product_id=pk,
        interaction_ids=tuple(row.pk for row in interactions),
        times=max(len(interactions), 1),
        last_at=int(last_at.timestamp()),
    )
    return replace(unit, **fields)  # type: ignore[arg-type]


def reason(*units: Evidence, **fields: object) -> Reason:
    """A verified one that carries its product from 14th to 2nd; give fields to differ."""
    checked = Reason(
        type=ReasonType.INTERACTION,
        evidence=units,
        delta=1.2,
        rank_without=14,
        rank_only=4,
        share=0.8,
        threshold=0.05,
        is_verified=True,
    )
    return replace(checked, **fields)  # type: ignore[arg-type]


def contract(product: Product | int, *, cause: Cause = Cause.HISTORY, rank: int = 1, **fields: object) -> Contract:
    """Verified when it has verified reasons, else a fallback."""
    pk = product if isinstance(product, int) else product.pk
    stated = Contract(
        product_id=pk,
        cause=cause,
        status=Status.FALLBACK,
        target=Target(
            score=10.0 - rank,
            log_probability=-2.0 - rank / 10,
            probability=0.2 / rank,
            rank=rank,
            empty_rank=40 * rank,
        ),
        split=Split(baseline=0.5, parts={"id": 1.5, "category": 0.7, "price_band": -0.1, "bias": 0.2}),
    )
    stated = replace(stated, **fields)  # type: ignore[arg-type]
    if "status" not in fields and stated.verified_reasons:
        stated = replace(stated, status=Status.VERIFIED)
    return stated


def explained_slate(
    *,
    run: Run,
    contracts: Sequence[Contract],
    placement: Placement = Placement.HOME,
    shopper: Shopper | None = None,
    context_product: Product | None = None,
    computed_at: datetime = NOON,
) -> Slate:
    """A slate and its explanation, as the run's writer stores them."""
    slate = SlateFactory(
        run=run,
        placement=placement,
        shopper=shopper,
        context_product=context_product,
        product_ids=[stated.product_id for stated in contracts],
        scores=[stated.target.score for stated in contracts],
        probabilities=[stated.target.probability for stated in contracts],
        computed_at=computed_at,
        explained_at=computed_at,
    )
    statuses = [stated.status for stated in contracts]
    origin = replace(provenance(run.pk, run.version_id), computed_at=int(computed_at.timestamp()))
    Explanation.objects.create(
        slate=slate,
        format=FORMAT,
        contracts={"provenance": pack_provenance(origin), "contracts": [pack(stated) for stated in contracts]},
        is_personal=any(stated.cause in PERSONAL for stated in contracts),
        explained=len(statuses),
        verified=statuses.count(Status.VERIFIED),
        fallback=statuses.count(Status.FALLBACK),
        withheld=statuses.count(Status.WITHHELD),
        created_at=computed_at,
    )
    return slate


def publish(run: Run, *, at: datetime = NOON) -> Run:
    """Make it the live one, past the services but not past the database's guard."""
    Run.objects.live().update(state=Run.State.RETIRED, retired_at=at)
    Run.objects.filter(pk=run.pk).update(state=Run.State.LIVE, published_at=at)
    run.refresh_from_db()
    return run


@dataclass(kw_only=True)
class Shop:
    """A live shop with one shopper who signs in with `tests.factories.PASSWORD`."""

    run: Run
    user: User
    shopper: Shopper
    categories: dict[str, Category]
    products: list[Product]
    history: dict[str, list[Interaction]] = field(default_factory=dict)  # by the title of the product

    def product(self, title: str) -> Product:
        return next(product for product in self.products if product.title == title)


GROUPS = {  # path: name, Chinese name, glyph, hue
    "kitchen": ("Kitchen", "厨房", "teapot", 24),
    "kitchen/tins": ("Tins and jars", "罐子", "jar", 38),
    "garden": ("Garden", "花园", "wateringcan", 110),
    "christmas": ("Christmas", "圣诞", "tree", 355),
    "stationery": ("Stationery", "文具", "pencil", 210),
    "bags": ("Bags", "包袋", "bag", 280),
}
TITLES = {  # title: group, price
    "Set of 3 cake tins pantry design": ("kitchen/tins", "4.95"),
    "Vintage tin with retro spots": ("kitchen/tins", "2.10"),
    "Regency cakestand 3 tier": ("kitchen", "12.75"),
    "White hanging heart T-light holder": ("kitchen", "2.95"),
    "Jam making set with jars": ("kitchen", "4.25"),
    "Recipe box pantry yellow design": ("kitchen", "2.95"),
    "Jumbo bag red retrospot": ("bags", "1.95"),
    "Lunch bag Suki design": ("bags", "1.65"),
    "Assorted colour bird ornament": ("garden", "1.69"),
    "Gardeners kneeling pad keep calm": ("garden", "1.65"),
    "Paper chain kit 50's Christmas": ("christmas", "2.95"),
    "Rabbit night light": ("christmas", "2.08"),
    "Set of 12 fairy cake baking cases": ("kitchen", "0.85"),
    "Heart of wicker small": ("garden", "1.65"),
    "Spotty bunting": ("garden", "4.95"),
    "Popcorn holder": ("kitchen", "0.85"),
    "Wooden picture frame white finish": ("stationery", "2.55"),
    "Alarm clock bakelike red": ("kitchen", "3.75"),
    "Natural slate heart chalkboard": ("stationery", "2.95"),
    "Doormat welcome to our home": ("garden", "7.95"),
}
BOUGHT = {  # title: days ago
    "Set of 3 cake tins pantry design": (23, 65, 107, 150),
    "Regency cakestand 3 tier": (65,),
    "Jam making set with jars": (65,),
    "Jumbo bag red retrospot": (23, 51),
    "Paper chain kit 50's Christmas": (14,),
}


def live_shop() -> Shop:
    """Twenty products, a shopper with five of them, and every kind of cause on the pages."""
    categories: dict[str, Category] = {}
    for path, (name, chinese, glyph, hue) in GROUPS.items():
        parent = categories.get(path.rpartition("/")[0])
        categories[path] = CategoryFactory(
            path=path, parent=parent, name_en=name, name_zh_hans=chinese, glyph=glyph, hue=hue
        )
    products = [
        ProductFactory(
            external_id=f"{22423 + number}",
            title=title,
            category=categories[group],
            price=price,
            launched_at=NOON - timedelta(days=200 - number),
        )
        for number, (title, (group, price)) in enumerate(TITLES.items())
    ]
    user = UserFactory(username="ada")
    shopper = ShopperFactory(user=user)
    event_types = {code: EventTypeFactory(code=code) for code in EVENT_TYPES}
    purchase, view = event_types["purchase"], event_types["view"]
    by_title = {product.title: product for product in products}
    history = {
        title: [
            InteractionFactory(
                shopper=shopper,
                product=by_title[title],
                event_type=purchase,
                occurred_at=NOON - timedelta(days=days),
                basket=f"basket-{days}",
            )
            for days in days_ago
        ]
        for title, days_ago in BOUGHT.items()
    }
    history["Lunch bag Suki design"] = [
        InteractionFactory(
            shopper=shopper,
            product=by_title["Lunch bag Suki design"],
            event_type=view,
            occurred_at=NOON - timedelta(days=2),
        )
    ]
    shop = Shop(
        run=RunFactory(summary={"causes": CAUSES}),
        user=user,
        shopper=shopper,
        categories=categories,
        products=products,
        history=history,
    )
    _slates(shop)
    publish(shop.run)
    return shop


CAUSES = {"history": 6120, "history_group": 840, "buy_again": 1200, "popular": 310, "new": 90, "viewed_product": 9800}


def _slates(shop: Shop) -> None:
    def unit(title: str, **fields: object) -> Evidence:
        return evidence(shop.product(title), shop.history[title], **fields)

    pick = shop.product
    tins, stand, jam = (
        unit("Set of 3 cake tins pantry design"),
        unit("Regency cakestand 3 tier"),
        unit("Jam making set with jars"),
    )
    bag, chain = unit("Jumbo bag red retrospot"), unit("Paper chain kit 50's Christmas")
    viewed = unit("Lunch bag Suki design", event_type="view")
    opposing = reason(bag, delta=-0.3, rank_without=1, is_verified=True)
    home = [
        contract(
            pick("Vintage tin with retro spots"),
            reasons=(reason(tins), reason(jam, delta=0.4, rank_without=3, is_verified=False)),
            opposing=(opposing,),
            counterfactual=Counterfactual(
                strength=Strength.LOSES_PLACE,
                removed=(tins.product_id,),
                rank=14,
                replacement_id=pick("Recipe box pantry yellow design").pk,
            ),
        ),
        contract(
            pick("Recipe box pantry yellow design"),
            rank=2,
            reasons=(reason(jam, rank_without=31), reason(stand, delta=0.5, rank_without=6)),
            counterfactual=Counterfactual(
                strength=Strength.LEAVES_LIST, removed=(jam.product_id, stand.product_id), rank=44
            ),
        ),
        contract(
            pick("Set of 12 fairy cake baking cases"),
            rank=3,
            cause=Cause.HISTORY_GROUP,
            reasons=(reason(tins, stand, jam, type=ReasonType.CATEGORY, category_id=shop.categories["kitchen"].pk),),
        ),
        contract(pick("Rabbit night light"), rank=4, reasons=(reason(chain, rank_without=9),), opposing=(opposing,)),
        contract(
            pick("Popcorn holder"),
            rank=5,
            cause=Cause.HISTORY_GROUP,
            reasons=(reason(stand, jam, type=ReasonType.BASKET),),
        ),
        contract(pick("White hanging heart T-light holder"), rank=6, cause=Cause.POPULAR, extra={"buyers": 850}),
        contract(pick("Natural slate heart chalkboard"), rank=7, cause=Cause.NEW),
        contract(pick("Alarm clock bakelike red"), rank=8, reasons=(reason(viewed, rank_without=12),)),
        contract(pick("Spotty bunting"), rank=9, status=Status.WITHHELD),
        contract(pick("Doormat welcome to our home"), rank=10, cause=Cause.POPULAR, extra={"buyers": 430}),
    ]
    explained_slate(run=shop.run, shopper=shop.shopper, contracts=home)
    again = [
        contract(
            pick("Set of 3 cake tins pantry design"),
            cause=Cause.BUY_AGAIN,
            reasons=(reason(tins, type=ReasonType.REPEAT, every_days=42, rank_without=None, rank_only=None),),
        ),
        contract(
            pick("Jumbo bag red retrospot"),
            rank=2,
            cause=Cause.BUY_AGAIN,
            reasons=(reason(bag, type=ReasonType.REPEAT, every_days=28, rank_without=None, rank_only=None),),
        ),
    ]
    explained_slate(run=shop.run, shopper=shop.shopper, placement=Placement.BUY_AGAIN, contracts=again)
    everybody = [
        contract(product, rank=rank, cause=Cause.NOT_PERSONAL, extra={"buyers": 1000 - 50 * rank})
        for rank, product in enumerate(shop.products[:12], start=1)
    ]
    explained_slate(run=shop.run, contracts=everybody)
    for context in shop.products[:3]:
        similar = [
            contract(
                product,
                rank=rank,
                cause=Cause.VIEWED_PRODUCT,
                extra={"beside": 340},
                reasons=(reason(evidence(context, last_at=None), type=ReasonType.CONTEXT_PRODUCT),),
            )
            for rank, product in enumerate([other for other in shop.products if other != context][:8], start=1)
        ]
        explained_slate(run=shop.run, placement=Placement.PRODUCT, context_product=context, contracts=similar)
