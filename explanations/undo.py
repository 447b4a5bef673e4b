"""How a message says that its act can be taken back."""

from dataclasses import dataclass

from django.urls import reverse

UNDO = "undo"


@dataclass(frozen=True, kw_only=True, slots=True)
class Undo:
    url: str
    product_id: str


def undo_tags(*, act: str, product_id: int) -> str:
    """Tags for the message: `act` is the URL name of what takes it back."""
    return f"{UNDO} {act} {product_id}"


def undo_from(tags: str) -> Undo | None:
    """What `undo_tags` wrote, or nothing where a message cannot be undone."""
    pieces = tags.split()
    if len(pieces) != 3 or pieces[0] != UNDO:
        return None
    return Undo(url=reverse(pieces[1]), product_id=pieces[2])
