"""The terminal: a rich console that prints on any of them, and what is not one."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

PIPED_WIDTH = 100
"""Columns where nobody says how many there are: a log, a pipe."""


def console(*, stderr: bool = False) -> Console:
    """A console on stdout or stderr. NO_COLOR and COLUMNS are obeyed; what the terminal's code page lacks
    (an old Windows console) becomes a question mark instead of an error."""
    from rich.console import Console

    class Terminal(Console):
        """Rich would end the program with code 1 where its reader has gone (`| head`)."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    stream = sys.stderr if stderr else sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        with contextlib.suppress(ValueError, OSError):
            stream.reconfigure(errors="replace")
    terminal = Terminal(file=stream, highlight=False, markup=False, emoji=False)
    if not terminal.is_terminal and "COLUMNS" not in terminal._environ:
        terminal.width = PIPED_WIDTH
    return terminal
