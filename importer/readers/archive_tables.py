"""Find the tables of an archive, and read them like sheets of a workbook: a member's name is its sheet's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from importer.errors import InputError
from importer.models import Chunk, Issue
from importer.readers.archive import Archive
from importer.readers.base import FileIdentity, SheetInfo, Source, not_read
from importer.readers.detect import may_hold_table

_NOT_TABLES = ("__macosx/", ".", "thumbs.db", "desktop.ini")
_OTHER_SUFFIXES = {
    *(".pdf", ".md", ".html", ".htm", ".xml", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".doc", ".docx"),
    *(".ppt", ".pptx", ".sql", ".log", ".ini", ".yml", ".yaml", ".sha256", ".md5", ".sig", ".asc"),
}
"""Of files that lie beside tables in an archive and are none."""
_TABLE_SUFFIXES = {
    *(".csv", ".tsv", ".tab", ".psv", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"),
    *(".parquet", ".arrow", ".feather", ".jsonl", ".ndjson", ".gz", ".zip"),
}
"""Of files that are meant as tables; what is named otherwise is looked into."""


def tables_of(archive: Archive, name: str) -> list[str]:
    """Return the members of an archive that can be tables. Raises InputError `not-a-workbook` without any."""
    files = [
        member
        for member in archive.names()
        if not member.casefold().startswith(_NOT_TABLES)
        and not PurePosixPath(member).name.casefold().startswith(_NOT_TABLES)
    ]
    tables = [member for member in files if PurePosixPath(member).suffix.casefold() not in _OTHER_SUFFIXES]
    if not files:
        raise InputError("not-a-workbook", name=name)
    return tables or files


def without_remarks(archive: Archive, tables: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return the members that may be tables, and those that are remarks on them, such as a readme.txt.

    What is named as a table counts as one whatever it holds. If all are remarks, all may be tables.
    """
    remarks = [
        name
        for name in tables
        if PurePosixPath(name).suffix.casefold() not in _TABLE_SUFFIXES
        and not may_hold_table(next(iter(archive.pieces(name)), b""))
    ]
    if len(remarks) == len(tables):
        return tables, ()
    return [name for name in tables if name not in remarks], remarks


def chosen_table(tables: Sequence[str], wanted: str, archive: str) -> tuple[str, str | None]:
    """Return the member that is meant, and the sheet of it: `NAME`, `FOLDER/NAME`, or `NAME/SHEET`.

    Raises InputError `no-sheet` if there is none, or more than one.
    """
    for said, sheet in ((wanted, None), tuple(wanted.rsplit("/", 1)) if "/" in wanted else (wanted, None)):
        folded = said.strip().casefold()
        found = [name for name in tables if name.casefold() == folded]
        found = found or [name for name in tables if PurePosixPath(name).name.casefold() == folded]
        if len(found) == 1:
            return found[0], sheet
    raise InputError("no-sheet", name=archive, sheet=wanted, sheets=", ".join(tables))


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """A table of an archive, open for reading."""

    name: str
    source: Source

    def sheet(self, sheet: str) -> str:
        """Return the name under which a sheet of it is known: its own, with the sheet's if it has several."""
        return f"{self.name}/{sheet}" if sheet and len(self.source.sheet_headers) > 1 else self.name


class ArchiveSource(Source):
    """The tables of a zip archive, read one after the other."""

    format = "zip"

    def __init__(
        self, origin: FileIdentity, members: Sequence[ArchiveMember], left_out: Sequence[str]
    ) -> None:
        """Unite the columns of the members. `left_out` are members that hold no table."""
        super().__init__(origin)
        self._members = members
        headers = self.sheet_headers
        self.header = tuple(dict.fromkeys(name for header in headers.values() for name in header))
        rows = [member.source.estimated_rows for member in members]
        self.estimated_rows = None if None in rows else sum(count or 0 for count in rows)
        self.sheets = tuple(
            SheetInfo(member.name, True, member.source.estimated_rows or 0, len(member.source.header))
            for member in members
        )
        self.sheet = members[0].name if len(members) == 1 else None
        self.notes = (
            *map(not_read, left_out),
            *(note for member in members for note in member.source.notes if note.code != "other-sheets"),
        )

    @property
    def sheet_headers(self) -> Mapping[str, tuple[str, ...]]:
        return {
            member.sheet(sheet): header
            for member in self._members
            for sheet, header in member.source.sheet_headers.items()
        }

    def chunks(self) -> Iterator[Chunk]:
        for member in self._members:
            for chunk in member.source.chunks():
                yield self._united(chunk, member.sheet(chunk.sheet))
        self.rows_read = sum(member.source.rows_read for member in self._members)

    def _united(self, chunk: Chunk, sheet: str) -> Chunk:
        import pandas as pd  # loaded by whoever read the chunk

        frame = chunk.frame
        if tuple(frame.columns) != self.header:
            frame = frame.reindex(columns=list(self.header), fill_value="")
            frame = frame.astype(pd.StringDtype("pyarrow"))
        return Chunk(sheet, frame, tuple(_named(issue, sheet) for issue in chunk.issues), chunk.skips)


def _named(issue: Issue, sheet: str) -> Issue:
    return replace(issue, sheet=sheet)
