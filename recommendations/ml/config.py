"""Every choice of the model and of its training, with the sizes that are ready to use."""

from dataclasses import asdict, dataclass, replace
from typing import Any

LAG_BUCKETS = 40  # how many baskets back, and how long ago, as a model tells them apart: see `history`
GAP_BUCKETS = 24
MOST_TIMES = 20  # how often a product was met, counted so far: see `repeats`


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """Shape of the transformer and which features it uses."""

    width: int = 64
    blocks: int = 1  # the last one is the read-out
    heads: int = 2
    history: int = 512  # lines of a shopper's history that are seen, the most recent ones
    dropout: float = 0.2
    feed_forward: int = 4  # inner width / width
    uses_types: bool = True  # event type of each interaction
    uses_times: bool = True  # time gaps; off where the data has an order but no times
    uses_attributes: bool = True  # categories, price band, …
    uses_texts: bool = True  # vectors of title and description, where the snapshot has them
    uses_popularity: bool = True  # recent popularity in the bias
    uses_repeats: bool = True  # how often and how lately the product itself was met
    predicts_types: bool = True  # views, baskets, ratings beside what is ranked for, each with a state of its own
    id_dropout: float = 0.1  # share of products whose id is hidden in a step, so that content learns to stand alone

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} cannot be divided among {self.heads} heads")
        if self.blocks < 1:
            raise ValueError("blocks must be at least 1")
        if not 0 <= self.dropout < 1 or not 0 <= self.id_dropout < 1:
            raise ValueError("dropout and id_dropout must be in [0, 1)")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingConfig:
    """How the weights are found."""

    epochs: int = 10
    patience: int = 3  # epochs without a better validation NDCG@10
    validated_shoppers: int = 20_000  # at most so many, evenly taken, are asked after each epoch
    batch_lines: int = 12_000  # history lines in a batch, padding included: bounds memory whatever the data
    accumulate: int = 1  # batches in a step; several processes share them
    precision: str = "auto"  # bf16 where there are units for it (on processors: to score the catalogue), else fp32
    is_compiled: bool = False  # torch.compile: a minute of warming up, then faster steps
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    clip: float = 1.0
    averaging: float = 0.0  # what stays, a step, of the running mean of the weights that is served; 0: the last weights
    negatives: int = 0  # shared by the batch; 0: softmax over the whole catalogue
    masking: float = 0.25  # share of sequences with randomly masked history
    completion: float = 0.5  # share of baskets of which a random part is shown and the rest asked for
    catching_up: int = 2  # epochs that follow the best one, with the baskets that chose it; 0: they are not learnt
    basket_power: float = 0.5  # a basket of n products weighs n ** basket_power
    moment_days: float = 28.0  # a basket weighs as long as it was the next one, up to so many days; 0: all the same
    half_life_days: float = 0.0  # older baskets weigh less; 0: all the same
    auxiliary: float = 0.5  # weight of what is predicted beside, × the strength of its event type
    unwanted: float = 20.0  # how often a product that the shopper does not want stands among the negatives
    ignored: float = 5.0  # how often one that the shopper was shown in vain stands among them, for the newest basket
    fresh_days: float = 0.0  # > 0: train on baskets of so many last days and a sample of older ones, not on all
    replay: float = 1.0  # so many windows of older baskets for each of fresh ones
    seed: int = 1

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.patience < 1 or self.validated_shoppers < 1:
            raise ValueError("epochs, patience and validated_shoppers must be at least 1")
        if self.catching_up < 0:
            raise ValueError("catching_up must not be negative")
        if self.accumulate < 1:
            raise ValueError("accumulate must be at least 1")
        if self.precision not in {"auto", "fp32", "bf16"}:
            raise ValueError("precision must be auto, fp32 or bf16")
        if self.learning_rate <= 0:
            raise ValueError("learning_rate must be positive")
        if not 0 <= self.averaging < 1:
            raise ValueError("averaging must be in [0, 1)")
        if not 0 <= self.masking <= 1:
            raise ValueError("masking must be in [0, 1]")
        if not 0 <= self.completion <= 1:
            raise ValueError("completion must be in [0, 1]")
        if self.moment_days < 0 or self.half_life_days < 0:
            raise ValueError("moment_days and half_life_days must not be negative")
        if self.fresh_days < 0 or self.replay < 0:
            raise ValueError("fresh_days and replay must not be negative")
        if self.unwanted < 0 or self.ignored < 0 or self.auxiliary < 0:
            raise ValueError("unwanted, ignored and auxiliary must not be negative")


SIZES: dict[str, ModelConfig] = {
    "small": ModelConfig(),
    "base": ModelConfig(width=256, blocks=2, heads=4, history=200, dropout=0.3),
    "large": ModelConfig(width=512, blocks=4, heads=8, history=400, dropout=0.3),
}


PARTS = frozenset({"size", "model", "training"})


def to_json(model: ModelConfig, training: TrainingConfig) -> dict[str, Any]:
    return {"model": asdict(model), "training": asdict(training)}


def from_json(stored: dict[str, Any]) -> tuple[ModelConfig, TrainingConfig]:
    """Raises TypeError on an unknown name, ValueError on an impossible value."""
    unknown = sorted(stored.keys() - PARTS)
    if unknown:
        raise TypeError(
            f"{', '.join(unknown)} is not a part of a configuration. "
            'Remedy: write {"size": …, "model": {…}, "training": {…}}, choices of the model under "model".'
        )
    size = stored.get("size", "small")
    if size not in SIZES:
        raise ValueError(f"size {size!r} is not one of {', '.join(SIZES)}")
    model = SIZES[size]
    return replace(model, **stored.get("model", {})), TrainingConfig(**stored.get("training", {}))
