"""Writes settled chunks to files beside the run, on a thread of its own.

Nearly all of the work is Arrow's, which lets other threads go on. The queue is short, so that memory stays
bounded when the disk is slower than the run. A report that fails is given up and told; the others and the
run go on.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from importer.errors import ReportError
from importer.models import Note, Status
from importer.reports.annotations import Annotations
from importer.reports.csvfile import CsvReport
from importer.reports.fates import SettledChunk
from importer.reports.files import Written, reason
from importer.reports.lines import Lines, Scribe, joined
from importer.reports.plan import OWN_COLUMNS, REJECTS_CSV, REJECTS_XLSX, RESULTS_CSV, WORKBOOK_ROWS, Plan
from importer.reports.tally import Kind
from importer.reports.textsheet import MOST_COLUMNS
from importer.reports.xlsxfile import XlsxReport

LEFT = frozenset(status for status in Status if not status.done)
"""Rows with one of these are still to be fixed or sent: they go into the rejects."""
TOGETHER = 2048
"""So many rejects are written at once: a handful of rows costs as many calls as thousands."""
WAITING = 1
"""Settled chunks that may wait for the writer."""

_Job = tuple[SettledChunk, tuple[Kind, ...]]


class Press:
    """The row reports of one run. All public methods are called from one thread."""

    def __init__(self, plan: Plan, annotations: Annotations | None = None) -> None:
        """Opens the files. Raises OSError. `annotations` get every line, if there are any."""
        self._annotations = annotations
        self.failures: list[ReportError] = []
        self.notes: list[Note] = []
        self._plan = plan
        self._scribe = Scribe(plan)
        self._reports: dict[str, CsvReport | XlsxReport] = {}
        self._rows = dict.fromkeys((RESULTS_CSV, REJECTS_CSV, REJECTS_XLSX), 0)
        self._rejects: list[Lines] = []
        self._fault: Exception | None = None
        self._queue: queue.Queue[_Job | None] = queue.Queue(WAITING)
        try:
            self._reports[RESULTS_CSV] = CsvReport(plan, RESULTS_CSV)
            self._reports[REJECTS_CSV] = CsvReport(plan, REJECTS_CSV)
        except OSError:
            self._drop_files()
            raise
        self._thread = threading.Thread(target=self._work, name="reports", daemon=True)
        self._thread.start()

    def put(self, chunk: SettledChunk, kinds: tuple[Kind, ...]) -> None:
        """Hand over a chunk; waits while too many are on their way. Raises what the writer died of."""
        if self._fault is not None:
            raise self._fault
        self._queue.put((chunk, kinds))

    def finish(self) -> list[Written]:
        """Wait for the last row and give the files their names. Raises what the writer died of."""
        self._stop()
        if self._fault is not None:
            self._drop_files()
            raise self._fault
        self._print_rejects()
        written = []
        for name in tuple(self._reports):
            with self._guarded(name):
                written.append(self._close(name))
        left = self._rows[REJECTS_CSV]
        if REJECTS_XLSX in self._reports and left > WORKBOOK_ROWS:
            found = (("file", REJECTS_XLSX), ("most", WORKBOOK_ROWS), ("rows", left), ("other", REJECTS_CSV))
            self.notes.append(Note("workbook-cut", found))
        return written

    def drop(self) -> None:
        """Give up: no file is left behind."""
        self._stop()
        self._drop_files()

    def _stop(self) -> None:
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _work(self) -> None:
        try:
            self._open_workbook()
        except Exception as error:  # handed to the caller's thread by put() or finish()
            self._fault = error
        while (job := self._queue.get()) is not None:
            if self._fault is None:
                try:
                    self._print(*job)
                except Exception as error:  # handed to the caller's thread by put() or finish()
                    self._fault = error

    def _open_workbook(self) -> None:
        """Here, where nobody waits for it."""
        if len(OWN_COLUMNS) + len(self._plan.origin.header) > MOST_COLUMNS:
            return
        try:
            self._reports[REJECTS_XLSX] = XlsxReport(self._plan, REJECTS_XLSX)
        except OSError as error:
            self._fail(REJECTS_XLSX, error)

    def _print(self, chunk: SettledChunk, kinds: tuple[Kind, ...]) -> None:
        lines = self._scribe.lines(chunk, kinds)
        self._write(RESULTS_CSV, lines)
        if self._annotations is not None:
            self._annotations.add_lines(chunk.sheet, lines)
        places = chunk.where(LEFT)
        if len(places):
            self._rejects.append(lines.take(places))
            if sum(map(len, self._rejects)) >= TOGETHER:
                self._print_rejects()

    def _print_rejects(self) -> None:
        if self._rejects:
            rejects = joined(self._rejects)
            self._rejects.clear()
            self._write(REJECTS_CSV, rejects)
            self._write(REJECTS_XLSX, rejects)

    def _write(self, name: str, lines: Lines) -> None:
        self._rows[name] += len(lines)
        if name in self._reports:
            with self._guarded(name):
                self._reports[name].write(lines)

    def _close(self, name: str) -> Written:
        file = self._reports[name].finish()
        note = file.finish()
        if note is not None:
            self.notes.append(note)
        rows = min(self._rows[name], WORKBOOK_ROWS) if name == REJECTS_XLSX else self._rows[name]
        return Written(name, file.path, file.path.stat().st_size, rows)

    @contextmanager
    def _guarded(self, name: str) -> Iterator[None]:
        """A report that the disk refuses is given up; the others go on."""
        try:
            yield
        except OSError as error:
            self._fail(name, error)
            self._reports.pop(name).drop()

    def _fail(self, name: str, error: OSError) -> None:
        found = {"file": self._plan.directory / name, "reason": reason(error), "run": self._plan.run_id}
        self.failures.append(ReportError("report-not-written", **found))

    def _drop_files(self) -> None:
        for report in self._reports.values():
            report.drop()
        self._reports.clear()
