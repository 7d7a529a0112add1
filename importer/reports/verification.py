"""Write verify.csv: what the CRM has of each customer that was asked for, beside what was sent."""

from __future__ import annotations

import csv
import io
import os
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
    """Write verify.csv into a folder, readable by its owner alone, over an older one of ours at most.

    Raises ReportError.
    """
    path = directory / VERIFY_CSV
    while os.path.lexists(path) and not is_verification(path):
        path = next_name(path)
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


def next_name(path: Path) -> Path:
    """Return the next name for a file whose own is taken: verify-2.csv, verify-3.csv, …"""
    stem, _, number = path.stem.rpartition("-")
    if stem and number.isdecimal():
        return path.with_stem(f"{stem}-{int(number) + 1}")
    return path.with_stem(f"{path.stem}-2")


def is_verification(path: Path) -> bool:
    """Return whether a file is a verify.csv that the importer wrote."""
    if path.is_symlink() or not path.is_file() or path.stat().st_nlink > 1:
        return False
    with path.open("rb") as file:
        return file.readline().decode("utf-8-sig", "replace").strip() == ",".join(_HEADER)


def _cells(run: str, lines: Sequence[VerifiedLine]) -> Iterator[tuple[str, ...]]:
    for one in lines:
        values = (one.sheet, str(one.row), one.result, one.field, one.sent, one.there)
        yield (run, *map(escape, values))
