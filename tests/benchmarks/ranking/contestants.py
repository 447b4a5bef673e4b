"""Who takes part, what runs them, and the figures that their authors or others have published."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Contestant:
    """`script` is a file of `peers/` run by `environment`'s Python, or a module of this package run by ours."""

    name: str
    label: str
    script: str
    environment: str = ""  # a file of peers/requirements/; empty: the project's own

    @property
    def is_ours(self) -> bool:
        return self.script == "ours"


CONTESTANTS = {
    contestant.name: contestant
    for contestant in (
        Contestant(name="ours", label="Because", script="ours"),
        Contestant(name="ours-ids", label="Because, ids only", script="ours"),
        Contestant(name="ours-not-caught-up", label="Because, validation not learnt", script="ours"),
        Contestant(name="ours-unmasked", label="Because, validation not learnt, without masking", script="ours"),
        Contestant(name="ours-never-masked", label="Because, without masking", script="ours"),
        Contestant(name="ours-whole-baskets", label="Because, validation not learnt, whole baskets", script="ours"),
        Contestant(name="ours-causal", label="Because, validation not learnt, causal read-out", script="ours"),
        Contestant(name="popular", label="Popular", script="classics"),
        Contestant(name="popular-7-days", label="Popular, last 7 days", script="classics"),
        Contestant(name="item-knn", label="ItemKNN", script="classics"),
        Contestant(name="ease", label="EASE", script="classics"),
        Contestant(name="personal-frequency", label="Personal frequency", script="classics"),
        Contestant(name="implicit-als", label="implicit ALS", script="matrix_factors", environment="implicit"),
        Contestant(name="implicit-bpr", label="implicit BPR", script="matrix_factors", environment="implicit"),
        Contestant(name="rectools-sasrec", label="RecTools SASRec", script="rectools_sasrec", environment="rectools"),
        Contestant(name="rectools-esasrec", label="RecTools eSASRec", script="rectools_sasrec", environment="rectools"),
        Contestant(name="replay-sasrec", label="RePlay SASRec", script="replay_sasrec", environment="replay"),
        Contestant(name="recbole-sasrec", label="RecBole SASRec", script="recbole_sasrec", environment="recbole"),
    )
}

# HR@10 / NDCG@10 with the whole catalogue ranked, leave-one-out; each is the best public figure for that name.
PUBLISHED = {
    "beauty": {
        "SASRec, cross-entropy, 108-point grid": (0.0974, 0.0588),
        "SASRec, sampled softmax (RecTools)": (0.0921, 0.0531),
        "eSASRec (RecTools)": (0.0928, 0.0523),
        "ActionPiece": (0.0775, 0.0424),
        "TIGER": (0.0648, 0.0384),
        "S3-Rec": (0.0647, 0.0327),
    },
    "toys": {
        "SASRec, sampled softmax (RecTools)": (0.0970, 0.0580),
        "eSASRec (RecTools)": (0.0939, 0.0538),
        "TIGER": (0.0712, 0.0432),
    },
}
