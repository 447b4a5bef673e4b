"""Which numbers a training multiplies in: bfloat16 where the processor has units for it, float32 elsewhere."""

from contextlib import AbstractContextManager

import torch


def has_bf16_units(device: str) -> bool:
    """Whether products of matrices in bfloat16 are faster than in float32 here, not just possible."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # torch offers nothing public for these two; without them a product in bfloat16 is thirty times slower.
    return device == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def of_products(precision: str, device: str) -> torch.dtype:
    """The type for scoring the whole catalogue, where nearly all multiplications are. Sums are kept in float32."""
    is_low = precision == "bf16" or (precision == "auto" and has_bf16_units(device))
    return torch.bfloat16 if is_low else torch.float32


def autocast(precision: str, device: str) -> AbstractContextManager[object]:
    """The type for the rest: on a processor, a small model spends more on converting than it saves."""
    is_low = precision == "bf16" or (precision == "auto" and device == "cuda" and has_bf16_units(device))
    return torch.autocast(device, torch.bfloat16, enabled=is_low)
