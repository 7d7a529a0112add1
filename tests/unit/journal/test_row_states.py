"""What the journal knows of each row: the last thing that was recorded, compactly."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from importer.journal import NOT_RECORDED, BatchState, BegunEntry, Journal, RunRecord, SettledEntry
from importer.models import Batch, Destination, Mode, Outcome, Status
from tests.support.journal import MakeBatch, MakeRecord, newest_interrupted

ROWS = np.arange(1, 41)


def outcome(rows: Iterable[int], status: Status, sheet: str = "") -> Outcome:
    return Outcome(sheet, tuple(rows), status, 1, 1)


def test_rows_of_a_request_without_an_answer_are_unanswered(
    journal: Journal, make_record: MakeRecord, make_batch: MakeBatch
) -> None:
    with journal.start(make_record()) as run:
        run.begin(make_batch(7, 2, 3), b"")
        known = run.row_states()
        rows = np.array([1, 2, 3, 4])
        assert known.unanswered("", rows).tolist() == [False, True, True, False]
        assert known.final("", rows).tolist() == [False] * 4
        assert known.state_indexes("", rows)[0] == NOT_RECORDED
        assert [(found.rows, found.status, found.batch) for found in known.outcomes("", rows)] == [
            ((2, 3), Status.UNKNOWN, 7)
        ]


def test_rows_that_left_are_told_from_those_that_were_about_to(
    journal: Journal, make_record: MakeRecord, make_batch: MakeBatch
) -> None:
    destination, rows = Destination("https://crm.example", "1", "app", "sea"), np.arange(1, 20)
    with journal.start(make_record(destination=destination)) as run:
        assert run.departures is not None
        first, second = (run.begin(make_batch(1, 2, 3), b""), run.begin(make_batch(2, 4, 5), b""))
        refused, whole = run.begin(make_batch(3, 6), b""), run.begin(make_batch(4, 7), b"")
        for entry in (first, refused, whole):
            run.departures.note(entry)
        run.write((), [SettledEntry(refused, (), BatchState.REFUSED)])
        run.write((), [SettledEntry(whole, (outcome((7,), Status.IMPORTED),), BatchState.ACCEPTED)])
        known = run.departures.has_left(second) is not None
        assert run.row_states().count_departed("", rows) == ((2, 2) if known else (0, 4))
        assert run.row_states().count_departed("other", rows) == (0, 0)
        # A row that left once without an answer and was about to leave again has left.
        run.begin(make_batch(5, 2, 3), b"")
        assert run.row_states().count_departed("", rows) == ((2, 2) if known else (0, 4))


def test_parts_of_a_refused_request_speak_for_their_rows(
    journal: Journal, make_record: MakeRecord, make_batch: MakeBatch
) -> None:
    with journal.start(make_record()) as run:
        whole = run.begin(make_batch(1, 2, 3, 4, 5), b"")
        run.write((), [SettledEntry(whole, (), BatchState.REFUSED)])
        first = run.begin(make_batch(1, 2, 3), b"", part=1)
        run.write((), [SettledEntry(first, (outcome((2, 3), Status.IMPORTED),), BatchState.ACCEPTED)])
        run.begin(make_batch(1, 4), b"", part=2)
        known = run.row_states()
        assert known.rows_with_status("", Status.IMPORTED).tolist() == [2, 3]
        assert known.unanswered("", np.array([2, 3, 4, 5])).tolist() == [False, False, True, True]


def test_a_row_that_is_sent_again_is_unanswered_again(
    journal: Journal, make_record: MakeRecord, make_batch: MakeBatch
) -> None:
    with journal.start(make_record()) as run:
        first = run.begin(make_batch(1, 2, 3), b"")
        run.write(
            (), [SettledEntry(first, (outcome((2, 3), Status.FAILED),), BatchState.FAILED, final=False)]
        )
        again = run.begin(make_batch(2, 3), b"")
        assert run.row_states().unanswered("", np.array([2, 3])).tolist() == [False, True]
        run.write((), [SettledEntry(again, (outcome((3,), Status.IMPORTED),), BatchState.ACCEPTED)])
        known = run.row_states()
        assert known.has_status("", np.array([2, 3]), Status.IMPORTED).tolist() == [False, True]
        assert known.final("", np.array([2, 3])).tolist() == [False, True]


def test_sheets_are_kept_apart(journal: Journal, make_record: MakeRecord, make_batch: MakeBatch) -> None:
    with journal.start(make_record()) as run:
        run.settle([outcome((2, 3), Status.IMPORTED, "A"), outcome((3,), Status.REJECTED, "B")])
        known = run.row_states()
        assert set(known.sheets) == {"A", "B"}
        assert known.rows_with_status("B", Status.REJECTED).tolist() == [3]
        assert known.rows_with_status("C", Status.REJECTED).size == 0
        assert known.state_indexes("C", ROWS).tolist() == [NOT_RECORDED] * len(ROWS)


def test_rows_refused_alike_can_be_opened_again(journal: Journal, make_record: MakeRecord) -> None:
    with journal.start(make_record()) as run:
        run.settle(
            [Outcome("", (2,), Status.REJECTED, code="9000"), Outcome("", (3,), Status.REJECTED, code="1002")]
        )
        run.reopen_rejected("9000")
        assert run.row_states().final("", np.array([2, 3])).tolist() == [False, True]


def test_a_million_rows_take_eight_bytes_each(
    journal: Journal, make_record: MakeRecord, make_batch: MakeBatch
) -> None:
    with journal.start(make_record()) as run:
        batches = [
            Batch(n, "", tuple(range(100 * n, 100 * n + 100)), (b"",) * 100, ((),) * 100)
            for n in range(1, 10_001)
        ]
        run.write([BegunEntry(batch.ordinal, batch, 0, b"") for batch in batches], ())
        ends = [
            SettledEntry(b.ordinal, (Outcome("", b.rows, Status.IMPORTED, b.ordinal),), BatchState.ACCEPTED)
            for b in batches
        ]
        run.write((), ends)
        known = run.row_states()
        assert len(known) == 1_000_000
        assert known.nbytes == 8_000_000
        assert known.has_status("", np.array([99, 100, 1_000_099, 1_000_100]), Status.IMPORTED).tolist() == [
            False,
            True,
            True,
            False,
        ]


class JournalMachine(RuleBasedStateMachine):
    """A run that crashes, is resumed, isolates and settles in any order, against a plain dictionary.

    The dictionary says of each row what the journal must say: a status with its finality, "unanswered", or
    nothing. A row whose outcome is final is never sent again, as the pipeline would not either.
    """

    requests = Bundle("requests")

    @initialize()
    def begin_run(self) -> None:
        import tempfile
        from pathlib import Path

        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "journal.db"
        self.journal = Journal.open(self.path)
        where = Destination("https://crm.example", "1", "app", "sea")
        self.run = self.journal.start(
            RunRecord("run-1", "a", "/a", "hash", 1, Mode.UPDATE, "sea", "", "m", "d", where)
        )
        self.expected: dict[int, tuple[Status | None, bool]] = {}
        self.accepted: list[int] = []
        self.living: set[int] = set()
        self.open: dict[int, tuple[int, ...]] = {}

    def _sendable(self, rows: set[int]) -> list[int]:
        busy = {row for request in self.living for row in self.open[request]}
        return [
            row for row in sorted(rows) if row not in busy and not self.expected.get(row, (None, False))[1]
        ]

    @rule(target=requests, rows=st.sets(st.integers(1, 40), min_size=1, max_size=12))
    def begin(self, rows: set[int]) -> object:
        sendable = self._sendable(rows)
        return self._begin(tuple(sendable), 0) if sendable else None

    def _begin(self, rows: tuple[int, ...], part: int) -> int:
        batch = Batch(self.run.next_ordinal, "", rows, (b"",) * len(rows), ((),) * len(rows))
        entry = self.run.begin(batch, b"", part)
        self.open[entry] = rows
        self.living.add(entry)
        self.expected.update(dict.fromkeys(rows, (None, False)))
        return entry

    @rule(
        request=consumes(requests),
        end=st.sampled_from(
            [
                (BatchState.ACCEPTED, Status.IMPORTED, True),
                (BatchState.FAILED, Status.FAILED, True),
                (BatchState.FAILED, Status.FAILED, False),
                (BatchState.UNKNOWN, Status.UNKNOWN, False),
                (BatchState.NOT_SENT, Status.NOT_SENT, False),
            ]
        ),
    )
    def settle(self, request: int, end: tuple[BatchState, Status, bool]) -> None:
        if request not in self.living:
            return
        state, status, final = end
        rows = self.open[request]
        self.run.write((), [SettledEntry(request, (outcome(rows, status),), state, whole=True, final=final)])
        self.living.discard(request)
        self.expected.update(dict.fromkeys(rows, (status, final)))
        if status is Status.IMPORTED:
            self.accepted += rows

    @rule(request=consumes(requests), first_is_accepted=st.booleans(), crash=st.booleans())
    def isolate(self, request: int, first_is_accepted: bool, crash: bool) -> None:
        if request not in self.living or len(self.open[request]) < 2:
            return
        rows = self.open[request]
        self.run.write((), [SettledEntry(request, (), BatchState.REFUSED)])
        self.living.discard(request)
        part = self._begin(rows[:1], 1)
        if crash:
            self.crash()
            return
        status = Status.IMPORTED if first_is_accepted else Status.REJECTED
        state = BatchState.ACCEPTED if first_is_accepted else BatchState.REFUSED
        self.run.write((), [SettledEntry(part, (outcome(rows[:1], status),), state)])
        self.living.discard(part)
        self.expected[rows[0]] = (status, True)
        self.accepted += rows[:1] if first_is_accepted else []
        # The other half was not begun: stopped.
        rest = outcome(rows[1:], Status.FAILED)
        self.run.write((), [SettledEntry(request, (rest,), None, final=False)])
        self.expected.update(dict.fromkeys(rows[1:], (Status.FAILED, False)))

    @rule()
    def crash(self) -> None:
        self.run.close()
        self.journal.close()
        self.living.clear()
        self.journal = Journal.open(self.path)
        assert newest_interrupted(self.journal).id == "run-1"
        self.run = self.journal.reopen("run-1")

    @invariant()
    def nothing_is_lost_and_nothing_invented(self) -> None:
        if not hasattr(self, "run"):
            return
        known = self.run.row_states()
        for row, index in zip(ROWS.tolist(), known.state_indexes("", ROWS), strict=True):
            if row not in self.expected:
                assert index == NOT_RECORDED
            else:
                fate = known.states[index]
                assert (fate.status, fate.final) == self.expected[row]

    @invariant()
    def no_row_is_accepted_twice(self) -> None:
        if hasattr(self, "run"):
            assert len(self.accepted) == len(set(self.accepted))
            assert self.run.row_states().rows_with_status("", Status.IMPORTED).tolist() == sorted(
                self.accepted
            )

    def teardown(self) -> None:
        if hasattr(self, "run"):
            self.run.close()
            self.journal.close()
            self.folder.cleanup()


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
