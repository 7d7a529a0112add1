"""The rate of one access key over several machines: one row of the journal, by the database's clock."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

from importer.journal.place import driver
from importer.journal.postgres import PostgresDatabase, connect
from importer.journal.rate import OwnRate, RateState, decode_state

_LOOK_EVERY = 2.0
"""Seconds after which it is looked again which of the other runs are at work."""
_TAKE = """INSERT INTO rates (name, state) VALUES ($1, '')
           ON CONFLICT (name) DO UPDATE SET name = excluded.name
           RETURNING state, extract(epoch FROM clock_timestamp())::float8"""
_TIMES = ("next", "slowed_at", "paused_until")


class DatabaseRate(OwnRate):
    """The rate of an access key over all machines that use one journal.

    The row is locked while a request takes its turn. Where the database cannot be reached the run goes on by
    what it knows itself; it cannot journal anything then, and so sends nothing.
    """

    def __init__(
        self, database: PostgresDatabase, name: str, run: str, at_work: Callable[[str], bool]
    ) -> None:
        super().__init__(run)
        self._database = database
        self._name = name
        self._at_work = at_work
        self._checked: dict[str, float] = {}
        self._connection: Any = None
        self._errors = driver().Error

    @contextlib.contextmanager
    def hold(self) -> Iterator[RateState]:
        with self._mutex:
            offset = self._take()
            yield self._state
            if offset is not None:
                self._give(offset)

    def _take(self) -> float | None:
        """Lock the row and read it, its times by our own clock. Return the offset; None where that failed."""
        try:
            if self._connection is None or self._connection.closed:
                self._connection = connect(self._database.address, application="nxlink-importer rate")
                self._connection.execute("SET synchronous_commit = off")
            self._connection.execute("BEGIN")
            text, there = self._connection.execute(_TAKE, (self._name,)).fetchone()
        except self._errors:
            self._drop()
            return None
        offset: float = there - time.monotonic()
        try:
            state = decode_state(text.encode())
        except (ValueError, TypeError, AttributeError):
            state = RateState()
        _shift(state, -offset)
        for run in [run for run in state.rates if run != self.run and not self._works(run)]:
            del state.rates[run]
        self._state = state
        return offset

    def _give(self, offset: float) -> None:
        content = {each.name: getattr(self._state, each.name) for each in fields(self._state)}
        kept = RateState(**content | {"left": list(self._state.left), "rates": dict(self._state.rates)})
        _shift(kept, offset)
        content = {each.name: getattr(kept, each.name) for each in fields(kept)}
        try:
            self._connection.execute(
                "UPDATE rates SET state = $2 WHERE name = $1", (self._name, json.dumps(content))
            )
            self._connection.execute("COMMIT")
        except self._errors:
            self._drop()

    def _works(self, run: str) -> bool:
        now = time.monotonic()
        if now - self._checked.get(run, float("-inf")) > _LOOK_EVERY:
            if not self._at_work(run):
                return False
            self._checked[run] = now
        return True

    def _drop(self) -> None:
        with contextlib.suppress(Exception):
            self._connection.close()
        self._connection = None

    def close(self) -> None:
        """End the connection."""
        self._drop()


def _shift(state: RateState, seconds: float) -> None:
    """Move the times of a state from one clock to another; 0 stands for never."""
    for name in _TIMES:
        value = getattr(state, name)
        setattr(state, name, value + seconds if value else 0.0)
    state.left = [time + seconds for time in state.left]
