"""What the program's exit says to a script, and which code a run ends with.

docs/reports-and-codes.md, “Exit codes”, explains each to people.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importer.errors import ImporterError


class ExitCode(IntEnum):
    """What the program's exit says to a script."""

    DONE = 0
    ROWS_LEFT = 1
    USAGE = 2
    INPUT = 3
    REFUSED = 4
    AWAY = 5
    TRIPWIRE = 6
    FAULT = 70
    LOCKED = 75
    INTERRUPTED = 130
    TERMINATED = 143

    @property
    def resumable(self) -> bool:
        """True if the run stopped before its end, so that `importer resume` can go on with it."""
        return self in _RESUMABLE


_RESUMABLE = frozenset(
    {ExitCode.REFUSED, ExitCode.AWAY, ExitCode.FAULT, ExitCode.INTERRUPTED, ExitCode.TERMINATED}
)


_BY_WEIGHT = (
    ExitCode.DONE,
    ExitCode.LOCKED,  # nothing was done, and nothing is wrong
    ExitCode.ROWS_LEFT,
    ExitCode.TRIPWIRE,
    ExitCode.USAGE,
    ExitCode.INPUT,
    ExitCode.AWAY,
    ExitCode.REFUSED,
    ExitCode.FAULT,
    ExitCode.INTERRUPTED,
    ExitCode.TERMINATED,
)


def worst_exit_code(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the exit code of several rounds: the worst of theirs, 0 for none."""
    return max(codes, key=_BY_WEIGHT.index, default=ExitCode.DONE)


def run_exit_code(stop: ImporterError | None, *, done: bool) -> ExitCode:
    """Return the exit code of a run.

    `stop`: why it ended before the end of its file, None if it did not. `done`: every row that it read is in,
    or needed nothing.
    """
    if stop is None:
        return ExitCode.DONE if done else ExitCode.ROWS_LEFT
    # A file that broke off may have had more rows, however well those went that could be read.
    if not done or stop.exit_code in (ExitCode.TRIPWIRE, ExitCode.INPUT):
        return stop.exit_code
    return ExitCode.DONE
