"""What keeps a file from being sent."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.jobs.config import TripwireSettings
from importer.jobs.tripwires import check_tripwires
from importer.journal.job_history import FileFate, FileRecord
from importer.models import Status
from importer.pipeline.precheck import PrecheckResult

HEADER = ("a", "b")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _past(
    rows: int = 100, header: tuple[str, ...] = HEADER, filled: dict[str, int] | None = None
) -> FileRecord:
    return FileRecord(
        number=1,
        job="j",
        round=1,
        name="x.csv",
        place=Path("x.csv"),
        target=None,
        after_run=0,
        released=False,
        tries=0,
        fate=FileFate.DONE,
        reason="",
        run="r",
        sha256="",
        mapping_digest="",
        destination_key="",
        header=header,
        rows=rows,
        filled={"a": rows, "b": rows} if filled is None else filled,
        counts={},
        taken=NOW,
        settled=NOW,
    )


def _found(
    rows: int = 100,
    invalid: int = 0,
    header: tuple[str, ...] = HEADER,
    filled: dict[str, int] | None = None,
    to_send: int | None = None,
) -> PrecheckResult:
    counts = dict.fromkeys(Status, 0) | {Status.INVALID: invalid}
    filled = {"a": rows, "b": rows} if filled is None else filled
    return PrecheckResult(header, rows, rows - invalid if to_send is None else to_send, counts, (), filled)


def _code(found: PrecheckResult, past: list[FileRecord], wires: TripwireSettings | None = None) -> str:
    error = check_tripwires(found, past, wires or TripwireSettings())
    return error.code if error else ""


def test_without_history_only_invalid_rows_count() -> None:
    assert _code(_found(1), []) == ""
    assert _code(_found(100, 20), []) == ""
    assert _code(_found(100, 21), []) == "tripwire-invalid"
    assert _code(_found(0), []) == ""


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        (49, "tripwire-fewer-rows"),
        (50, "tripwire-fewer-rows"),
        (51, ""),
        (199, ""),
        (200, "tripwire-more-rows"),
        (0, "tripwire-fewer-rows"),
    ],
)
def test_half_or_double_the_median_of_three(rows: int, code: str) -> None:
    past = [_past(90), _past(100), _past(1000)]
    assert _code(_found(rows), past) == code
    assert _code(_found(rows), past[:2]) == ""
    assert _code(_found(rows), past, TripwireSettings(rows_below=None, rows_above=None)) == ""


def test_columns_are_compared_without_their_order() -> None:
    assert _code(_found(header=("b", "a")), [_past()]) == ""
    assert _code(_found(header=("a", "c")), [_past()]) == "tripwire-columns"
    assert _code(_found(header=("a", "c")), [_past()], TripwireSettings(changed_columns=False)) == ""
    told = check_tripwires(_found(header=("a", "c")), [_past()], TripwireSettings())
    assert told is not None
    assert "missing “b”; new “c”" in told.sentence()


def test_a_column_that_is_sometimes_empty_may_be_empty() -> None:
    empty = _found(filled={"a": 100, "b": 0})
    assert _code(empty, [_past()]) == "tripwire-empty-column"
    assert _code(empty, [_past(), _past(filled={"a": 100, "b": 0})]) == ""
    assert _code(empty, [_past(filled={"a": 100, "b": 0})]) == ""
    assert _code(empty, [_past()], TripwireSettings(empty_columns=False)) == ""


def test_fixed_bounds_are_about_rows_to_be_sent() -> None:
    assert _code(_found(100, to_send=10), [], TripwireSettings(max_rows=10)) == ""
    assert _code(_found(100, to_send=11), [], TripwireSettings(max_rows=10)) == "tripwire-max-rows"
    assert _code(_found(9), [], TripwireSettings(min_rows=10)) == "tripwire-min-rows"


@given(st.integers(1, 10_000), st.integers(0, 8))
def test_a_file_like_all_before_it_always_passes(rows: int, nights: int) -> None:
    assert _code(_found(rows), [_past(rows)] * nights) == ""
