"""What the README says about the raw lines."""

from pathlib import Path

from catalog.demo_shop import dirt
from catalog.demo_shop.source import Line

README = Path(dirt.__file__).with_name("README.md")


def test_the_raw_lines_are_as_unclean_as_the_readme_says(lines: list[Line]) -> None:
    counted = dirt.count(lines)

    assert counted == dirt.Dirt(
        lines=866_191,
        shoppers=5_500,
        codes=4_976,
        invoices=42_601,
        without_shopper=196_942,
        duplicates=9_367,
        cancellations=9_877,
        accounting_entries=3,
        negative_outside_cancellations=2_057,
        zero_price=4_443,
        negative_price=3,
        non_product=4_692,
        without_real_description=3_642,
        codes_with_several_titles=512,
        codes_never_sold=376,
        usable=657_236,
    )
    text = README.read_text(encoding="utf-8")
    assert [name for name in counted.__slots__ if f"| {getattr(counted, name):,} |" not in text] == []
