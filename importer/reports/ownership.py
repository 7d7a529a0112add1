"""Tell whether a file is a report that the importer wrote, and which run it is of.

A report takes the place of an older report, never that of somebody else's file. The file itself says what it
is, by its columns and its run id, so that the answer holds on another machine and after `runs prune`.
"""

from __future__ import annotations

import io
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from importer.private_files import open_plain_file

_IDENTIFIER = "nxlink-importer run"
_RUN = r"([0-9A-Za-z-]{1,40})"
_HEAD = 1 << 18
"""Bytes of the properties of a workbook that are looked at."""
_LARGEST = 1 << 24
"""Bytes of a summary, and of the header and first row of a table, that are looked at."""


def report_identity(run_id: str) -> str:
    """What a report that is no table says of itself.

    report.html has it in `<meta name="generator">`, workbooks in `dc:identifier` (ECMA-376 part 2, 11).
    """
    return f"{_IDENTIFIER} {run_id}"


def report_run(path: Path) -> str | None:
    """The id of the run that this report is of; empty for a report without rows, which does not say.

    None if it is no report of the importer's or no plain file (a link, a folder, a pipe). Raises
    PermissionError if it may not be read, as while another program holds it.
    """
    read = _READERS.get(path.suffix.lower())
    try:
        return read(path) if read and stat.S_ISREG(path.lstat().st_mode) else None
    except PermissionError:
        raise
    except (OSError, ValueError, RuntimeError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        return None


def _head(path: Path, most: int) -> bytes:
    with open_plain_file(path) as file:
        return file.read(most)


def _csv_run(path: Path) -> str | None:
    import csv

    from importer.reports.model import OWN_COLUMNS

    with open_plain_file(path) as file, io.TextIOWrapper(file, "utf-8-sig", "replace", newline="") as text:
        try:
            lines = csv.reader(_lines(text))
            header = next(lines, [])
            if tuple(header[: len(OWN_COLUMNS)]) != OWN_COLUMNS:
                return None
            first = next(lines, None)
        except csv.Error:
            return None
    if first is None:
        return ""
    run = first[len(OWN_COLUMNS) - 1] if len(first) >= len(OWN_COLUMNS) else ""
    return run if re.fullmatch(_RUN, run) else None


def _lines(text: TextIO) -> Iterator[str]:
    """The first lines; 16,384 columns have long names together. Raises ValueError for what goes beyond."""
    left = _LARGEST
    while line := text.readline(left):
        left -= len(line)
        if left <= 0:
            raise ValueError("too long")
        yield line


def _json_run(path: Path) -> str | None:
    import json

    content = json.loads(_head(path, _LARGEST))
    if not isinstance(content, dict) or not {"version", "run", "counts", "exit_code"} <= content.keys():
        return None
    run = content["run"]
    return run if isinstance(run, str) and re.fullmatch(_RUN, run) else None


def _html_run(path: Path) -> str | None:
    head = _head(path, 4096).decode("utf-8", "replace")
    found = re.search(rf'<meta name="generator" content="{_IDENTIFIER} {_RUN}">', head)
    return found[1] if found else None


def _workbook_run(path: Path) -> str | None:
    with open_plain_file(path) as file, zipfile.ZipFile(file) as parts:
        if "docProps/core.xml" not in parts.namelist():
            return None
        with parts.open("docProps/core.xml") as core:
            text = core.read(_HEAD).decode("utf-8", "replace")
    found = re.search(rf"<dc:identifier[^<>]*>{_IDENTIFIER} {_RUN}</dc:identifier>", text)
    return found[1] if found else None


_READERS: dict[str, Callable[[Path], str | None]] = {
    ".csv": _csv_run,
    ".json": _json_run,
    ".html": _html_run,
    ".xlsx": _workbook_run,
}
