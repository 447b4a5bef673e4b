"""Products that training never met: a tenth of the catalogue is withheld, then looked for in the test baskets.

python -m tests.benchmarks.ranking.cold demo_shop --data .local/snapshots/1-… --texts texts.npy
python -m tests.benchmarks.ranking.cold beauty --data FOLDER
"""

# E shoppers, B shoppers of a batch, I products, M values of an attribute, K ranks, W width of what is known of one.
import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recommendations.ml import finishing, newcomers
from recommendations.ml.catching_up import Newest, catch_up
from recommendations.ml.config import from_json
from recommendations.ml.data import Catalogue, Histories, Ints, NextBaskets, offsets_of
from recommendations.ml.evaluation import Question, question
from recommendations.ml.kinds import Kinds
from recommendations.ml.loop import TrainingData, train
from recommendations.ml.metrics import hits, per_shopper
from recommendations.ml.model import Recommender
from recommendations.ml.ranking import owned_mask, scored, top
from tests.benchmarks.ranking import demo_shop, sequences
from tests.benchmarks.ranking.configurations import configuration
from tests.benchmarks.ranking.ours import popularity
from tests.benchmarks.ranking.prepared import Prepared

RESULTS = Path(__file__).parent / "results" / "cold"
AT = 20
SHARE = 0.1
DRAW = 20  # the seed of what is withheld, the same for everybody

Scores = Iterator[tuple[Ints, Tensor]]  # rows of E, [B, I + 1]; -inf for what the shopper had


def withheld(products: int) -> NDArray[np.bool_]:
    """[I + 1] True for the tenth that training never sees."""
    drawn = np.random.default_rng(DRAW).choice(products, round(SHARE * products), replace=False) + 1
    mask = np.zeros(products + 1, bool)
    mask[drawn] = True
    return mask


def without(histories: Histories, cold_I: NDArray[np.bool_], is_target: NDArray[np.bool_]) -> Histories:
    kept = ~cold_I[np.asarray(histories.items)]
    columns = {name: np.asarray(getattr(histories, name))[kept] for name in ("items", "times", "types")}
    return Histories(offsets=offsets_of(histories.offsets, kept), is_target=is_target, **columns)


def only(targets: NextBaskets, kept: NDArray[np.bool_]) -> NextBaskets:
    """Some of the lines, and the shoppers who have any of them."""
    row = np.repeat(np.arange(len(targets.shoppers)), np.diff(targets.offsets))
    counts = np.bincount(row[kept], minlength=len(targets.shoppers))
    return NextBaskets(
        shoppers=targets.shoppers[counts > 0],
        offsets=np.concatenate([[0], np.cumsum(counts[counts > 0])]).astype(np.int64),
        items=targets.items[kept],
        now=targets.now,
    )


class Cold:
    """A prepared set from whose past a tenth of the products is gone; what is asked of it is as before."""

    def __init__(self, prepared: Prepared, catalogue: Catalogue):
        self.prepared, self.catalogue = prepared, catalogue
        self.cold_I = withheld(catalogue.products)
        self.train = without(prepared.train, self.cold_I, prepared.is_target)
        self.validation = self._question(self.train, prepared.validation)
        self.test = self._question(without(prepared.context, self.cold_I, prepared.is_target), prepared.test)

    def _question(self, histories: Histories, targets: NextBaskets) -> Question:
        """Of shoppers who still have a history."""
        known = np.diff(histories.offsets)[np.repeat(targets.shoppers, np.diff(targets.offsets))] > 0
        recent = popularity(histories, self.catalogue.products, targets.now) if self.prepared.has_times else None
        return question(histories, only(targets, known), self.catalogue.products, recent)

    def measured(self, score: Callable[[Question, Ints], Scores], asked: Question) -> dict[str, float]:
        """recall@20 of withheld products, in the whole catalogue and among them alone; NDCG@10 of all products that are
        new to the shopper, and of those that were not withheld.
        """
        every = asked.by_kind["new"]
        cold = only(every, self.cold_I[every.items])
        ranked = {name: np.zeros((len(every.shoppers), AT), np.int64) for name in ("whole", "cold")}
        out_I = torch.from_numpy(~self.cold_I)
        for rows, scores_BI in score(asked, every.shoppers):
            ranked["whole"][rows] = top(scores_BI, AT)[1].numpy()
            ranked["cold"][rows] = top(scores_BI.masked_fill(out_I, float("-inf")), AT)[1].numpy()
        among = np.isin(every.shoppers, cold.shoppers)
        known = only(every, ~self.cold_I[every.items])
        return {
            "recall@20": self._recall(ranked["whole"][among], cold),
            "recall@20 among the withheld": self._recall(ranked["cold"][among], cold),
            "ndcg@10 of all new": self._ndcg(ranked["whole"], every),
            "ndcg@10 of the known": self._ndcg(ranked["whole"][np.isin(every.shoppers, known.shoppers)], known),
        }

    def _recall(self, ranked_EK: Ints, targets: NextBaskets) -> float:
        found_EK = hits(ranked_EK, targets, self.catalogue.products)
        return round(float((found_EK.sum(1) / np.diff(targets.offsets)).mean()), 4)

    def _ndcg(self, ranked_EK: Ints, targets: NextBaskets) -> float:
        found_EK = hits(ranked_EK[:, :10], targets, self.catalogue.products)
        return round(float(per_shopper(found_EK, np.diff(targets.offsets), at=10)["ndcg@10"].mean()), 5)

    def by_content(self, asked: Question, shoppers: Ints) -> Scores:
        """Cosine with the mean of what the shopper had."""
        vectors_IW, histories = known_of(self.catalogue), asked.histories
        for start in range(0, len(shoppers), 256):
            rows = np.arange(start, min(start + 256, len(shoppers)))
            place, line = histories.lines_of(shoppers[rows])
            mean_BW = np.zeros((len(rows), vectors_IW.shape[1]), np.float32)
            np.add.at(mean_BW, place, vectors_IW[histories.items[line]])
            scores_BI = torch.from_numpy(mean_BW @ vectors_IW.T)
            scores_BI[:, 0] = float("-inf")
            owned = owned_mask(histories, shoppers[rows], self.catalogue.products)
            yield rows, scores_BI.masked_fill(owned, float("-inf"))


def by(model: Recommender) -> Callable[[Question, Ints], Scores]:
    def score(asked: Question, shoppers: Ints) -> Scores:
        recent = asked.popularity_I if model.config.uses_popularity else None
        return scored(model, asked.histories, shoppers, now=asked.now, popularity_I=recent, only="new")

    return score


def known_of(catalogue: Catalogue) -> NDArray[np.float32]:
    """[I + 1, W] what is known of each product, each kind of it of length 1, and all together again."""
    blocks = []
    for name, values in catalogue.attributes.items():
        block = np.zeros((catalogue.products + 1, catalogue.sizes[name] + 1), np.float32)
        np.put_along_axis(block, values.astype(np.int64), 1.0, axis=1)
        blocks.append(block[:, 1:])
    if catalogue.texts is not None:
        blocks.append(catalogue.texts.astype(np.float32))
    return _unit(np.concatenate([_unit(block) for block in blocks], axis=1))


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float32] = rows / np.maximum(length, 1e-9)
    return unit


def run(cold: Cold, *, id_dropout: float, epochs: int) -> dict[str, Any]:
    """Because trained without the withheld products: as it comes from training, and placed as the product does."""
    name, has_times = cold.prepared.name, cold.prepared.has_times
    chosen = configuration(name, "ours", has_times=has_times)
    chosen["model"]["id_dropout"] = id_dropout
    chosen["model"]["uses_attributes"] = bool(cold.catalogue.attributes)
    model_config, config = from_json(chosen | {"training": chosen["training"] | {"epochs": epochs}})
    flags = [bool(flag) for flag in cold.prepared.is_target]
    began = time.process_time()
    every = cold.validation.by_kind["new"]
    kinds = Kinds.of([(number, 1.0, flag) for number, flag in enumerate(flags) if number], {})
    model, ran = train(
        model_config,
        config,
        TrainingData(
            histories=cold.train,
            catalogue=cold.catalogue,
            kinds=kinds,
            validation=only(every, ~cold.cold_I[every.items]),
        ),
        report=lambda epoch: print(epoch, flush=True),
    )
    served, asked = model, cold.test
    if has_times:  # before what is chosen is put in
        newest = Newest(histories=asked.histories, since=cold.validation.now, now=asked.now)
        served = catch_up(model, config, kinds, newest)
    finish = finishing.choose(model, cold.validation)
    if has_times:
        finishing.carry_over(finish, served, asked.histories, asked.popularity_I)
    seconds = round(time.process_time() - began)
    level = finish.newcomers or 0.0
    measured = {"validation": cold.measured(by(model), cold.validation), "test": cold.measured(by(served), cold.test)}
    return measured | {
        "id_dropout": id_dropout,
        "epochs": len(ran),
        "cpu_seconds": seconds,
        "level": level,
        "by level": by_level(cold, served, level),
    }


@torch.no_grad()
def by_level(cold: Cold, model: Recommender, level: float) -> dict[str, dict[str, float]]:
    """What another place for newcomers would have brought on the test, and cost."""
    newcomer_I = newcomers.newcomers(cold.test.histories, cold.catalogue.products)
    start, found = model.bias.weight[newcomer_I] - level, {}
    for other in newcomers.LEVELS[::2]:
        model.bias.weight[newcomer_I] = start + other
        found[str(other)] = cold.measured(by(model), cold.test)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", nargs="?", choices=("demo_shop", "beauty", "toys"))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--texts", type=Path, help="texts.npy of a snapshot with the same products")
    parser.add_argument("--encoder", default="", help="which encoder made them")
    parser.add_argument("--without-attributes", action="store_true")
    parser.add_argument("--id-dropout", type=float, default=0.1)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--report", action="store_true", help="write the table of all results")
    given = parser.parse_args()
    if given.dataset:
        measure(given)
    if given.report:
        RESULTS.with_suffix(".md").write_text(table())


def measure(given: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    is_shop = given.dataset == "demo_shop"
    prepared = demo_shop.prepare(given.data) if is_shop else sequences.prepare(given.dataset, given.data)
    catalogue = prepared.catalogue
    if given.without_attributes:
        catalogue = replace(catalogue, attributes={}, sizes={}, labels={})
    if given.texts:
        catalogue = replace(catalogue, texts=np.load(given.texts), encoder=given.encoder)
    cold = Cold(prepared, catalogue)
    every = cold.test.by_kind["new"]
    asked = only(every, cold.cold_I[every.items])
    result = {
        "dataset": given.dataset,
        "products": catalogue.products,
        "withheld": int(cold.cold_I.sum()),
        "shoppers": len(asked.shoppers),
        "pairs": len(asked.items),
        "attributes": sorted(catalogue.attributes),
        "texts": given.encoder,
        "content alone": cold.measured(cold.by_content, cold.test),
        "because": run(cold, id_dropout=given.id_dropout, epochs=given.epochs),
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    content = "+".join([*(["attributes"] if catalogue.attributes else []), *([given.encoder] if given.texts else [])])
    path = RESULTS / f"{given.dataset}-{content}-{given.id_dropout}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def table() -> str:
    """Rows of all JSON files: content alone, then Because with the same content."""
    lines = [
        "# Products that nobody has had yet",
        "",
        "A tenth of the products withheld from training and histories ([how](../README.md)). One seed each.",
        "",
        (
            "| data | what is known of a product | by | hidden ids | raised by | recall@20, whole catalogue "
            "| recall@20, among the withheld | NDCG@10, all new | NDCG@10, not withheld | epochs | CPU s |"
        ),
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for path in sorted(RESULTS.glob("*.json")):
        found = json.loads(path.read_text())
        ours = found["because"]
        known = content_of(found)
        for name, measured, rest in (
            ("content alone", found["content alone"], ("", "", "", "")),
            ("Because", ours["test"], tuple(ours[key] for key in ("id_dropout", "level", "epochs", "cpu_seconds"))),
        ):
            values = [f"{measured[key]:.4f}" for key in measured]
            cells = [found["dataset"], known, name, *rest[:2], *values, *rest[2:]]
            lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    lines += ["", "What another place for newcomers would have brought on the test, and cost:", ""]
    lines += ["| data | what is known of a product | raised by | recall@20, whole catalogue | NDCG@10, all new |"]
    lines += ["|---|---|---|---|---|"]
    for found in map(json.loads, map(Path.read_text, sorted(RESULTS.glob("*.json")))):
        for level, measured in found["because"]["by level"].items():
            recall, ndcg = measured["recall@20"], measured["ndcg@10 of all new"]
            lines.append(f"| {found['dataset']} | {content_of(found)} | {level} | {recall:.4f} | {ndcg:.4f} |")
    return "\n".join(lines) + "\n"


def content_of(found: dict[str, Any]) -> str:
    return ", ".join([*found["attributes"], *([found["texts"]] if found["texts"] else [])])


if __name__ == "__main__":
    main()
