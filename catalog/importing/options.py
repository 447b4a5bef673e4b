"""How a file is to be read: kept with the import, so that it can be resumed by another process."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What the person who imports decided, and where the file lies."""

    renamed: Mapping[str, str] = field(default_factory=dict)  # their heading -> our column; "" ignores it
    time_zone: str = ""  # of times that do not say
    encoding: str = "utf-8"
    delimiter: str = ""  # "" guesses from the headings
    path: str = ""  # on this machine; "" where it came through a pipe
    upload: str = ""  # its name in the default storage

    def to_json(self) -> dict[str, Any]:  # what a JSON field holds
        return {**asdict(self), "renamed": dict(self.renamed)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        known = {name: stored[name] for name in cls.__dataclass_fields__ if name in stored}
        return cls(**known)
