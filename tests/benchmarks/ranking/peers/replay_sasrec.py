"""RePlay's SASRec. `python replay_sasrec.py replay-sasrec PREPARED ANSWER`."""

from collections.abc import Iterator

import numpy as np
import replay
import stepping
import torch
from exchange import Array, Task
from replay.data import FeatureHint, FeatureSource, FeatureType
from replay.data.nn import TensorFeatureInfo, TensorFeatureSource, TensorSchema
from replay.nn.sequential import SasRec

# The library's own `from_params` (two blocks, dropout .3, cross-entropy over the catalogue), its Adam, at width 64.
WIDTH, BATCH, RATE, BETAS = 64, 128, 1e-3, (0.9, 0.98)
FEATURE = "item_id"


class Peer:
    """Products are numbered from 0 there, with the padding last."""

    def __init__(self, task: Task, length: int):
        products = task.products
        schema = TensorSchema(
            [
                TensorFeatureInfo(
                    FEATURE,
                    is_seq=True,
                    feature_type=FeatureType.CATEGORICAL,
                    embedding_dim=WIDTH,
                    padding_value=products,
                    cardinality=products,
                    feature_hint=FeatureHint.ITEM_ID,
                    feature_sources=[TensorFeatureSource(FeatureSource.INTERACTIONS, FEATURE)],
                )
            ]
        )
        self.model = SasRec.from_params(schema, embedding_dim=WIDTH, max_sequence_length=length)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=RATE, betas=BETAS)
        self.products = products
        self.long = torch.from_numpy(self._numbered(stepping.recent(task, "train", length + 1, at_end=True)))
        self.histories = {
            part: torch.from_numpy(self._numbered(stepping.recent(task, part, length, at_end=True)))
            for part in ("train", "context")
        }

    def _numbered(self, items: Array) -> Array:
        return np.where(items > 0, items - 1, self.products).astype(np.int64)

    def batches(self, random: np.random.Generator) -> Iterator[torch.Tensor]:
        order = random.permutation(len(self.long))
        for start in range(0, len(order), BATCH):
            yield self.long[torch.from_numpy(order[start : start + BATCH])]

    def loss(self, batch: torch.Tensor) -> torch.Tensor:
        items, targets = batch[:, :-1].contiguous(), batch[:, 1:].contiguous()
        mask = items != self.products
        targets = targets.masked_fill(~mask, self.products)
        answer: dict[str, torch.Tensor] = self.model(
            feature_tensors={FEATURE: items},
            padding_mask=mask,
            positive_labels=targets.unsqueeze(-1),
            target_padding_mask=(targets != self.products).unsqueeze(-1),
        )
        return answer["loss"]

    def scores(self, part: str, shoppers: Array) -> Array:
        items = self.histories[part][torch.from_numpy(np.asarray(shoppers))]
        logits = self.model(feature_tensors={FEATURE: items}, padding_mask=items != self.products)["logits"]
        return np.pad(logits.numpy(), ((0, 0), (1, 0)))


def main() -> None:
    task = Task()
    torch.set_num_threads(1)
    torch.manual_seed(task.seed)
    length = 128 if bool(task.data["has_times"]) else 50
    settings = {"width": WIDTH, "batch": BATCH, "learning_rate": RATE, "length": length, "others": "from_params"}
    stepping.run(task, Peer(task, length), versions={"replay-rec": replay.__version__}, settings=settings)


main()
