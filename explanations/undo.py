"""How a message says that its act can be taken back."""

from dataclasses import dataclass

from django.urls import reverse

UNDO = "undo"


@dataclass(frozen=True, kw_only=True, slots=True)
class Undo:
    url: str
    field: str  # what the form names: a product or a group
    number: str


def undo_tags(*, act: str, field: str = "product", number: int) -> str:
    """Tags for the message: `act` is the URL name of what takes it back."""
    return f"{UNDO} {act} {field} {number}"


def undo_from(tags: str) -> Undo | None:
    """What `undo_tags` wrote, or nothing where a message cannot be undone."""
    pieces = tags.split()
    if len(pieces) != 4 or pieces[0] != UNDO:
        return None
    return Undo(url=reverse(pieces[1]), field=pieces[2], number=pieces[3])
