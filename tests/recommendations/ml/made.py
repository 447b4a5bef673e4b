"""Small random histories and models for tests of the mathematics."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from recommendations.ml.config import ModelConfig, TrainingConfig
from recommendations.ml.data import DAY, Catalogue, Histories, next_baskets
from recommendations.ml.kinds import Kinds
from recommendations.ml.loop import TrainingData, train
from recommendations.ml.model import Recommender

torch.set_num_threads(1)  # tensors are so small here that threads only wait for each other
NOW = 400 * DAY
Line = tuple[int, int, int]  # time, product, event type


def histories_of(shoppers: Sequence[Sequence[Line]], *, is_target: NDArray[np.bool_] | None = None) -> Histories:
    """Each shopper's lines, in order of time as they must be."""
    lines = [line for shopper in shoppers for line in shopper]
    times, items, types = np.asarray(lines, np.int64).reshape(-1, 3).T
    return Histories(
        offsets=np.concatenate([[0], np.cumsum([len(shopper) for shopper in shoppers])]).astype(np.int64),
        items=items.astype(np.int32),
        times=times,
        types=types.astype(np.int32),
        is_target=is_target,
    )


def random_shoppers(
    seed: int, *, shoppers: int = 6, products: int = 12, baskets: int = 5, most: int = 3
) -> list[list[Line]]:
    """Some have no history at all; products come again; baskets hold a product once."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(shoppers):
        times = np.sort(random.choice(np.arange(1, 390), int(random.integers(0, baskets + 1)), replace=False)) * DAY
        made.append(
            [
                (int(time), int(item), int(random.integers(1, 3)))
                for time in times
                for item in np.sort(random.choice(np.arange(1, products + 1), random.integers(1, most + 1), False))
            ]
        )
    return made


def texts_of(products: int) -> NDArray[np.float16]:
    """[I + 1, 5] random vectors; the last product has no text."""
    texts = np.random.default_rng(5).standard_normal((products + 1, 5)).astype(np.float16)
    texts[[0, -1]] = 0
    return texts


def random_model(
    seed: int,
    *,
    blocks: int = 1,
    products: int = 12,
    history: int = 16,
    uses_times: bool = True,
    uses_repeats: bool = False,
    has_texts: bool = False,
) -> Recommender:
    """All weights drawn at random, also those that training starts at zero."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = ModelConfig(
            width=8, blocks=blocks, heads=2, history=history, uses_times=uses_times, uses_repeats=uses_repeats
        )
        values = torch.cat([torch.zeros(1, 1), torch.randint(1, 4, (products, 1))]).long()
        model = Recommender(
            config,
            products=products,
            attributes={"group": values},
            sizes={"group": 3},
            texts_IW=torch.from_numpy(texts_of(products)) if has_texts else None,
            event_types=2,
        )
        with torch.no_grad():
            parts = [part for part in (model.products.projection, model.repeats) if part is not None]
            named = [entry for part in parts for entry in part.named_parameters()]
            named.sort(key=lambda entry: entry[0] in {"fading.weight", "rise"})
            later = [model.aims, *(weight for _, weight in named)]
            first = [parameter for parameter in model.parameters() if all(parameter is not other for other in later)]
            for parameter in (*first, *later):  # so that a part that is added does not change the others
                if parameter is not None:
                    parameter.copy_(torch.randn_like(parameter) * 0.5)
            for table in (model.products.ids, model.products.attributes["group"], model.types):
                assert isinstance(table, torch.nn.Embedding)
                table.weight[0] = 0.0
            if model.repeats is not None:
                model.repeats.count.weight *= 0.1
                model.repeats.count.weight[0] = model.repeats.tendency.weight[0] = 0.0
                model.repeats.fading.weight *= 0.05
                model.repeats.rise.mul_(0.05)
                model.repeats.trust.fill_(0.6)
    return model.eval()


def trained_model(seed: int, *, products: int = 12, blocks: int = 1, width: int = 16, history: int = 64) -> Recommender:
    """A few epochs on shoppers who come back to a few products; with times, texts, repeats, two kinds of lines."""
    random = np.random.default_rng(seed)
    liked = [np.sort(random.choice(np.arange(1, products + 1), min(8, products), replace=False)) for _ in range(80)]
    shoppers = [
        [
            (int(day) * DAY, int(item), int(random.integers(1, 3)))
            for day in np.sort(random.choice(np.arange(1, 390), 8, replace=False))
            for item in np.sort(random.choice(own, 2, replace=False))
        ]
        for own in liked
    ]
    histories = histories_of(shoppers)
    values = np.asarray([0, *(1 + number % 3 for number in range(products))], np.int32)
    data = TrainingData(
        histories=histories.before(300 * DAY),
        catalogue=Catalogue(
            products=products, attributes={"group": values[:, None]}, sizes={"group": 3}, texts=texts_of(products)
        ),
        kinds=Kinds.of([(1, 1.0, True), (2, 1.0, True)], {}),
        validation=next_baskets(histories, np.ones(len(histories.items), bool), start=300 * DAY, end=400 * DAY),
    )
    model, _ = train(
        ModelConfig(width=width, blocks=blocks, history=history, uses_popularity=False),
        TrainingConfig(epochs=4, batch_lines=800, learning_rate=2e-2, seed=seed),
        data,
    )
    return model
