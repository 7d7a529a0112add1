"""What the journal needs of a database, whichever it is: statements, transactions, time.

Statements are written once, in what SQLite and PostgreSQL have in common; values stand where there is `?`, or
`?2` for the second one.
"""

from __future__ import annotations

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from importer.dataclass import dataclass
from importer.models import Note

Row = Mapping[str, Any]
"""One row that a query found, by column name."""


class Cursor(Protocol):
    """What a statement found, as tuples."""

    def fetchone(self) -> Any: ...
    def fetchall(self) -> Any: ...


class Statements(Protocol):
    """Carries out statements inside a transaction."""

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor: ...
    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> object: ...


@dataclass(frozen=True, slots=True)
class Fence:
    """The number under which a run sends on a lane. Where another run has taken the lane, it is too low."""

    lane: str
    number: int


class Database(ABC):
    """One connection to the journal; threads take turns. Any failure is raised as a JournalError."""

    place: str
    """What sentences call it: a path, or an address without credentials."""
    path: Path
    """The file. Of a database on a server: that of this machine, beside which its own notes would lie."""
    moved_aside: Path | None = None
    """The damaged journal that this one replaces, if there was one."""
    shared = False
    """Whether several machines may use it."""
    patience = 300.0
    """Seconds for which a database that is away is waited for, once it was open."""
    stopped: Callable[[], object] = staticmethod(lambda: None)
    """Returns something once nobody wants to wait any more."""
    signed_for = 0.0
    """Seconds for which a request of a sender that is lost may still be on its way."""

    @abstractmethod
    def transaction(self, fence: Fence | None = None) -> AbstractContextManager[Statements]:
        """Write everything inside at once, or nothing. It is durable when the block ends.

        `fence`: nothing is written if another run has taken the lane since; JournalError
        `journal-lane-lost` then.
        """

    @abstractmethod
    def insert(self, table: str, values: Mapping[str, object]) -> int:
        """Insert one row into a table whose key is `number`, inside a `transaction`. Returns the number."""

    @abstractmethod
    def query(self, sql: str, values: tuple[object, ...] = ()) -> Sequence[Row]:
        """All rows that a SELECT finds."""

    @abstractmethod
    def decoding(self) -> AbstractContextManager[None]:
        """Raise `journal-damaged` where code inside meets a value that no importer has written.

        SQLite has no checksums, so it hands out what has changed on the disk: a state that does not exist, or
        `{"rows":` that ends there. `with database.decoding(): RunState(row["state"])`.
        """

    @contextlib.contextmanager
    def patient(self, seconds: float, stopped: Callable[[], object]) -> Iterator[None]:
        """Wait as long as this for a database that is away, or until `stopped` returns something."""
        before = self.patience, self.stopped
        self.patience, self.stopped = seconds, stopped
        try:
            yield
        finally:
            self.patience, self.stopped = before

    def alone(self, connection: Statements) -> None:
        """Make other transactions that call this wait for the end of this one; those of SQLite do so anyway.

        Numbers of runs and tickets are drawn one at a time.
        """
        del connection

    def now(self) -> float:
        """Seconds since 1970 by the clock that all users of the journal share."""
        return time.time()

    @property
    def losses(self) -> tuple[Note, ...]:
        """What the journal has lost and nobody has acknowledged. A server guards its own log: none there."""
        return ()

    def acknowledge_losses(self) -> tuple[Note, ...]:
        """Forget what was lost, and return it."""
        return ()

    @abstractmethod
    def vacuum(self) -> None:
        """Free the space of deleted runs, so that nothing of them is left on the disk."""

    @abstractmethod
    def close(self) -> None:
        """End the connection."""
