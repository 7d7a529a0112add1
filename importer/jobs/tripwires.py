"""Check the tripwires of a job, which hold a file that differs too much from the job's past good files."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from importer.errors import TripwireError
from importer.jobs.config import TripwireSettings
from importer.journal.job_history import FileRecord
from importer.models import Status
from importer.pipeline.precheck import PrecheckResult

COMPARED_FILES = 10
"""How many of the last good files a file is compared with."""
FILES_FOR_USUAL = 3
"""How many good files it takes to know the usual number of rows."""
FILES_FOR_EMPTIED = 5
"""A column is suddenly empty if it was filled in each of so many last good files (or in all, if fewer)."""
_SHOWN = 5


def check_tripwires(
    found: PrecheckResult, past: Sequence[FileRecord], wires: TripwireSettings
) -> TripwireError | None:
    """Return the reason why the file must not be sent, or None. `past`: good files, the newest first."""
    past = past[:COMPARED_FILES]
    return (
        (_columns(found, past) if wires.changed_columns else None)
        or (_emptied(found, past) if wires.empty_columns else None)
        or _invalid(found, wires.max_invalid)
        or _usual(found, past, wires)
        or _bounds(found, wires)
    )


def _columns(found: PrecheckResult, past: Sequence[FileRecord]) -> TripwireError | None:
    """The order of columns makes no difference, since they are known by name."""
    if not past or sorted(found.header) == sorted(past[0].header):
        return None
    gone = [name for name in past[0].header if name not in found.header]
    new = [name for name in found.header if name not in past[0].header]
    return TripwireError("tripwire-columns", gone=_listed(gone), new=_listed(new))


def _emptied(found: PrecheckResult, past: Sequence[FileRecord]) -> TripwireError | None:
    compared = [record for record in past if record.rows][:FILES_FOR_EMPTIED]
    if not compared or not found.rows:
        return None
    emptied = [
        name
        for name, filled in found.filled.items()
        if not filled and all(record.filled.get(name) for record in compared)
    ]
    return TripwireError("tripwire-empty-column", columns=_listed(emptied)) if emptied else None


def _invalid(found: PrecheckResult, limit: float | None) -> TripwireError | None:
    if limit is None or found.invalid_percent <= limit:
        return None
    return TripwireError(
        "tripwire-invalid",
        invalid=found.counts[Status.INVALID],
        rows=found.rows,
        percent=f"{found.invalid_percent:.1f}",
        limit=f"{limit:g}",
    )


def _usual(
    found: PrecheckResult, past: Sequence[FileRecord], wires: TripwireSettings
) -> TripwireError | None:
    if len(past) < FILES_FOR_USUAL:
        return None
    usual = statistics.median(record.rows for record in past)
    if not usual:
        return None
    code = ""
    if wires.rows_below is not None and found.rows <= wires.rows_below * usual:
        code = "tripwire-fewer-rows"
    elif wires.rows_above is not None and found.rows >= wires.rows_above * usual:
        code = "tripwire-more-rows"
    return TripwireError(code, rows=found.rows, usual=f"{usual:g}") if code else None


def _bounds(found: PrecheckResult, wires: TripwireSettings) -> TripwireError | None:
    if wires.min_rows is not None and found.rows < wires.min_rows:
        return TripwireError("tripwire-min-rows", rows=found.rows, least=wires.min_rows)
    if wires.max_rows is not None and found.to_send > wires.max_rows:
        return TripwireError("tripwire-max-rows", rows=found.to_send, most=wires.max_rows)
    return None


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "–"
    more = len(names) - _SHOWN
    return ", ".join(f"“{name}”" for name in names[:_SHOWN]) + (f", … (+{more})" if more > 0 else "")
