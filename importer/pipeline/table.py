"""Open the table in a file as the options of a run and its mapping say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from importer.credentials import run_password_command
from importer.mapping import MappingFile, is_known_name
from importer.mapping.headers import normalize
from importer.options import RunOptions
from importer.readers import ReadOptions, Source, open_source
from importer.readers.overlay import CorrectedSource
from importer.reports import OWN_COLUMNS, reimport
from importer.reports.ownership import report_run
from importer.sources.locations import FileName


def as_mapping_reads(file: FileName, options: RunOptions, mapping: MappingFile | None) -> RunOptions:
    """Return the options with what the mapping says of reading, where they leave it open.

    One of the importer's own reports is read as it is, whatever the sheet was that it was made of.
    """
    if mapping is None or mapping.read is None or report_run(Path(file)) is not None:
        return options
    said = mapping.read.table()
    return replace(options, **{name: value for name, value in said.items() if getattr(options, name) is None})


def open_table(
    file: FileName,
    options: RunOptions,
    mapping: MappingFile | None = None,
    *,
    name: str | None = None,
    any_table: bool = False,
    first_rows: int | None = None,
) -> Source:
    """Open a file as the options say. Its header is the row that names fields, or columns of the mapping.

    `name`: what its owner calls it, if not by the path. `any_table`: without such a row, take the first one
    that looks like a header. `first_rows`: so many are probably enough; the rest
    is read when it is asked for. Raises InputError.
    """
    columns = frozenset(normalize(name) for name in mapping.columns()) if mapping else frozenset()

    def is_mapped(name: str) -> bool:
        return normalize(name) in columns

    @cache
    def is_known(name: str) -> bool:
        return name in OWN_COLUMNS or is_known_name(name) or is_mapped(name)

    header_row: Any = options.header_row
    reading = ReadOptions(
        sheet=options.sheet,
        header_row=header_row,
        encoding=options.encoding,
        delimiter=options.delimiter,
        name=name,
        password=_password(options.password_command),
        is_known=is_known,
        is_mapped=is_mapped,
        any_table=any_table,
        may_be_skipped=reimport.is_summary_sheet,
        first_rows=first_rows or options.limit,
    )
    source = open_source(file, reading)
    if options.corrections is None:
        return source
    try:
        return CorrectedSource(source, Path(options.corrections))
    except BaseException:
        source.close()
        raise


def _password(command: str | None) -> Callable[[], str] | None:
    """Return what tells the password of a file: the command runs once, and only if there is a password."""
    if command is None:
        return None

    @cache
    def password() -> str:
        return run_password_command(command, "--password-command")

    return password
