"""Write verify.csv: what the CRM has of each customer that was asked for, beside what was sent."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from importer.errors import ReportError
from importer.private_files import make_private_folder, replace_private_file
from importer.reasons import reason_of
from importer.reports.csv import escape

VERIFY_CSV = "verify.csv"
_HEADER = ("_run", "_sheet", "_row", "result", "field", "sent", "there")


@dataclass(frozen=True, slots=True)
class VerifiedLine:
    """One line: a customer, or one of its fields."""

    sheet: str
    row: int
    result: str
    field: str = ""
    sent: str = ""
    there: str = ""


def write_verification(directory: Path, run: str, lines: Sequence[VerifiedLine]) -> Path:
    """Write verify.csv into a folder, readable by its owner alone. Raises ReportError."""
    path = directory / VERIFY_CSV
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_HEADER)
    writer.writerows(_cells(run, lines))
    try:
        make_private_folder(directory)
        replace_private_file(path, text.getvalue().encode("utf-8-sig"))
    except OSError as error:
        raise ReportError("report-not-written", file=path, reason=reason_of(error), run=run) from error
    return path


def _cells(run: str, lines: Sequence[VerifiedLine]) -> Iterator[tuple[str, ...]]:
    for one in lines:
        values = (one.sheet, str(one.row), one.result, one.field, one.sent, one.there)
        yield (run, *map(escape, values))
