"""Open a file with what mappings and our own reports say about its header."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from importer.mapping import is_known_name
from importer.mapping.headers import normalize
from importer.readers import ReadOptions, Source, open_source
from importer.reports import OWN_COLUMNS, reimport

if TYPE_CHECKING:
    from importer.mapping import MappingFile
    from importer.options import RunOptions


def open_table(
    file: Path | str, options: RunOptions, mapping: MappingFile | None = None, *, any_table: bool = False
) -> Source:
    """Open a file as the options say. Its header is the row that names fields, or columns of the mapping.

    `any_table`: without such a row, take the first one that looks like a header. Raises InputError.
    """
    columns = frozenset(normalize(name) for name in mapping.columns()) if mapping else frozenset()

    def is_mapped(name: str) -> bool:
        return normalize(name) in columns

    def is_known(name: str) -> bool:
        return name in OWN_COLUMNS or is_known_name(name) or is_mapped(name)

    header_row: Any = options.header_row
    reading = ReadOptions(
        sheet=options.sheet,
        header_row=header_row,
        encoding=options.encoding,
        delimiter=options.delimiter,
        is_known=is_known,
        is_mapped=is_mapped,
        any_table=any_table,
        may_be_skipped=reimport.is_summary_sheet,
    )
    return open_source(file, reading)
