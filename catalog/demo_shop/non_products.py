"""Stock codes that the shop used for postage, fees, corrections, vouchers and tests, and what they are called."""

_TITLES = {
    "post": "Postage",
    "dot": "Postage of online orders",
    "c2": "Carriage",
    "c3": "Carriage",
    "23444": "Next day carriage",
    "23574": "Packing charge",
    "22016": "Gift voucher of £100",
    "m": "Manual entry",
    "d": "Discount",
    "s": "Samples",
    "b": "Bad debt",
    "bank charges": "Bank charges",
    "amazonfee": "Marketplace fee",
    "adjust": "Adjustment",
    "adjust2": "Adjustment",
    "pads": "Pads to match all cushions",
    "test001": "Test product",
    "test002": "Test product",
}


def title(code: str) -> str | None:
    """The title of a code that is no product; None for a product. Codes are case-folded."""
    if code == "gift":
        return "Gift voucher"
    if code.startswith("gift_"):
        return f"Gift voucher of £{code.rsplit('_', 1)[1]}"
    return _TITLES.get(code)
