"""Read several tables of one archive, like the sheets of a workbook: a member's name is that of its sheet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from importer.models import Chunk, Issue, Note
from importer.readers.base import FileIdentity, SheetInfo, Source


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
            *(Note("sheet-without-header", (("sheet", name),)) for name in left_out),
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
        frame = chunk.frame
        if tuple(frame.columns) != self.header:
            frame = frame.reindex(columns=list(self.header), fill_value="")
            frame = frame.astype(pd.StringDtype("pyarrow"))
        return Chunk(sheet, frame, tuple(_named(issue, sheet) for issue in chunk.issues), chunk.skips)


def _named(issue: Issue, sheet: str) -> Issue:
    return replace(issue, sheet=sheet)
