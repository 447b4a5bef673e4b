"""What the explanations of a version must show before it may be served.

By itself: enough verified reasons, none that does not hold, and DEL@3 and INS@3 better than recency's with the whole
interval. Beside the live version, on the same shoppers: nearly as many verified reasons, and most of its advantage over
recency (see `advantage`: raw DEL and INS of two models cannot be compared, so these stop nobody).
"""

from collections.abc import Mapping
from typing import Any

FEWEST_SHOPPERS = 30  # below that nothing can be said, and nothing is demanded
LEAST_VERIFIED = 0.5  # of the first products of shoppers with at least five units
TOLERANCE = 0.95  # a successor may lose this much coverage to the live version

TEXTS = {
    "verified_share": "share of first recommendations with a verified reason",
    "verified_share_of_live": "share with a verified reason against the live version",
    "deletion_of_live": "DEL@3: advantage over recency against what must be kept of the live version's, upper end",
    "insertion_of_live": "INS@3: advantage over recency against what must be kept of the live version's, upper end",
    "polarity_violations": "reasons that do not hold when replayed",
    "deletion_better_than_recency": "DEL@3 minus that of recency, the interval's upper end",
    "insertion_better_than_recency": "INS@3 minus that of recency, the interval's lower end",
}


def judge(measures: Mapping[str, Any], live: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """[{code, passed, value, bound}]; `live` are the live version's measures on the same shoppers, if there is one."""
    if measures.get("shoppers", 0) < FEWEST_SHOPPERS:
        return []
    checks: list[dict[str, Any]] = []

    def check(code: str, passed: bool, value: float, bound: float) -> None:
        checks.append({"code": code, "passed": passed, "value": round(value, 5), "bound": round(bound, 5)})

    share = float(measures["verified"])
    check("verified_share", share >= LEAST_VERIFIED, share, LEAST_VERIFIED)
    if live is not None and live.get("shoppers", 0) >= FEWEST_SHOPPERS:
        bound = TOLERANCE * float(live["verified"])
        check("verified_share_of_live", share >= bound, share, bound)
    if live is not None and live.get("compared", 0) >= FEWEST_SHOPPERS:
        for code, what in (("deletion_of_live", "del@3"), ("insertion_of_live", "ins@3")):
            _, _, high = live[f"kept_{what}"]
            check(code, high >= 0, high, 0)  # clearly worse: not even the interval's upper end keeps enough
    check("polarity_violations", measures["polarity_violations"] == 0, measures["polarity_violations"], 0)
    _, _, high = measures["ours_minus_recency_del@3"]
    check("deletion_better_than_recency", high < 0, high, 0)  # lower is better, with the whole interval
    _, low, _ = measures["ours_minus_recency_ins@3"]
    check("insertion_better_than_recency", low > 0, low, 0)
    return checks
