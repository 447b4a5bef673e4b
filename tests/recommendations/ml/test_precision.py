"""Where bfloat16 is used."""

import pytest
import torch

from recommendations.ml import precision


@pytest.mark.parametrize(
    ("chosen", "has_units", "expected"),
    [
        ("auto", True, torch.bfloat16),
        ("auto", False, torch.float32),
        ("fp32", True, torch.float32),
        ("bf16", False, torch.bfloat16),
    ],
)
def test_auto_multiplies_in_bfloat16_only_where_there_are_units_for_it(
    monkeypatch: pytest.MonkeyPatch, chosen: str, has_units: bool, expected: torch.dtype
) -> None:
    monkeypatch.setattr(precision, "has_bf16_units", lambda device: has_units)

    assert precision.of_products(chosen, "cpu") == expected


@pytest.mark.parametrize(("chosen", "expected"), [("auto", False), ("fp32", False), ("bf16", True)])
def test_on_a_processor_the_rest_is_cast_only_when_asked_for(chosen: str, expected: bool) -> None:
    with precision.autocast(chosen, "cpu"):
        assert torch.is_autocast_enabled("cpu") == expected
