"""RecTools' SASRec and eSASRec. `python rectools_sasrec.py rectools-sasrec|rectools-esasrec PREPARED ANSWER`."""

import copy
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
import rectools
import torch
from exchange import RANKS, Array, CapReached, Task
from pytorch_lightning import Callback, Trainer, seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel
from rectools.models.nn.transformers.ligr import LiGRLayers

PATIENCE = 5
EPOCHS = 200
# The authors' own settings for these files (their benchmark's leave-one-out configuration), at width 64.
SHARED: dict[str, Any] = {
    "n_factors": 64,
    "n_blocks": 1,
    "n_heads": 1,
    "session_max_len": 50,
    "dropout_rate": 0.2,
    "lr": 1e-3,
    "batch_size": 128,
    "loss": "sampled_softmax",
    "n_negatives": 256,
}
OWN: dict[str, dict[str, Any]] = {
    "rectools-sasrec": {},
    "rectools-esasrec": {
        "transformer_layers_type": LiGRLayers,
        "transformer_layers_kwargs": {"ff_factors_multiplier": 4},
        "use_key_padding_mask": True,
    },
}


def dataset(task: Task, part: str) -> Dataset:
    shoppers, items, times = task.rows(part)
    rows = {Columns.User: shoppers, Columns.Item: items, Columns.Weight: 1.0}
    return Dataset.construct(pd.DataFrame(rows | {Columns.Datetime: pd.to_datetime(times, unit="s")}))


class Watch(Callback):  # type: ignore[misc]  # Lightning is not in this environment
    """After each epoch: full-ranking validation NDCG@10. Keeps the best weights; stops early or at the cap."""

    def __init__(self, task: Task, data: Dataset):
        self.task, self.data = task, data
        self.model: SASRecModel = None
        self.validation: list[float] = []
        self.cpu: list[float] = []
        self.best: dict[str, torch.Tensor] = {}
        self.stepping, self.steps, self.began = 0.0, 0, 0.0

    def __deepcopy__(self, _: Any) -> "Watch":
        """The model copies its trainer before it fits; there is one watch."""
        return self

    def on_train_batch_start(self, *_: Any) -> None:
        self.began = time.process_time()

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        self.stepping += time.process_time() - self.began
        self.steps += 1
        try:
            self.task.timer.check()
        except CapReached:
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: Trainer, module: Any) -> None:
        shoppers = self.task.data["validation_shoppers"]
        kind = "new" if "new" in self.task.kinds else "all"
        users, items, ids = vectors(self.model, module, self.data, shoppers)
        scores = Scores(users, items, ids, self.task.products)
        ranked = self.task.rank(scores, np.arange(len(shoppers)), "train", kind, 10, shoppers)
        module.train()
        self.validation.append(self.task.validation_ndcg(ranked))
        self.cpu.append(round(self.task.timer.used(), 1))
        print(len(self.validation), round(self.validation[-1], 5), self.cpu[-1], flush=True)
        if self.validation[-1] == max(self.validation):
            self.best = copy.deepcopy(module.state_dict())
        if len(self.validation) - 1 - int(np.argmax(self.validation)) >= PATIENCE:
            trainer.should_stop = True


class Scores:
    """Scores of shoppers, products without training data last."""

    def __init__(self, users: Array, items: Array, ids: Array, products: int):
        self.users, self.items, self.ids, self.products = users, items, ids, products

    def __call__(self, rows: Array) -> Array:
        scores = np.full((len(rows), self.products + 1), -1e9, np.float32)
        scores[:, self.ids] = self.users[rows] @ self.items.T
        return scores


def vectors(model: SASRecModel, module: Any, data: Dataset, shoppers: Array) -> tuple[Array, Array, Array]:
    """(user vectors in the order of `shoppers`, product vectors, their product numbers)."""
    preparator = model.data_preparator
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prepared = preparator.transform_dataset_u2i(data, shoppers)
    loader = preparator.get_dataloader_recommend(prepared, 512)
    users, items = module._get_user_item_embeddings(loader, "cpu")
    known = np.asarray(prepared.user_id_map.external_ids)
    places = pd.Series(np.arange(len(known)), index=known).reindex(shoppers).to_numpy()
    assert not np.isnan(places).any(), "every asked shopper has a history"
    extra = preparator.n_item_extra_tokens
    ids = np.asarray(preparator.get_known_item_ids()).astype(np.int64)
    return users.numpy()[places.astype(int)], items.numpy()[extra:], ids


def main() -> None:
    task = Task()
    torch.set_num_threads(1)
    seed_everything(task.seed)
    settings = SHARED | OWN[task.contestant]
    if bool(task.data["has_times"]):
        settings |= {"session_max_len": 128}
    train, context = dataset(task, "train"), dataset(task, "context")
    watch = Watch(task, train)

    def trainer() -> Trainer:
        return Trainer(
            max_epochs=EPOCHS,
            accelerator="cpu",
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            logger=False,
            callbacks=[watch],
        )

    model = SASRecModel(**settings, get_trainer_func=trainer, recommend_torch_device="cpu")
    watch.model = model
    task.timer.restart()
    model.fit(train)
    task.timer.lap("training")
    model.lightning_model.load_state_dict(watch.best)

    shoppers = task.data["test_shoppers"]
    answers: dict[str, Array] = {}
    table = model.recommend(shoppers, context, k=RANKS, filter_viewed=True)
    answers["new"] = np.zeros((len(shoppers), RANKS), np.int32)
    rows = pd.Series(np.arange(len(shoppers)), index=shoppers).loc[table[Columns.User]].to_numpy()
    answers["new"][rows, table[Columns.Rank].to_numpy() - 1] = table[Columns.Item].to_numpy()
    task.timer.lap("ranking")
    if len(task.kinds) > 1:
        users, items, ids = vectors(model, model.lightning_model, context, shoppers)
        scores = Scores(users, items, ids, task.products)
        for kind in task.kinds:
            if kind != "new":
                answers[kind] = task.rank(scores, np.arange(len(shoppers)), "context", kind, RANKS, shoppers)
    lines, shopper_count = len(task.rows("train")[0]), len(task.histories("train")[0]) - 1
    share = watch.steps / (-(-shopper_count // settings["batch_size"]))  # epochs, the last one perhaps not whole
    task.write(
        answers,
        versions={"rectools": rectools.__version__, "torch": torch.__version__, "numpy": np.__version__},
        settings={name: getattr(value, "__name__", value) for name, value in settings.items()},
        validation=[round(value, 5) for value in watch.validation],
        validation_cpu=watch.cpu,
        epochs=len(watch.validation),
        best_epoch=int(np.argmax(watch.validation)) + 1,
        parameters=sum(p.numel() for p in model.torch_model.parameters()),
        sequences_a_cpu_second=round(shopper_count * share / watch.stepping, 1),
        tokens_a_cpu_second=round(lines * share / watch.stepping, 1),
        fitted_on="train",
    )


main()
