"""The baskets that chose the best epoch are learnt too, so that what is served knows the newest habits and products."""

# P periods, I products.
import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

from recommendations.ml import newcomers
from recommendations.ml.batches import BatchMaker
from recommendations.ml.config import TrainingConfig
from recommendations.ml.data import DAY, Histories, Ignored, Unwanted
from recommendations.ml.kinds import Kinds
from recommendations.ml.learner import Learner
from recommendations.ml.loop import one_epoch, popularity_in, reproducible
from recommendations.ml.model import Recommender
from recommendations.ml.parallel import ALONE, Group


@dataclass(frozen=True, kw_only=True, slots=True)
class Newest:
    """All that was known at `now`; what came since `since` was not trained on yet."""

    histories: Histories
    since: int
    now: int
    unwanted: Unwanted | None = None
    ignored: Ignored | None = None


def catch_up(
    model: Recommender,
    config: TrainingConfig,
    kinds: Kinds,
    newest: Newest,
    *,
    device: str = "cpu",
    group: Group = ALONE,
    check: Callable[[], None] = lambda: None,
) -> Recommender:
    """A copy of `model` that went on for `config.catching_up` epochs; `model` stays as it was chosen.

    1. Products that were first met since begin with an id that says nothing and learn it now.
    2. A training on the newest baskets (`fresh_days`) sees all of those that came since, and a sample of older ones.
    3. Nothing is left to stop early by, so the number of epochs is fixed. The random numbers of each depend on (seed,
    epoch) alone: the same model catches up to the same bytes.
    Group and check as in `loop.train`; every process of a group ends with the same weights.
    """
    later = copy.deepcopy(model)
    if not config.catching_up:
        return later
    if config.fresh_days:
        config = replace(config, fresh_days=(newest.now - newest.since) / DAY)
    products = len(model.bias.weight) - 1
    newcomer_I = newcomers.newcomers(newest.histories, products)
    popularity_PI, start = popularity_in(newest.histories, products, model.config, now=newest.now)
    later.to(device)
    learner = Learner(later, config)
    batches = BatchMaker(newest.histories, kinds, model.config, config, newest.unwanted, newest.ignored)
    for number in range(config.epochs + 1, config.epochs + 1 + config.catching_up):  # none that an epoch before had
        with reproducible(config.seed * 1_000_003 + number), newcomers.held(later, newcomer_I):
            one_epoch(learner, batches, config, number, popularity_PI, start, check, group)
        newcomers.settle(learner.served, newcomer_I)
    later.load_state_dict(learner.served.state_dict())
    return later.eval().to("cpu")
