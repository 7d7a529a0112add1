"""What a lane's customers hold: only what was accepted, and only the newest of each customer."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from importer.batching import ContactSets
from importer.exit_codes import ExitCode
from importer.journal import BatchState, BegunEntry, Journal, RunJournal, RunState, SettledEntry
from importer.models import Batch
from tests.support.journal import DESTINATION, record

Line = tuple[int, frozenset[int]]
"""Content and contacts of a row."""
LANE = DESTINATION.lane


def table(lines: Sequence[Line]) -> tuple[np.ndarray, np.ndarray]:
    contacts = np.zeros((len(lines), 3), dtype=np.int64)
    for place, (_, keys) in enumerate(lines):
        contacts[place, : len(keys)] = sorted(keys)
    # The same content has the same contacts.
    contents = [hash((content, tuple(sorted(keys)))) for content, keys in lines]
    return contacts, np.array(contents, dtype=np.int64)


def send(run: RunJournal, lines: Sequence[Line], state: BatchState | None) -> None:
    contacts, contents = table(lines)
    fields = np.zeros(len(lines), dtype=np.uint32)
    rows = tuple(range(2, len(lines) + 2))
    batch = Batch(1, "", rows, [b"{}"] * len(rows), ContactSets(contacts, fields, contents))
    entry = run.entry()
    run.write([BegunEntry(entry, batch, 0, b"")], ())
    if state is not None:
        run.write((), [SettledEntry(entry, (), state)])


def same(journal: Journal, lines: Sequence[Line]) -> list[bool]:
    return [bool(one) for one in journal.contents.of(LANE).look_up(*table(lines)).same]


@contextmanager
def journals() -> Iterator[Journal]:
    with tempfile.TemporaryDirectory() as folder, Journal.open(Path(folder) / "journal.db") as journal:
        yield journal


def held(history: Sequence[tuple[Line, bool]], asked: Line) -> bool:
    """The rule (docs/which-rows.md), as plainly as it can be written."""
    _, contacts = asked
    if not contacts:
        return any(line == asked and known for line, known in history)
    customer = set(contacts)
    while any(customer & keys and not keys <= customer for (_, keys), _ in history):
        for (_, keys), _ in history:
            customer |= keys if customer & keys else set()
    newest = [(line, known) for line, known in history if line[1] & customer]
    return bool(newest) and newest[-1] == (asked, True)


LINES = st.tuples(st.integers(1, 3), st.frozensets(st.integers(1, 5), max_size=3))
STATES = st.sampled_from([BatchState.ACCEPTED] * 3 + [None, *BatchState])


@given(
    st.lists(
        st.tuples(st.lists(LINES, min_size=1, max_size=4), STATES, st.booleans()),
        max_size=6,
    ),
    st.lists(LINES, min_size=1, max_size=6),
)
def test_what_is_held_is_the_newest_line_of_all_that_shares_contacts(
    sent: list[tuple[list[Line], BatchState | None, bool]], asked: list[Line]
) -> None:
    history: list[tuple[Line, bool]] = []
    with journals() as journal:
        for number, (lines, state, ends) in enumerate(sent):
            with journal.start(record(f"run-{number}", settings='{"changed_only": true}')) as run:
                send(run, lines, state)
                if ends:
                    run.finish(RunState.FINISHED, ExitCode.DONE, {})
            if state is not BatchState.NOT_SENT:
                history += [(line, state is BatchState.ACCEPTED) for line in lines]
        assert same(journal, asked) == [held(history, line) for line in asked]


def test_nothing_is_kept_for_a_lane_in_which_nobody_asked_for_changed_rows() -> None:
    line = (1, frozenset({7}))
    with journals() as journal:
        with journal.start(record("run-1")) as run:
            send(run, [line], BatchState.ACCEPTED)
        assert not journal.contents.keeps(LANE)
        with journal.start(record("run-2", settings='{"changed_only": true}')) as run:
            send(run, [line], BatchState.ACCEPTED)
        with journal.start(record("run-3")) as run:
            send(run, [(2, frozenset({7}))], BatchState.ACCEPTED)
        assert same(journal, [line, (2, frozenset({7}))]) == [False, True]


def test_what_was_sent_without_a_fingerprint_is_unknown() -> None:
    line = (1, frozenset({7}))
    contacts, _ = table([line])
    with journals() as journal:
        with journal.start(record("run-1", settings='{"changed_only": true}')) as run:
            send(run, [line], BatchState.ACCEPTED)
            bare = ContactSets(contacts, np.zeros(1, dtype=np.uint32))
            entry = run.entry()
            run.write([BegunEntry(entry, Batch(2, "", (2,), [b"{}"], bare), 0, b"")], ())
            run.write((), [SettledEntry(entry, (), BatchState.ACCEPTED)])
        assert same(journal, [line]) == [False]


def test_a_customer_takes_no_more_than_forty_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    with Journal.open(tmp_path / "journal.db") as journal:
        size = journal.path.stat().st_size
        rows = 20_000
        keys = rng.permutation(np.arange(1, 3 * rows + 1, dtype=np.int64) * 7919).reshape(rows, 3)
        for number in range(3):
            with journal.start(record(f"run-{number}", settings='{"changed_only": true}')) as run:
                for start in range(0, rows, 100):
                    part = keys[start : start + 100]
                    contents = rng.integers(1, 1 << 62, 100, dtype=np.int64)
                    sets = ContactSets(part, np.zeros(100, dtype=np.uint32), contents)
                    entry = run.entry()
                    batch = Batch(1, "", tuple(range(100)), [b"{}"] * 100, sets)
                    run.write([BegunEntry(entry, batch, 0, b"")], ())
                    run.write((), [SettledEntry(entry, (), BatchState.ACCEPTED)])
                run.finish(RunState.FINISHED, ExitCode.DONE, {})
            journal.prune([f"run-{number}"])
        grown = journal.path.stat().st_size - size
        assert grown <= 40 * rows
