"""Put report files on disk: private, complete or absent, and never in the place of somebody's file.

A report takes the place of an older report of the importer's. The source, a file of somebody else's, a report
that a person has corrected since and a file that a program blocks stay as they are; the report gets a second
name then.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from importer.dataclass import dataclass
from importer.errors import ReportError
from importer.models import Note
from importer.private_files import create_private_file, make_private_folder
from importer.reasons import reason_of
from importer.reports.ownership import report_run

if TYPE_CHECKING:
    from importer.reports.model import ReportPlan

RESULTS_CSV = "results.csv"
REJECTS_CSV = "rejects.csv"
REJECTS_XLSX = "rejects.xlsx"
DOUBTFUL_XLSX = "doubtful.xlsx"
SUMMARY_JSON = "summary.json"
REPORT_HTML = "report.html"
ANNOTATED_XLSX = "annotated.xlsx"

REPORT_FILES = (
    RESULTS_CSV,
    REJECTS_CSV,
    REJECTS_XLSX,
    DOUBTFUL_XLSX,
    SUMMARY_JSON,
    REPORT_HTML,
    ANNOTATED_XLSX,
)
WORKBOOKS = (REJECTS_XLSX, DOUBTFUL_XLSX, ANNOTATED_XLSX)
"""What people correct and import again."""
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


def own_files(directory: Path, run_id: str) -> list[Path]:
    """The reports of one run in a folder, second names and unfinished ones included.

    It is what `runs prune` may delete: a file that only has the name of a report is not among them, nor is a
    report of another run.
    """
    names = "|".join(re.escape(Path(name).stem) for name in REPORT_FILES)
    kinds = "|".join(re.escape(Path(name).suffix) for name in REPORT_FILES)
    ours = re.compile(rf"({names})(-[2-{SECOND_NAMES}])?({kinds})")
    unfinished = {_part_name(name, run_id) for name in REPORT_FILES}
    if not directory.is_dir():
        return []
    return [
        path
        for path in sorted(directory.iterdir())
        if (path.name in unfinished and path.is_file() and not path.is_symlink())
        or (ours.fullmatch(path.name) and _report_run(path) in (run_id, ""))
    ]


def edited(path: Path) -> bool:
    """Whether a report has been saved since its run ended: the summary beside it is written after it."""
    try:
        return path.stat().st_mtime_ns > path.with_name(SUMMARY_JSON).stat().st_mtime_ns
    except OSError:
        return False


def clear_earlier(plan: ReportPlan, written: Iterable[str]) -> Iterator[Note]:
    """Delete the workbooks of an earlier run in this run's folder that this one does not write anew.

    Nobody may take them for this run's. To be called before this run's summary is written. Yields a note for
    each that stays: the file that was imported, and one that was saved since.
    """
    for name in sorted({*WORKBOOKS} - {*written}):
        path = plan.directory / name
        if _report_run(path) in (None, plan.run_id):
            continue
        if not edited(path) and not _same(path, plan.source.path):
            with contextlib.suppress(OSError):
                path.unlink()
                continue
        yield Note("report-of-earlier-run", (("file", name),))


def _same(path: Path, source: Path) -> bool:
    try:
        return path.samefile(source)
    except OSError:
        return False


def _report_run(path: Path) -> str | None:
    try:
        return report_run(path)
    except PermissionError:
        return None


def _part_name(name: str, run_id: str) -> str:
    """The name of a report until it is complete. The run id is in it, so that it is nobody else's file."""
    return f"{name}.{run_id}.part"


def os_reason(error: OSError) -> str:
    """The reason that the operating system gives, without path and number."""
    return reason_of(error)


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
    """A file that gets its name only when it is complete. Until then it is `NAME.RUN.part`, mode 0600."""

    def __init__(self, plan: ReportPlan, name: str) -> None:
        self.name = name
        self.path = plan.directory / name
        self._source = plan.source.path
        self._edited = name not in (SUMMARY_JSON, REPORT_HTML) and edited(self.path)
        self._part = plan.directory / _part_name(name, plan.run_id)
        self.stream: BinaryIO = create_private_file(self._part)

    def finish(self) -> Note | None:
        """Close the file and give it its name. Returns a note if that had to be a second name.

        Raises OSError if the last bytes cannot be written or no name is free.
        """
        self.stream.close()
        reason = ""
        for number in range(1, SECOND_NAMES + 1):
            path = self.path if number == 1 else self.path.with_stem(f"{self.path.stem}-{number}")
            taken = self._taken(path)
            if not taken:
                try:
                    self._part.replace(path)
                except PermissionError:
                    taken = "report-second-name"
                else:
                    self.path = path
                    return Note(reason, (("file", self.name), ("name", path.name))) if reason else None
            reason = reason or taken
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))

    def _taken(self, path: Path) -> str:
        """Why the report must not take this name, as the code of a note; empty if it may."""
        if not os.path.lexists(path):
            return ""
        if _same(path, self._source):
            return "report-beside-source"
        if self._edited and path == self.path:
            return "report-edited"
        try:
            return "report-beside-foreign" if report_run(path) is None else ""
        except PermissionError:
            return "report-second-name"

    def drop(self) -> None:
        """Close the file and delete it."""
        with contextlib.suppress(OSError):
            self.stream.close()
        self._part.unlink(missing_ok=True)
