"""Any table, opened by the commands that look at a file rather than import it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importer.mapping import MappingFile
    from importer.readers import Source


def open_table(file: str, reading: dict[str, Any], found: MappingFile | None = None) -> Source:
    """The source, with the header that names customers' fields or columns of the mapping, else with the first
    row like a header. `reading`: what the command line gave for `options.reading_options`. Raises
    InputError."""
    from importer.mapping import known_name
    from importer.mapping.headers import normalize
    from importer.readers import ReadOptions, open_source
    from importer.reports import OWN_COLUMNS, reimport

    names = frozenset(normalize(name) for name in found.columns()) if found else frozenset()

    def is_named(name: str) -> bool:
        return normalize(name) in names

    def is_known(name: str) -> bool:
        return name in OWN_COLUMNS or known_name(name) or is_named(name)

    options = ReadOptions(
        **reading, known=is_known, named=is_named, any_table=True, optional=reimport.is_summary_sheet
    )
    return open_source(file, options)
