"""RecBole's SASRec. `python recbole_sasrec.py recbole-sasrec PREPARED ANSWER`."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import recbole
import stepping
import torch
from exchange import Array, Task
from recbole.model.sequential_recommender import SASRec

# The library's own properties: SASRec.yaml and overall.yaml. As its loader does, every prefix of a history is one
# example whose last product is the target.
SETTINGS: dict[str, Any] = {
    "n_layers": 2,
    "n_heads": 2,
    "hidden_size": 64,
    "inner_size": 256,
    "hidden_dropout_prob": 0.5,
    "attn_dropout_prob": 0.5,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "initializer_range": 0.02,
    "loss_type": "CE",
}
NAMES: dict[str, Any] = {
    "USER_ID_FIELD": "user",
    "ITEM_ID_FIELD": "item",
    "LIST_SUFFIX": "_list",
    "ITEM_LIST_LENGTH_FIELD": "length",
    "NEG_PREFIX": "neg_",
    "device": "cpu",
}
BATCH, RATE = 2_048, 1e-3


class Catalogue:
    """What the model asks of RecBole's data set: how many ids a field has, the padding with them."""

    def __init__(self, products: int):
        self.products = products

    def num(self, _: str) -> int:
        return self.products + 1


class Peer:
    def __init__(self, task: Task, length: int):
        config = SETTINGS | NAMES | {"MAX_ITEM_LIST_LENGTH": length}
        self.model = SASRec(config, Catalogue(task.products))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=RATE)
        self.length = length
        offsets, self.items, _ = task.histories("train")
        shopper, _, _ = task.rows("train")
        place = np.arange(len(self.items)) - offsets[shopper]
        self.targets = np.flatnonzero(place > 0)  # lines that have a history
        self.lengths = np.minimum(place[self.targets], length)
        self.histories = {
            part: (stepping.recent(task, part, length, at_end=False), np.diff(task.histories(part)[0]))
            for part in ("train", "context")
        }

    def batches(self, random: np.random.Generator) -> Iterator[Array]:
        order = random.permutation(len(self.targets))
        yield from np.array_split(order, -(-len(order) // BATCH))

    def loss(self, batch: Array) -> torch.Tensor:
        lengths, column = self.lengths[batch], np.arange(self.length)
        real = column < lengths[:, None]
        lines = np.where(real, (self.targets[batch] - lengths)[:, None] + column, 0)
        interaction = self._interaction(np.where(real, self.items[lines], 0), lengths)
        interaction["item"] = torch.from_numpy(self.items[self.targets[batch]].astype(np.int64))
        loss: torch.Tensor = self.model.calculate_loss(interaction)
        return loss

    def _interaction(self, items: Array, lengths: Array) -> dict[str, torch.Tensor]:
        return {
            "item_list": torch.from_numpy(items.astype(np.int64)),
            "length": torch.from_numpy(np.maximum(lengths, 1).astype(np.int64)),
        }

    def scores(self, part: str, shoppers: Array) -> Array:
        items, lengths = self.histories[part]
        asked = self._interaction(items[shoppers], np.minimum(lengths[shoppers], self.length))
        return np.asarray(self.model.full_sort_predict(asked))


def main() -> None:
    task = Task()
    torch.set_num_threads(1)
    torch.manual_seed(task.seed)
    length = 128 if bool(task.data["has_times"]) else 50
    settings = SETTINGS | {"batch": BATCH, "learning_rate": RATE, "length": length}
    stepping.run(task, Peer(task, length), versions={"recbole": recbole.__version__}, settings=settings)


main()
