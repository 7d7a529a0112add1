"""rejects.xlsx: for people, since in it no program turns a phone into 8.6E+12.

The rows go into its sheet as they come; what is around them (styles, widths, notes, frozen header) is the
skeleton's.
"""

from __future__ import annotations

import contextlib
import zipfile

import numpy as np

from importer.reports.files import ReportFile
from importer.reports.lines import Lines
from importer.reports.plan import OWN_COLUMNS, WORKBOOK_ROWS, Plan
from importer.reports.skeleton import SHEET_PART, skeleton
from importer.reports.textsheet import Look, TextSheet


class XlsxReport:
    """`rejects.xlsx` while it is being written. All methods raise OSError."""

    def __init__(self, plan: Plan, name: str) -> None:
        names = (*OWN_COLUMNS, *plan.origin.header)
        self._rows = TextSheet(names, plan.lang)
        around = skeleton(plan, names)
        self._file = ReportFile(plan.directory, name)
        self._zip = zipfile.ZipFile(self._file.stream, "w", zipfile.ZIP_DEFLATED, compresslevel=3)
        self._around = around
        self._sheet = self._zip.open(SHEET_PART, "w", force_zip64=True)
        self._sheet.write(around.before.encode() + self._rows.header())

    def write(self, lines: Lines) -> None:
        """Append these rows, as far as the workbook takes them."""
        lines = lines.take(np.arange(min(len(lines), WORKBOOK_ROWS - self._rows.rows)))
        if len(lines):
            self._sheet.write(self._rows.body(lines, _looks(lines)))

    def finish(self) -> ReportFile:
        """The parts around the rows; the file has its name only after `ReportFile.finish`."""
        rows = self._rows.rows
        self._sheet.write(self._around.after(rows).encode())
        self._sheet.close()
        for name, content in self._around.parts(rows):
            self._zip.writestr(name, content)
        self._zip.close()
        return self._file

    def drop(self) -> None:
        for part in (self._sheet, self._zip):
            with contextlib.suppress(OSError, ValueError):
                part.close()
        self._file.drop()


def _looks(lines: Lines) -> dict[int, np.ndarray]:
    """The columns with errors, coloured there."""
    looks: dict[int, np.ndarray] = {}
    for column in np.unique(lines.bad_columns).tolist():
        look = np.full(len(lines), Look.PLAIN, dtype=np.int8)
        look[lines.bad_rows[lines.bad_columns == column]] = Look.WRONG
        looks[column] = look
    return looks
