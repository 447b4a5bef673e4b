"""The demo shop's groups, derived from titles alone: the first rule whose words occur in a title decides."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

OTHER = "other"
NON_PRODUCT = "non-product"


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """One group as it is shown; a path with "/" is inside the department before it."""

    path: str
    name_en: str
    name_zh_hans: str
    glyph: str
    hue: int


_DATA = tomllib.loads((Path(__file__).parent / "data" / "categories.toml").read_text(encoding="utf-8"))

# Departments come before what is inside them, so the tree can be built in this order.
GROUPS: tuple[Group, ...] = tuple(
    Group(path=group["path"], name_en=group["en"], name_zh_hans=group["zh"], glyph=group["glyph"], hue=group["hue"])
    for group in _DATA["groups"]
)
RULES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (rule["group"], re.compile(r"(?<![\w'])(?:" + "|".join(rule["words"]) + r")(?![\w'])")) for rule in _DATA["rules"]
)


def categorise(title: str) -> str:
    """Return the path of the group for a title as `titles.show` writes it; `other` when no rule fits."""
    text = title.lower()
    return next((path for path, words in RULES if words.search(text)), OTHER)


def leaves() -> tuple[Group, ...]:
    """The groups that hold products: those inside a department, `other`, and `non-product`."""
    departments = {group.path.split("/")[0] for group in GROUPS if "/" in group.path}
    return tuple(group for group in GROUPS if group.path not in departments)
