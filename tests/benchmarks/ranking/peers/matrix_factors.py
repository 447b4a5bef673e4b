"""implicit's ALS and BPR. `python matrix_factors.py implicit-als|implicit-bpr PREPARED ANSWER`."""

import numpy as np
import scipy
from exchange import RANKS, Array, CapReached, Task
from implicit import __version__
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

# The library's defaults, but for what its authors' benchmarks scale with the data: 64 factors for the table at
# width 64. Iterations stop by validation NDCG@10, as for every contestant.
ROUNDS = {"implicit-als": 3, "implicit-bpr": 20}
PATIENCE = 3
MOST = 30


def matrix(task: Task, part: str) -> csr_matrix:
    offsets, items, _ = task.histories(part)
    counts = csr_matrix((np.ones(len(items), np.float32), items, offsets), shape=(len(offsets) - 1, task.products + 1))
    counts.sum_duplicates()
    return counts


def main() -> None:
    task = Task()
    train, context = matrix(task, "train"), matrix(task, "context")
    rounds = ROUNDS[task.contestant]
    validated = task.data["validation_shoppers"]
    kind = "new" if "new" in task.kinds else "all"
    losses: list[float] = []
    kept: tuple[Array, Array] | None = None
    task.timer.restart()
    with threadpool_limits(1):
        if task.contestant == "implicit-als":
            model = AlternatingLeastSquares(factors=64, iterations=rounds, random_state=task.seed, num_threads=1)
        else:
            model = BayesianPersonalizedRanking(factors=63, iterations=rounds, random_state=task.seed, num_threads=1)
        while len(losses) - int(np.argmax(losses or [0])) <= PATIENCE and len(losses) < MOST:
            model.fit(train, show_progress=False)  # goes on from the factors that it has
            users, items = np.asarray(model.user_factors), np.asarray(model.item_factors)
            ranked = task.rank(lambda shoppers: users[shoppers] @ items.T, validated, "train", kind, 10)  # noqa: B023
            losses.append(task.validation_ndcg(ranked))
            if losses[-1] == max(losses):
                kept = users.copy(), items.copy()
            try:
                task.timer.check()
            except CapReached:
                break
        task.timer.lap("training")

        assert kept is not None
        model.user_factors, model.item_factors = kept
        asked = task.data["test_shoppers"]
        if task.contestant == "implicit-als":  # folds the validation interactions in, as its authors do for new ones
            model.user_factors[asked] = model.recalculate_user(asked, context[asked])
        answers = {}
        for kind in task.kinds:
            if kind == "new":
                table, _ = model.recommend(
                    asked, context[asked], N=RANKS, filter_already_liked_items=True, filter_items=[0]
                )
                answers[kind] = table
                task.timer.lap("ranking")
            else:
                users, items = model.user_factors, model.item_factors
                answers[kind] = task.rank(lambda s: users[s] @ items.T, asked, "context", kind)  # noqa: B023
    task.write(
        answers,
        versions={"implicit": __version__, "numpy": np.__version__, "scipy": scipy.__version__},
        settings={"factors": 64, "epochs_a_round": rounds, "others": "the library's defaults"},
        validation=[round(value, 5) for value in losses],
        epochs=rounds * len(losses),
        best_epoch=rounds * (int(np.argmax(losses)) + 1),
    )


main()
