"""Which heading of a file is which column of ours."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from catalog.importing.columns import Column
from catalog.importing.rows import Unreadable


def positions(headings: Sequence[str], columns: Sequence[Column], renamed: Mapping[str, str]) -> dict[str, int]:
    """Where each of our columns stands in the file; raises Unreadable, naming every heading that is wrong.

    `renamed` maps their heading to our column; an empty name ignores theirs.
    """
    ours = [column.name for column in columns]
    complaints = [
        f'"{theirs}" is mapped, but the file has no such heading.' for theirs in renamed if theirs not in headings
    ]
    found: dict[str, int] = {}
    for position, heading in enumerate(headings):
        name = renamed.get(heading, heading)
        if heading in renamed and not name:
            continue
        if name not in ours:
            near = get_close_matches(name.lower().replace(" ", "_"), ours, n=1)
            guess = f" Did you mean --map {heading!r}={near[0]}?" if near else ""
            complaints.append(f'"{name}" is no column.{guess} Leave it out with --map {heading!r}= (nothing after =).')
        elif name in found:
            complaints.append(f'"{name}" occurs twice.')
        else:
            found[name] = position
    needed = [column.name for column in columns if column.is_required]
    complaints += [f'"{name}" is missing.' for name in needed if name not in found]
    if complaints:
        raise Unreadable("\n".join([*complaints, f"The columns are: {', '.join(ours)}."]))
    return found
