"""Which sheets of a workbook are read."""

from __future__ import annotations

from collections.abc import Sequence

from importer.errors import InputError
from importer.readers.source import SheetInfo

ALL_SHEETS = "all"


def choose_sheets(sheets: Sequence[SheetInfo], wanted: str | None, name: str) -> list[SheetInfo]:
    """The sheets to read. Raises InputError `no-sheet` or `empty-workbook`; `name` is the file's."""
    if wanted is not None and wanted != ALL_SHEETS:
        for info in sheets:
            if info.name == wanted:
                return [info]
        for info in sheets:
            if info.name.strip().casefold() == wanted.strip().casefold():
                return [info]
        raise InputError("no-sheet", name=name, sheet=wanted, sheets=", ".join(info.name for info in sheets))
    visible = [info for info in sheets if info.visible and info.rows]
    if not visible:
        raise InputError("empty-workbook", name=name)
    return visible if wanted == ALL_SHEETS else visible[:1]
