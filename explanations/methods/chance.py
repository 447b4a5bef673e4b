"""Chance, the lowest control: a number that knows nothing but which shopper, unit and product it is for."""

from torch import Tensor

from explanations.methods.protocol import Question, only_units


def chance(asked: Question) -> Tensor:
    """Equal for equal questions, whoever is asked beside."""
    unit_BU1, item_B1K = asked.cases.unit_item_BU.unsqueeze(-1), asked.items_BK.unsqueeze(1)
    shopper_B11 = (asked.cases.history.times_BL * asked.cases.real_BL).sum(1).view(-1, 1, 1)
    mixed = (unit_BU1 * 0x9E3779B1 + item_B1K * 0x85EBCA77 + shopper_B11 * 0xC2B2AE3D) & 0xFFFFFFFF
    for shift in (16, 13, 16):  # the finish of MurmurHash3
        mixed = ((mixed ^ (mixed >> shift)) * 0x85EBCA6B) & 0xFFFFFFFF
    return only_units(asked.cases, (mixed.double() / 2**32).float())
