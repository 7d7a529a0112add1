"""Lanes: one sender at a time to a host, tenant and application, in the order of their tickets.

A run draws its ticket when it begins, before it reads. A ticket is a row of the journal and a file that its
process keeps locked: where the lock is free, the process is gone and the ticket is passed over. Whoever has
the first ticket takes the lock of the lane itself, which alone decides that nobody else sends.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Sequence
from datetime import datetime

from importer.dataclass import dataclass
from importer.errors import JournalError, LockedError
from importer.journal import row_states, schema
from importer.journal.database import Database, Fence, Row, Statements
from importer.journal.locks import Lock, LockHolder, Locks
from importer.journal.records import decode_time


@dataclass(frozen=True, slots=True)
class LaneUser:
    """A run that sends on a lane, or waits for its turn there."""

    pid: int
    run: str
    """Its id; empty while its file is being opened."""
    source: str
    since: datetime | None
    """When it drew its ticket."""
    rows: int | None
    """The rows of its file, or an estimate; None if nobody knows."""

    def found(self) -> dict[str, object]:
        """What sentences say of it, by the names of their places."""
        since = f"{self.since:%Y-%m-%d %H:%M:%S}" if self.since else "–"
        return {"run": self.run or "–", "file": self.source or "–", "pid": self.pid or "–", "since": since}


class Ticket:
    """One place in the order of a lane. Made by `Lanes.draw`; not for several threads at a time.

    `number` comes from the same count as the numbers of runs. A new run's number is that of its ticket, so
    runs are numbered in the order of their turns.
    """

    def __init__(self, database: Database, locks: Locks, lane: str, number: int, alive: Lock) -> None:
        self.lane = lane
        self.number = number
        self._database = database
        self._locks = locks
        self._alive = alive
        self._lane_lock = locks.lane(lane)
        self._run = ""
        self._has_turn = False
        self.fence: Fence | None = None
        """What each write of the sender carries, once it has the turn; None where no machine can be lost."""

    def describe(self, connection: Statements, run_id: str, source: str, rows: int | None) -> None:
        """Tell those who wait which run it is for. Inside the transaction that begins the run."""
        self._run = run_id
        connection.execute(
            "UPDATE tickets SET run = ?, source = ?, rows = ? WHERE number = ?",
            (run_id, source, rows, self.number),
        )

    def ahead(self) -> tuple[LaneUser, ...]:
        """Those who come before, in order: the first one sends or is about to. Empty if it is our turn."""
        if self._has_turn:
            return ()
        living, dead = _tickets(self._database, self._locks, self.lane, self.number)
        if dead:
            with self._database.transaction() as connection:
                _remove(connection, dead)
        if not living and not self._take():
            return (_holder(self._lane_lock),)
        return tuple(living)

    def take_turn(self) -> bool:
        """Take the lane if it is our turn. Return whether we have it; it stays ours until `release`."""
        return not self.ahead()

    def rows_left(self, user: LaneUser) -> int | None:
        """About how many rows of another run still wait for their final status; None if nobody knows."""
        if not user.run or user.rows is None:
            return None
        found = self._database.query("SELECT number FROM runs WHERE id = ?", (user.run,))
        if not found:
            return None
        settled = row_states.read_row_states(self._database, found[0]["number"]).settled_rows
        return max(user.rows - settled, 0)

    def release(self) -> None:
        """Give the place back, and the lane. May be called twice.

        The row stays until somebody draws or looks: it is of no ticket any more, since its lock is free.
        """
        if self._alive.held:
            if self.fence is not None:
                _give_back(self._database, self.fence)
            self._lane_lock.release()
            self._has_turn = False
            self._alive.release()
            self._alive.remove()

    def _take(self) -> bool:
        now = datetime.now().astimezone()
        try:
            self._lane_lock.acquire(LockHolder.current(self._run, now), "lane-busy")
        except LockedError:
            return False
        if self._database.shared:
            self.fence = _next_fence(self._database, self.lane)
        self._has_turn = True
        return True

    @property
    def may_be_lost(self) -> bool:
        """Whether the place can be lost while this process lives."""
        return self._database.shared

    def keep(self) -> None:
        """Make sure that the place is still ours, before an attempt: wait for a database that is away.

        Raises JournalError `journal-lane-lost` if another run has the lane.
        """
        if self._locks.keep() and self.fence is not None:
            _check_fence(self._database, self.fence)

    def look(self) -> None:
        """Look once more, when a request is signed and about to leave. Raises TurnDoubtError: it must not."""
        self._locks.look()


class Lanes:
    """All lanes of one journal."""

    def __init__(self, database: Database, locks: Locks) -> None:
        self._database = database
        self._locks = locks

    def draw(self, lane: str, source: str) -> Ticket:
        """Draw the next ticket of a lane (`Destination.lane`). The source is told to those who wait."""
        # Locked before anybody can see it, so that a ticket with a free lock is always a dead one.
        alive = self._locks.ticket(secrets.token_hex(8))
        now = datetime.now().astimezone()
        alive.acquire(LockHolder.current("", now), "lane-busy")
        try:
            _, dead = _tickets(self._database, self._locks, lane)
            with self._database.transaction() as connection:
                _remove(connection, dead)
                number = schema.next_number(self._database, connection)
                self._database.insert(
                    "tickets",
                    {
                        "number": number,
                        "lane": lane,
                        "lock": alive.name,
                        "pid": os.getpid(),
                        "run": "",
                        "source": source,
                        "drawn": now.isoformat(),
                    },
                )
        except BaseException:
            alive.release()
            alive.remove()
            raise
        return Ticket(self._database, self._locks, lane, number, alive)


def _tickets(
    database: Database, locks: Locks, lane: str, before: int | None = None
) -> tuple[list[LaneUser], list[Row]]:
    """The living tickets of a lane, or those before a number, in order; and the rows of dead ones."""
    found = database.query(
        "SELECT * FROM tickets WHERE lane = ? AND number < coalesce(?, number + 1) ORDER BY number",
        (lane, before),
    )
    living, dead = [], []
    for row in found:
        if locks.held(row["lock"]):
            with database.decoding():
                drawn = decode_time(row["drawn"])
            living.append(LaneUser(row["pid"], row["run"], row["source"], drawn, row["rows"]))
        else:
            locks.remove(row["lock"])
            dead.append(row)
    return living, dead


_NEXT_FENCE = """INSERT INTO lanes (lane, fence, clean) VALUES (?, 1, 0)
                 ON CONFLICT (lane) DO UPDATE SET fence = lanes.fence + 1, clean = 0 RETURNING fence"""


def _next_fence(database: Database, lane: str) -> Fence:
    """Number the sender of a lane; what the one before still writes is refused from now on."""
    with database.transaction() as connection:
        return Fence(lane, int(connection.execute(_NEXT_FENCE, (lane,)).fetchone()[0]))


def _give_back(database: Database, fence: Fence) -> None:
    with contextlib.suppress(JournalError), database.transaction(fence) as connection:
        connection.execute("UPDATE lanes SET clean = 1 WHERE lane = ?", (fence.lane,))


def _check_fence(database: Database, fence: Fence) -> None:
    """Raise JournalError `journal-lane-lost` if another run has taken the lane."""
    with database.transaction(fence):
        pass


def _remove(connection: Statements, dead: Sequence[Row]) -> None:
    rows = [(row["number"], row["lock"]) for row in dead]
    connection.executemany("DELETE FROM tickets WHERE number = ? AND lock = ?", rows)


def _holder(lock: Lock) -> LaneUser:
    """Who holds a lane without a ticket in this journal: it was moved aside meanwhile."""
    holder = lock.holder()
    if holder is None:
        return LaneUser(0, "", "", None, None)
    return LaneUser(holder.pid, holder.run, "", decode_time(holder.since), None)
