"""What the demo tells while it works: a line a step, and one that moves inside a long step."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


class Console:
    """One line per step; progress overwrites itself on a terminal and is said now and then elsewhere."""

    def __init__(self, output: TextIO, *, every: float = 10.0) -> None:
        self._output = output
        self._is_terminal = output.isatty()
        self._pause = 0.2 if self._is_terminal else every
        self._said_at = 0.0

    def say(self, text: str) -> None:
        self._write(("\r\x1b[K" if self._is_terminal else "") + text + "\n")

    def progress(self, text: str) -> None:
        """Called as often as the worker likes; shown as often as a reader likes."""
        now = time.monotonic()
        if now - self._said_at < self._pause:
            return
        self._said_at = now
        self._write(f"\r\x1b[K  … {text}" if self._is_terminal else f"  … {text}\n")

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Say that it begins, and that it ended and after how long."""
        began = self._said_at = time.monotonic()
        self.say(f"→ {title}")
        yield
        self.say(f"✓ {title} ({time.monotonic() - began:.0f} s)")

    def _write(self, text: str) -> None:
        self._output.write(text)
        self._output.flush()
