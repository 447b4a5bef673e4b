"""Which code is running."""

from pathlib import Path


def code_revision(folder: Path) -> str:
    """The commit of a checkout, read from its files (starting git would cost every process); "" where there is none."""
    head = folder / ".git" / "HEAD"
    try:
        name = head.read_text().strip()
        if not name.startswith("ref: "):
            return name[:12]
        return (folder / ".git" / name.removeprefix("ref: ")).read_text().strip()[:12]
    except OSError:
        return ""
