"""The weights that a configuration has, told without building the model (or loading torch)."""

from collections.abc import Mapping

from recommendations.ml.config import GAP_BUCKETS, LAG_BUCKETS, MOST_TIMES, ModelConfig

Shape = tuple[int, ...]

# What weights of an earlier release do not name, with the values that leave them as they were.
LATER = {"repeats.fading.weight": 0.0, "repeats.rise": 0.0, "repeats.trust": 1.0}


def shapes(
    config: ModelConfig, *, products: int, sizes: Mapping[str, int], kinds: int, text_width: int | None
) -> dict[str, Shape]:
    """Name -> shape. `sizes`: attribute -> number of its values; `text_width`: None where no texts were read."""
    width = config.width
    found: dict[str, Shape] = {
        "products.ids.weight": (products + 1, width),
        "bias.weight": (products + 1, 1),
        "popularity_weight": (),
        "empty": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
    }
    if config.uses_attributes:
        found |= {f"products.attributes.{name}.weight": (size + 1, width) for name, size in sizes.items()}
    if text_width is not None:
        found["products.projection.weight"] = (width, text_width)
    if config.uses_types:
        found["types.weight"] = (kinds + 1, width)
    if config.uses_times:
        found["gaps.weight"] = (GAP_BUCKETS, width)
    if config.predicts_types:
        found["aims"] = (kinds + 1, width)
    if config.uses_repeats:
        found |= {
            "repeats.count.weight": (MOST_TIMES + 1, 1),
            "repeats.fading.weight": (GAP_BUCKETS, 1),
            "repeats.rise": (),
            "repeats.tendency.weight": (products + 1, 1),
            "repeats.inclination.weight": (2, width),
            "repeats.inclination.bias": (2,),
        }
        if config.uses_times:
            found["repeats.gap.weight"] = (GAP_BUCKETS, 1)
    for number in range(config.blocks):
        found |= {f"blocks.{number}.{name}": shape for name, shape in _block(config).items()}
    return found


def _block(config: ModelConfig) -> dict[str, Shape]:
    width, heads, inner = config.width, config.heads, config.feed_forward * config.width
    found: dict[str, Shape] = {
        "attention.query.weight": (width, width),
        "attention.query.bias": (width,),
        "attention.key.weight": (width, width),
        "attention.value.weight": (width, width),
        "attention.value.bias": (width,),
        "attention.out.weight": (width, width),
        "attention.out.bias": (width,),
        "attention.null_logit": (heads,),
        "attention.null_value": (heads, width // heads),
        "attention.lag_bias.weight": (LAG_BUCKETS, heads),
        "feed_forward.0.weight": (inner, width),
        "feed_forward.0.bias": (inner,),
        "feed_forward.3.weight": (width, inner),
        "feed_forward.3.bias": (width,),
    }
    if config.uses_times:
        found["attention.gap_bias.weight"] = (GAP_BUCKETS, heads)
    for norm in ("norm_query", "norm_key", "norm_hidden"):
        found |= {f"{norm}.weight": (width,), f"{norm}.bias": (width,)}
    return found
