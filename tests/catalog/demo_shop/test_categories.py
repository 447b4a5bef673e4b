"""The groups and how right the rule is."""

import csv
import re
from collections import Counter
from pathlib import Path

import pytest

from catalog.demo_shop import categories
from catalog.demo_shop.prepare import ProductRow
from catalog.demo_shop.source import Line

LABELS = list(csv.DictReader((Path(__file__).parent / "labelled_titles.csv").open(encoding="utf-8")))
HELD_OUT = [row for row in LABELS if row["sample"] == "held-out"]
DRAFTING = [row for row in LABELS if row["sample"] == "drafting"]


def test_there_are_between_12_and_25_groups_in_two_levels() -> None:
    leaves = [group for group in categories.leaves() if group.path != categories.NON_PRODUCT]

    assert len(leaves) == 23  # "Other" included
    assert {group.path.count("/") for group in categories.GROUPS} == {0, 1}


def test_every_group_is_complete_and_stands_after_its_department() -> None:
    paths = [group.path for group in categories.GROUPS]

    assert len(set(paths)) == len(paths) == 29
    for group in categories.GROUPS:
        assert re.fullmatch(r"[a-z0-9-]+(/[a-z0-9-]+)?", group.path)
        assert group.name_en.isascii()
        assert re.search(r"[\u4e00-\u9fff]", group.name_zh_hans)
        assert group.glyph
        assert 0 <= group.hue < 360
        assert "/" not in group.path or paths.index(group.path.split("/")[0]) < paths.index(group.path)


def test_every_rule_leads_to_a_group_that_holds_products() -> None:
    leaves = {group.path for group in categories.leaves()}

    assert {path for path, _ in categories.RULES} <= leaves - {categories.OTHER, categories.NON_PRODUCT}


@pytest.mark.parametrize(
    ("title", "path"),
    [
        ("60 cake cases vintage Christmas", "paper/seasonal"),  # a feast comes first
        ("Travel card wallet skulls", "accessories/travel"),
        ("Playing cards keep calm & carry on", "children/toys"),
        ("Recipe box retrospot", "kitchen/linen"),
        ("Set of 2 red spotty tea towels", "kitchen/linen"),
        ("Light pink cherry lights", "home/lights"),
        ("Set of 3 bird light pink feather", "home/ornaments"),  # a colour is no light
        ("Lunch box with cutlery retrospot", "kitchen/storage"),
        ("Office mug warmer pink", "other"),
    ],
)
def test_the_first_rule_whose_words_occur_decides(title: str, path: str) -> None:
    assert categories.categorise(title) == path


def test_the_labels_are_200_held_out_and_200_drafting_titles() -> None:
    assert (len(HELD_OUT), len(DRAFTING)) == (200, 200)
    assert len({row["stock_code"] for row in LABELS}) == 400
    assert {row["category"] for row in LABELS} <= {group.path for group in categories.leaves()}


def test_197_of_200_held_out_titles_are_in_their_group() -> None:
    right = sum(categories.categorise(row["title"]) == row["category"] for row in HELD_OUT)

    assert right == 197


def test_the_labelled_titles_are_the_titles_of_the_shop(product_rows: dict[str, ProductRow]) -> None:
    assert {row["stock_code"]: row["title"] for row in LABELS} == {
        row["stock_code"]: product_rows[row["stock_code"]].title for row in LABELS
    }


def test_a_thousandth_of_the_usable_lines_is_in_other(lines: list[Line], product_rows: dict[str, ProductRow]) -> None:
    groups = Counter(product_rows[line.code].category for line in lines if line.is_sale and line.customer is not None)
    del groups[categories.NON_PRODUCT]

    assert groups.total() == 657_236
    assert groups[categories.OTHER] == 611
    assert len(groups) == 23
    assert min(groups, key=groups.__getitem__) == categories.OTHER
