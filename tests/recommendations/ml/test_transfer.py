"""What comes over from an earlier model: by name, never by number; and what a training that goes on looks at."""

from dataclasses import replace

import numpy as np
import torch

from recommendations.ml.batches import BatchMaker
from recommendations.ml.config import ModelConfig, TrainingConfig
from recommendations.ml.data import DAY, Catalogue, Ints
from recommendations.ml.kinds import Kinds
from recommendations.ml.model import Recommender
from recommendations.ml.transfer import kind_keys, places, warm_start
from tests.recommendations.ml.made import histories_of, texts_of


def catalogue(keys: str, groups: str, of: list[int]) -> Catalogue:
    values = np.asarray([[0], *([group] for group in of)], np.int32)
    return Catalogue(
        products=len(keys),
        attributes={"group": values},
        sizes={"group": len(groups)},
        keys=tuple(keys),
        labels={"group": tuple(groups)},
    )


def model_of(shop: Catalogue, kinds: Kinds, *, width: int = 8, seed: int = 1) -> Recommender:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        values = {name: torch.from_numpy(column) for name, column in shop.attributes.items()}
        config = ModelConfig(width=width, uses_repeats=True)
        model = Recommender(
            config,
            products=shop.products,
            attributes=values,
            sizes=shop.sizes,
            texts_IW=None if shop.texts is None else torch.from_numpy(shop.texts),
            event_types=len(kinds),
        )
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(torch.randn_like(parameter))
    return model


def kind_places(now: Kinds, earlier: Kinds) -> Ints:
    return places(kind_keys(now), kind_keys(earlier))


def test_places_are_by_key() -> None:
    assert places(["c", "x", "a"], ["a", "b", "c"]).tolist() == [0, 3, 0, 1]


def test_products_values_and_kinds_come_over_by_name_and_new_ones_keep_their_first_value() -> None:
    earlier_kinds = Kinds.of([(3, 1.0, True), (7, 0.5, False)], {})
    kinds = Kinds.of([(3, 1.0, True), (5, 0.2, False), (7, 0.5, False)], {})
    earlier_shop, shop = catalogue("abc", "XY", [1, 2, 1]), catalogue("cdab", "YZ", [1, 2, 2, 1])
    earlier, model = model_of(earlier_shop, earlier_kinds, seed=1), model_of(shop, kinds, seed=2)
    fresh = model_of(shop, kinds, seed=2)

    found = warm_start(model, shop, earlier.state_dict(), earlier_shop, kind_places(kinds, earlier_kinds))

    assert found["products"] == 3
    assert found["attribute_values"] == 1
    ids, earlier_ids = model.products.ids.weight, earlier.products.ids.weight
    assert torch.equal(ids[[1, 3, 4]], earlier_ids[[3, 1, 2]])  # c, a, b
    assert torch.equal(ids[2], fresh.products.ids.weight[2])  # d is new
    groups, earlier_groups = model.products.attributes["group"], earlier.products.attributes["group"]
    assert isinstance(groups, torch.nn.Embedding)
    assert isinstance(earlier_groups, torch.nn.Embedding)
    assert torch.equal(groups.weight[1], earlier_groups.weight[2])  # Y
    assert model.aims is not None
    assert earlier.aims is not None
    assert torch.equal(model.aims[[1, 3]], earlier.aims[[1, 2]])
    mine, theirs = (dict(one.named_parameters())["blocks.0.attention.query.weight"] for one in (model, earlier))
    assert torch.equal(mine, theirs)


def test_kinds_of_another_shop_are_known_by_the_codes_of_their_event_types_and_their_levels() -> None:
    theirs = Kinds.of([(3, 1.0, True), (7, 0.5, False)], {7: [3.0]})
    ours = Kinds.of([(3, 0.5, False), (5, 1.0, True), (9, 1.0, False)], {3: [3.0]})
    stored = kind_keys(theirs, {3: "purchase", 7: "rating"})

    assert stored == ["purchase -inf", "rating -inf", "rating 3.0", "rating nan"]
    assert kind_keys(ours, {3: "rating", 5: "purchase"}) == [*stored[1:], stored[0], "#9 -inf"]


def test_the_projection_of_texts_comes_over_to_another_shop_if_one_encoder_made_them() -> None:
    kinds = Kinds.of([(3, 1.0, True)], {})
    earlier_shop = with_texts(catalogue("ab", "X", [1, 1]), "small")
    earlier = model_of(earlier_shop, kinds, seed=1)
    for encoder, is_same in (("small", True), ("large", False)):
        shop = with_texts(catalogue("xyz", "Y", [1, 1, 1]), encoder)
        model, fresh = (model_of(shop, kinds, seed=2) for _ in range(2))

        warm_start(model, shop, earlier.state_dict(), earlier_shop, kind_places(kinds, kinds))

        theirs = earlier if is_same else fresh
        assert torch.equal(projection(model), projection(theirs))
        assert torch.equal(model.products.ids.weight, fresh.products.ids.weight)


def with_texts(shop: Catalogue, encoder: str) -> Catalogue:
    return replace(shop, texts=texts_of(shop.products), encoder=encoder)


def projection(model: Recommender) -> torch.Tensor:
    assert model.products.projection is not None
    return model.products.projection.weight


def test_another_width_brings_nothing_that_does_not_fit() -> None:
    kinds, shop = Kinds.of([(3, 1.0, True)], {}), catalogue("ab", "X", [1, 1])
    model, fresh = model_of(shop, kinds, width=16, seed=2), model_of(shop, kinds, width=16, seed=2)

    warm_start(model, shop, model_of(shop, kinds, seed=1).state_dict(), shop, kind_places(kinds, kinds))

    assert torch.equal(model.products.ids.weight, fresh.products.ids.weight)


def test_going_on_looks_at_fresh_baskets_and_as_many_others() -> None:
    """Ten shoppers, of whom two bought something in the last week."""
    histories = histories_of([[(100 * DAY, 1, 1), ((300 if row < 2 else 200) * DAY, 2, 1)] for row in range(10)])
    kinds = Kinds.of([(3, 1.0, True)], {})
    config = TrainingConfig(fresh_days=7, replay=1.5, masking=0, completion=0, batch_lines=1_000)
    maker = BatchMaker(histories, kinds, ModelConfig(), config)

    newest = [batch.history.times_BL.max(dim=1).values.tolist() for number in (1, 2) for batch in maker.epoch(number)]

    assert [sorted(times) for times in newest] == [[200 * DAY] * 3 + [300 * DAY] * 2] * 2
