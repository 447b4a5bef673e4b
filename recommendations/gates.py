"""What a trained version must show before it may be served."""

from collections.abc import Mapping
from typing import Any

TOLERANCE = 0.95  # a successor may lose this much NDCG@10 to the live version: newer data are worth something
MOST_ECE = 0.05


def judge(
    *, metrics: Mapping[str, Any], calibration: Mapping[str, Any], live: Mapping[str, Any] | None
) -> dict[str, Any]:
    """{"passed": bool, "checks": [{code, passed, value, bound, text}]}; `live` holds the live version's measures on the
    same snapshot, or None where there is none or it cannot be asked the same question."""
    checks = []

    def check(code: str, passed: bool, value: float, bound: float, text: str) -> None:
        checks.append(
            {"code": code, "passed": passed, "value": round(value, 5), "bound": round(bound, 5), "text": text}
        )

    for kind, baseline_names in (("new", ("popular", "recent_popular", "item_knn")), ("repeat", ("popular",))):
        measured = metrics.get(kind)
        if measured is None:
            continue
        ours = measured["transformer"]["ndcg@10"]
        for name in baseline_names:
            theirs = measured[name]["ndcg@10"]
            check(f"{kind}_beats_{name}", ours > theirs, ours, theirs, f"NDCG@10 on {kind} products above {name}")
    if live is not None and "new" in live and "new" in metrics:
        bound = TOLERANCE * live["new"]["transformer"]["ndcg@10"]
        ours = metrics["new"]["transformer"]["ndcg@10"]
        check("not_worse_than_live", ours >= bound, ours, bound, "NDCG@10 on new products against the live version")
    for placement, entry in calibration.items():
        check(f"calibrated_{placement}", entry["ece"] <= MOST_ECE, entry["ece"], MOST_ECE, "expected calibration error")
    return {"passed": all(entry["passed"] for entry in checks), "checks": checks}
