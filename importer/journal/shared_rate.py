"""The rate of one access key over several machines: one row of the journal, by the database's clock.

One statement takes turns for all requests that a process wants to send now. Each is a time, so far from the
others that a request which leaves a little late makes no second see more than the rate.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from importer.journal.postgres import PostgresDatabase
from importer.journal.rate import NO_WAIT, REMEMBERED, SILENCE, OwnRate, RateState, Turn
from importer.journal_place import driver

_LOOK_EVERY = 2.0
"""Seconds after which it is looked again which of the other runs are at work."""
_LATE = 0.025
"""Seconds after its time in which a turn may still be used."""
_APART = 2 * _LATE
"""Seconds beyond one by which as many turns as a second may see are apart: room for a turn that is used
late, and for requests that differ in how long they take."""
_AHEAD = 0.5
"""Seconds of turns that a process takes at most in one statement."""
_AGAIN = 0.001
"""Seconds after which it is looked once more."""
_OLD = 1.0
"""Seconds after which it is looked whether the server has asked for a pause since."""
_COUNTED = 10.0
"""Seconds over which turns are counted."""
_BEGIN = """WITH known AS (INSERT INTO rate_turns (name) VALUES ($1) ON CONFLICT (name) DO NOTHING)
            INSERT INTO rate_bounds (name, run, rate) SELECT $1, $2, $3::float8 WHERE $3::float8 IS NOT NULL
            ON CONFLICT (name, run) DO UPDATE SET rate = excluded.rate"""
_END = "DELETE FROM rate_bounds WHERE name = $1 AND run = $2"
_LOWER = "SELECT run FROM rate_bounds WHERE name = $1 AND run <> $2 AND rate < coalesce($3::float8, rate + 1)"
_NOW = "extract(epoch FROM clock_timestamp())::float8"
_SLOW = f"""CASE WHEN seen.now - greatest(t.slowed_at, t.paused_until, t.next) > {SILENCE} THEN 0
            ELSE t.slow END"""
_STEP = f"greatest(seen.bound, {_SLOW})"
_TAKE = f"""
UPDATE rate_turns AS t SET
    slow = {_SLOW},
    next = CASE WHEN {_STEP} > 0 THEN greatest(t.next, seen.now, t.paused_until) + seen.turns * {_STEP}
                ELSE t.next END,
    counted = CASE WHEN seen.now - t.since > {_COUNTED} THEN 0 ELSE t.counted END + seen.turns,
    since = CASE WHEN seen.now - t.since > {_COUNTED} THEN seen.now ELSE t.since END
FROM (SELECT {_NOW} AS now, rate,
             coalesce(1 / rate + {_APART} / greatest(floor(rate + 1e-9), 1), 0) AS bound,
             greatest(least($2::float8, floor({_AHEAD} * rate)), 1)::bigint AS turns
      FROM (SELECT min(rate) AS rate FROM rate_bounds WHERE name = $1) AS lowest) AS seen
WHERE t.name = $1
RETURNING t.next, greatest(seen.bound, t.slow), seen.turns, t.slow, t.paused_until, seen.rate, {_NOW}"""  # noqa: S608 - our own names
_PAUSE = f"SELECT paused_until - {_NOW} FROM rate_turns WHERE name = $1"  # noqa: S608 - our own names
_STATE = f"""SELECT next, slow, slowed_at, paused_until, counted, since, {_NOW} FROM rate_turns
             WHERE name = $1 FOR UPDATE"""  # noqa: S608 - our own names
_KEEP = "UPDATE rate_turns SET next = $2, slow = $3, slowed_at = $4, paused_until = $5 WHERE name = $1"


class DatabaseRate(OwnRate):
    """The rate of an access key over all machines that use one journal.

    Where the database cannot be reached the run goes on by what it knows itself; it cannot journal anything
    then, and so sends nothing.
    """

    turn_lasts = 0.5

    def __init__(
        self, database: PostgresDatabase, name: str, run: str, at_work: Callable[[str], bool]
    ) -> None:
        super().__init__(run)
        self._database = database
        self._name = name
        self._at_work = at_work
        self._looked = float("-inf")
        self._rate: float | None = None
        self._turns: deque[float] = deque()
        self._taken = Turn(0.0, 0.0)
        self._offset, self._took, self._compared = 0.0, 0.0, float("-inf")
        self._connection: Any = None
        self._errors = driver().Error

    def take(self, now: Callable[[], float], rate: float | None, wanted: int = 1) -> Turn:
        with self._mutex:
            try:
                found = self._next(now) or self._ask(now, rate, wanted)
            except self._errors:
                self._drop()
                found = None
        return found or super().take(now, rate, wanted)

    def _next(self, now: Callable[[], float]) -> Turn | None:
        """Return the next of the turns that were taken ahead; None if there is none."""
        if not self._turns:
            return None
        taken, moment = self._taken, now()
        if moment - taken.now > _OLD:
            pause = self._connected().execute(_PAUSE, (self._name,)).fetchone()
            if pause is None or now() + pause[0] > self._turns[0]:
                self._turns.clear()
                return None
        while self._turns and self._turns[0] < moment - _LATE:
            self._turns.popleft()
        if not self._turns:
            return None
        wait = self._turns[0] - moment
        if wait <= NO_WAIT:
            self._turns.popleft()
        return Turn(moment, wait, True, taken.slowed, taken.paused_until, taken.lowest)

    def _ask(self, now: Callable[[], float], rate: float | None, wanted: int) -> Turn:
        """Take turns from the database, and return the first."""
        connection = self._connected()
        if rate != self._rate or self._looked == float("-inf"):
            connection.execute(_BEGIN, (self._name, self.run, rate))
            self._rate = rate
        if now() - self._looked > _LOOK_EVERY:
            self._looked = now()
            for (run,) in connection.execute(_LOWER, (self._name, self.run, rate)).fetchall():
                if not self._at_work(run):
                    connection.execute(_END, (self._name, run))
        asked = now()
        found = connection.execute(_TAKE, (self._name, wanted)).fetchone()
        if found is None:  # somebody has emptied the journal
            self._looked = float("-inf")
            return Turn(now(), _AGAIN, True)
        after, step, turns, slow, paused_until, lowest, there = found
        moment = now()
        offset = self._compare(there, asked, moment)
        taken = Turn(
            moment,
            paused_until - there,
            step > 0,
            slow > 0,
            paused_until - offset if paused_until else 0.0,
            float("inf") if lowest is None else lowest,
        )
        if not step:
            return taken
        self._taken = taken
        self._turns = deque(after - left * step - offset for left in range(turns, 0, -1))
        return self._next(now) or Turn(now(), _AGAIN, True)

    def _compare(self, there: float, asked: float, answered: float) -> float:
        """Return how far the database's clock is ahead of ours, by the quickest answer of the last minute.

        The longer an answer took, the less it says: this process, or the network, may have stood still.
        """
        took = answered - asked
        if took <= self._took or answered - self._compared > SILENCE:
            self._offset, self._took, self._compared = there - answered, took, answered
        return self._offset

    @contextlib.contextmanager
    def hold(self) -> Iterator[RateState]:
        with self._mutex:
            offset = None
            try:
                offset = self._lock()
            except self._errors:
                self._drop()
            yield self._state
            if offset is not None:
                self._keep(offset)

    def _lock(self) -> float:
        """Lock the row and read it, its times by our own clock. Return how far the database's is ahead."""
        connection = self._connected()
        connection.execute("BEGIN")
        found = connection.execute(_STATE, (self._name,)).fetchone()
        if found is None:
            connection.execute(
                "INSERT INTO rate_turns (name) VALUES ($1) ON CONFLICT DO NOTHING", (self._name,)
            )
            found = connection.execute(_STATE, (self._name,)).fetchone()
        *times, counted, since, there = found
        offset: float = there - time.monotonic()
        following, slow, slowed_at, paused_until = times
        state = self._state = RateState(
            _moved(following, -offset), slow, _moved(slowed_at, -offset), _moved(paused_until, -offset)
        )
        bounds = connection.execute("SELECT run, rate FROM rate_bounds WHERE name = $1", (self._name,))
        state.rates = dict(bounds.fetchall())
        # When each request left is not kept: they are spread over the time for which they were counted.
        latest = min(there, following)
        if counted > 1 and latest > since and state.interval:
            spread = (latest - since) / (counted - 1)
            state.left = [
                latest - offset - spread * back for back in range(min(counted, REMEMBERED) - 1, -1, -1)
            ]
        return offset

    def _keep(self, offset: float) -> None:
        state = self._state
        following, slowed_at, paused_until = (
            _moved(moment, offset) for moment in (state.next, state.slowed_at, state.paused_until)
        )
        if state.paused_until > time.monotonic() or state.slow > 0:
            self._turns.clear()
        try:
            self._connection.execute(_KEEP, (self._name, following, state.slow, slowed_at, paused_until))
            self._connection.execute("COMMIT")
        except self._errors:
            self._drop()

    def _connected(self) -> Any:
        if self._connection is None or self._connection.closed:
            self._connection = self._database.connect("rate")
            self._looked = float("-inf")
        return self._connection

    def _drop(self) -> None:
        with contextlib.suppress(Exception):
            self._connection.close()
        self._connection = None

    def close(self) -> None:
        """End the connection; the run's bound holds for nobody any more."""
        with contextlib.suppress(Exception):
            self._connection.execute(_END, (self._name, self.run))
        self._drop()


def _moved(moment: float, seconds: float) -> float:
    """Return a time on another clock; 0 stands for never."""
    return moment + seconds if moment else 0.0
