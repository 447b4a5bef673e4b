"""A virtual environment for each peer library: their requirements collide with each other's and with ours."""

import hashlib
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "peers" / "requirements"


def python(name: str, cache: Path) -> Path:
    """The environment's Python; made on first use, and again when its requirements change."""
    wanted = REQUIREMENTS / f"{name}.txt"
    folder = cache / "environments" / name
    mark = folder / "requirements.sha256"
    checksum = hashlib.sha256(wanted.read_bytes()).hexdigest()
    if not mark.exists() or mark.read_text() != checksum:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(folder / "bin" / "pip"), "install", "--quiet", "-r", str(wanted)], check=True)
        mark.write_text(checksum)
    return folder / "bin" / "python"
