"""The counted lookup is the scattered one."""

import torch
from torch.nn import functional

from recommendations.ml.lookup import lookup


def test_values_and_gradient_are_those_of_an_embedding() -> None:
    generator = torch.Generator().manual_seed(1)
    table = torch.randn(5, 2, generator=generator, requires_grad=True)
    index = torch.randint(0, 5, (3, 4, 7), generator=generator)
    slope = torch.randn(3, 4, 7, 2, generator=generator)

    (ours,) = torch.autograd.grad(lookup(table, index), table, slope)
    (theirs,) = torch.autograd.grad(functional.embedding(index, table), table, slope)

    assert torch.equal(lookup(table, index), functional.embedding(index, table))
    torch.testing.assert_close(ours, theirs)
