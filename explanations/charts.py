"""The three pictures of one recommendation: two sums that are never chained, and what each removal changes."""

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from explanations.inspection import Inspected
from explanations.replaying import SecondOpinion
from recommendations import charts
from recommendations.charts import Bar

OPINIONS = 10  # bars of a chart
PARTS = {  # short: the column of labels is narrow
    "id": gettext_lazy("the product itself"),
    "category": gettext_lazy("its group"),
    "group": gettext_lazy("its group"),
    "department": gettext_lazy("its department"),
    "price_band": gettext_lazy("its price band"),
    "brand": gettext_lazy("its brand"),
    "other": gettext_lazy("its other attributes"),
    "text": gettext_lazy("its words"),
    "bias": gettext_lazy("how it sells in general"),
    "recent_popularity": gettext_lazy("how it sells lately"),
    "repeat": gettext_lazy("met before"),
}


def by_product_part(inspected: Inspected) -> SafeString | None:
    """Baseline + parts = score, exactly."""
    split = inspected.contract.split
    if split is None:
        return None
    steps = [
        Bar(label=str(PARTS.get(name, name.replace("_", " "))), value=value) for name, value in split.parts.items()
    ]
    if abs(split.residual) > 1e-9:
        steps.append(Bar(label=_("rounding"), value=split.residual))
    return charts.waterfall(
        title=_("The score by part of the product"),
        start=Bar(label=_("the average product"), value=split.baseline),
        steps=steps,
        total=_("score"),
        unit=_("score (log-odds scale of the model)"),
    )


def by_history(inspected: Inspected) -> SafeString | None:
    """Nothing → the rest → +E3 → +E2 → +E1 = score, exactly; the order is part of the claim."""
    contract = inspected.contract
    shares = contract.shares
    if shares is None:
        return None
    steps = [Bar(label=_("the rest of the history"), value=shares.rest)]
    for position in reversed(range(len(shares.reasons))):
        reason = contract.reasons[position] if position < len(contract.reasons) else None
        name = inspected.evidence(reason) if reason else ""
        steps.append(Bar(label=f"+E{position + 1} {name}".strip(), value=shares.reasons[position]))
    return charts.waterfall(
        title=_("The score by what the shopper did"),
        start=Bar(label=_("an empty history"), value=shares.nothing),
        steps=steps,
        total=_("score"),
        unit=_("score (log-odds scale of the model)"),
    )


def leave_one_out(inspected: Inspected) -> SafeString | None:
    """What each removal alone changes; these do not add up."""
    contract = inspected.contract
    reasons = sorted((*contract.reasons, *contract.opposing), key=lambda reason: -reason.delta)
    if not reasons:
        return None
    return charts.signed_bars(
        title=_("For and against: what leaving each out alone changes"),
        bars=[
            Bar(
                label=inspected.evidence(reason),
                value=reason.delta,
                note=""
                if reason.rank_without is None
                else _("(rank %(rank)d → %(without)d)")
                % {"rank": contract.target.rank, "without": reason.rank_without},
            )
            for reason in reasons
        ],
        unit=_("change of log p (nats); right: speaks for it, left: speaks against it"),
    )


def second_opinion(found: SecondOpinion) -> SafeString | None:
    """The strongest Shapley values, for and against; those that our reasons name say so."""
    strongest = sorted(found.opinions, key=lambda opinion: -abs(opinion.value))[:OPINIONS]
    if not strongest:
        return None
    return charts.signed_bars(
        title=_("A second opinion: Shapley values"),
        bars=[
            Bar(
                label=opinion.name,
                value=opinion.value,
                note=_("(our reason %(place)d)") % {"place": opinion.place} if opinion.place else "",
            )
            for opinion in sorted(strongest, key=lambda opinion: -opinion.value)
        ],
        unit=_("share of the change of log p by the whole history (nats)"),
    )
