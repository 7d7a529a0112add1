"""Put report files on disk: private, and complete or absent.

A file that a program blocks is written under a second name.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from importer.errors import ReportError
from importer.models import Note
from importer.private_files import create_private_file, make_private_folder

RESULTS_CSV = "results.csv"
REJECTS_CSV = "rejects.csv"
REJECTS_XLSX = "rejects.xlsx"
SUMMARY_JSON = "summary.json"
REPORT_HTML = "report.html"
ANNOTATED_XLSX = "annotated.xlsx"

REPORT_FILES = (RESULTS_CSV, REJECTS_CSV, REJECTS_XLSX, SUMMARY_JSON, REPORT_HTML, ANNOTATED_XLSX)
SECOND_NAMES = 9
"""Names that are tried for one report: `results.csv`, `results-2.csv`, … `results-9.csv`."""
_LEAST_ROOM = 1 << 16
"""Bytes that must fit on the disk before a run begins."""


def make_directory(directory: Path) -> None:
    """Make the folder for one run's reports, mode 0700 if it is new.

    Raises ReportError if that is refused or the disk has no room even for a small file.
    """
    try:
        make_private_folder(directory)
        probe = directory / f".importer-{os.getpid()}"
        try:
            with create_private_file(probe) as file:
                file.write(bytes(_LEAST_ROOM))
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise ReportError("report-directory", directory=directory, reason=os_reason(error)) from error


def own_files(directory: Path) -> list[Path]:
    """The reports in a folder, second names and unfinished ones included: what `runs prune` may delete."""
    names = "|".join(re.escape(Path(name).stem) for name in REPORT_FILES)
    kinds = "|".join(re.escape(Path(name).suffix) for name in REPORT_FILES)
    ours = re.compile(rf"({names})(-[2-{SECOND_NAMES}])?({kinds})(\.part)?")
    if not directory.is_dir():
        return []
    return [path for path in sorted(directory.iterdir()) if ours.fullmatch(path.name) and path.is_file()]


def os_reason(error: OSError) -> str:
    """The reason that the operating system gives, without path and number."""
    return error.strerror or type(error).__name__


def not_written(path: Path, run_id: str, error: OSError) -> ReportError:
    """The error of a report that the disk refused. The run goes on without that report."""
    return ReportError("report-not-written", file=path, reason=os_reason(error), run=run_id)


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """A report that lies on disk."""

    name: str
    path: Path
    size: int
    rows: int | None = None


class ReportFile:
    """A file that gets its name only when it is complete. Until then it is `NAME.part`, mode 0600."""

    def __init__(self, directory: Path, name: str) -> None:
        self.name = name
        self.path = directory / name
        self._part = directory / f"{name}.part"
        self.stream: BinaryIO = create_private_file(self._part)

    def finish(self) -> Note | None:
        """Close the file and give it its name. Returns a note if that had to be a second name.

        Raises OSError if the last bytes cannot be written or every name is blocked.
        """
        self.stream.close()
        for number in range(1, SECOND_NAMES + 1):
            path = self.path if number == 1 else self.path.with_stem(f"{self.path.stem}-{number}")
            try:
                self._part.replace(path)
            except (PermissionError, IsADirectoryError):
                if number == SECOND_NAMES:
                    raise
                continue
            self.path = path
            if number > 1:
                return Note("report-second-name", (("file", self.name), ("name", path.name)))
            break
        return None

    def drop(self) -> None:
        """Close the file and delete it."""
        with contextlib.suppress(OSError):
            self.stream.close()
        self._part.unlink(missing_ok=True)
