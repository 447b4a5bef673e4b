"""The columns of import files: one definition for the checks, the messages and the README."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from catalog.models import Import


class Type(StrEnum):
    """How a value is written in a file."""

    TEXT = "text"
    WHOLE = "whole number"
    DECIMAL = "decimal number"
    TIME = "time"
    YES_NO = "true or false"
    CURRENCY = "currency"
    CATEGORY = "category path"
    JSON = "JSON object"


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column of a file; its name is also its heading."""

    name: str
    type: Type = Type.TEXT
    is_required: bool = False  # the heading must be there and no row may leave it empty
    max_length: int | None = None
    description: str = ""
    example: str = ""


INTERACTIONS = (
    Column(
        name="event_id",
        is_required=True,
        max_length=100,
        description="Unique for the partner; a second row with the same id is known already and changes nothing.",
        example="489434-1",
    ),
    Column(
        name="shopper",
        max_length=100,
        description="Your id of the shopper, created when new. Empty: counted for popularity, part of no history.",
        example="13085",
    ),
    Column(name="product", is_required=True, max_length=100, description="The product's external id.", example="85048"),
    Column(
        name="event_type",
        is_required=True,
        max_length=40,
        description="view, cart, purchase, rating, return, not_interested, or one that staff added.",
        example="purchase",
    ),
    Column(
        name="occurred_at",
        type=Type.TIME,
        is_required=True,
        description="ISO 8601 with a zone; without one, say which with --time-zone.",
        example="2009-12-01T07:45:00Z",
    ),
    Column(name="quantity", type=Type.WHOLE, description="How many; of a return, how many came back.", example="12"),
    Column(name="unit_price", type=Type.DECIMAL, description="The price of one.", example="6.95"),
    Column(name="currency", type=Type.CURRENCY, description="Three capital letters.", example="GBP"),
    Column(name="value", type=Type.DECIMAL, description="A rating, for example.", example="4.5"),
    Column(name="basket", max_length=60, description="The order or visit it was part of.", example="489434"),
    Column(name="recommendation", max_length=60, description="The id of the recommendation that led here."),
)

PRODUCTS = (
    Column(name="external_id", is_required=True, max_length=100, description="Your id for it.", example="85048"),
    Column(
        name="title",
        max_length=300,
        description="Needed for a product that is new; a file may leave the column out to change others.",
        example="Christmas glass ball with 20 lights",
    ),
    Column(name="title_zh_hans", max_length=300, description="The title in Chinese.", example="圣诞玻璃球灯"),
    Column(name="description", max_length=10_000, description="Plain text."),
    Column(
        name="category",
        type=Type.CATEGORY,
        max_length=200,
        description="From the root, joined by /; created when new. Put what is no product under non-product.",
        example="home/lights",
    ),
    Column(name="brand", max_length=100),
    Column(name="price", type=Type.DECIMAL, description="Asked for now; needs a currency.", example="6.95"),
    Column(name="currency", type=Type.CURRENCY, description="Three capital letters.", example="GBP"),
    Column(
        name="attributes",
        type=Type.JSON,
        description="Facts; the model learns those that five products share.",
        example='{"colour": "red"}',
    ),
    Column(name="is_active", type=Type.YES_NO, description="false: never shown. Empty: true.", example="true"),
    Column(name="is_available", type=Type.YES_NO, description="false: out of stock. Empty: true.", example="true"),
    Column(name="launched_at", type=Type.TIME, description="When it was first sold.", example="2009-12-01T00:00:00Z"),
)

_COLUMNS = {Import.Kind.INTERACTIONS.value: INTERACTIONS, Import.Kind.PRODUCTS.value: PRODUCTS}


def columns_of(kind: str) -> tuple[Column, ...]:
    """The columns of a kind of import, in their order."""
    return _COLUMNS[kind]


def markdown(columns: Iterable[Column]) -> str:
    """The table of the README."""
    lines = ["| column | | type | what | example |", "|---|---|---|---|---|"]
    lines += [
        f"| `{column.name}` | {'required' if column.is_required else ''} | {column.type} | {column.description} "
        f"| {f'`{column.example}`' if column.example else ''} |"
        for column in columns
    ]
    return "\n".join(lines)
