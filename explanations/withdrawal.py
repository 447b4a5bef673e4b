"""What is taken out of a shopper's history goes from what is stored of their explanations, in the same transaction."""

from collections import Counter
from collections.abc import Collection
from typing import Any

from explanations.contract import Status
from explanations.models import Explanation
from recommendations.models import Slate

# Not taken for the unchanged result of a refresh, which would keep the explanation that has lost a part.
IN_PART = ""


def withdraw(*, shopper_id: int, product_ids: Collection[int]) -> None:
    """No stored contract of the shopper cites one of the products any more, in any run, superseded or not.

    What cited one loses its reasons and is withheld until the refresh that follows; ranks and ids keep their meaning.
    """
    gone = set(product_ids)
    rows = Explanation.objects.select_for_update().filter(slate__shopper=shopper_id, slate__shopper__isnull=False)
    for explanation in rows.order_by("pk"):
        contracts = explanation.contracts["contracts"]
        citing = [contract for contract in contracts if _cites(contract, gone)]
        if not citing:
            continue
        for contract in citing:
            for field in ("r", "o", "sh", "cf"):  # reasons, opposing, shares by history, counterfactual
                contract.pop(field, None)
            contract["st"] = Status.WITHHELD.value
        statuses = Counter(contract["st"] for contract in contracts)
        explanation.verified = statuses[Status.VERIFIED.value]
        explanation.fallback = statuses[Status.FALLBACK.value]
        explanation.withheld = statuses[Status.WITHHELD.value]
        explanation.save(update_fields=["contracts", "verified", "fallback", "withheld"])
        Slate.objects.filter(pk=explanation.slate_id).update(history_hash=IN_PART)


def _cites(contract: dict[str, Any], gone: set[int]) -> bool:
    """By product and not by interaction: a contract names only the latest of many."""
    reasons = [*contract.get("r", ()), *contract.get("o", ())]
    removed = contract["cf"][1] if "cf" in contract else ()
    return not gone.isdisjoint(removed) or any(unit[0] in gone for reason in reasons for unit in reason["e"])
