"""Our settings on each data set. Chosen on validation data only; the README says how many were tried."""

from typing import Any

SEQUENCES: dict[str, Any] = {
    "model": {"blocks": 1, "dropout": 0.4, "history": 50, "id_dropout": 0.0},
    "training": {"learning_rate": 3e-3, "epochs": 60, "patience": 3, "batch_lines": 1_500, "averaging": 0.99},
}
SHOPS: dict[str, Any] = {"model": {"history": 512}, "training": {"epochs": 12, "patience": 3, "batch_lines": 4_000}}
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "beauty": SEQUENCES,
    "toys": SEQUENCES,
    "demo_shop": SHOPS,
    "complete_journey": SHOPS,  # taken over from the demo shop, not chosen here
}
VARIANTS: dict[str, dict[str, Any]] = {
    "ours": {},
    "ours-ids": {"model": {"uses_attributes": False}},
    # What one choice brings is told without catching up, beside "ours-not-caught-up".
    "ours-unmasked": {"training": {"masking": 0.0, "catching_up": 0}},
    "ours-never-masked": {"training": {"masking": 0.0}},
    "ours-not-caught-up": {"training": {"catching_up": 0}},
    "ours-whole-baskets": {"training": {"completion": 0.0, "catching_up": 0}},
    "ours-causal": {"training": {"masking": 0.0, "catching_up": 0}},
}


def configuration(dataset: str, contestant: str, *, has_times: bool) -> dict[str, dict[str, Any]]:
    """What `ml.config.from_json` reads."""
    base, variant = CONFIGURATIONS[dataset], VARIANTS[contestant]
    model = base["model"] | variant.get("model", {})
    if not has_times:
        # An order alone: no gaps, no recent weeks, one type of event, and products already met are not asked for.
        unknown = ("uses_times", "uses_popularity", "uses_types", "predicts_types", "uses_repeats")
        model |= dict.fromkeys(unknown, False)
    return {"model": model, "training": base["training"] | variant.get("training", {})}
