"""Write all reports of one run, from the first row to the summary.

`ReportWriter` takes rows and outcomes on the run's thread. `BackgroundWriter` writes the rows to results
and rejects on a thread of its own; its queue is short, so that memory stays bounded when the disk is
slower than the run. A report that cannot be written is given up and named; the other reports and the run
go on.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from importer.errors import ReportError
from importer.exit_codes import ExitCode
from importer.models import Chunk, Issue, Note, Outcome, RunSummary, Status
from importer.reports.annotations import Annotations
from importer.reports.csv import CsvReport
from importer.reports.files import (
    ANNOTATED_XLSX,
    DOUBTFUL_XLSX,
    REJECTS_CSV,
    REJECTS_XLSX,
    REPORT_HTML,
    RESULTS_CSV,
    SUMMARY_JSON,
    ReportFile,
    WrittenReport,
    clear_earlier,
    make_directory,
    not_written,
    os_reason,
)
from importer.reports.html import render_html
from importer.reports.ledger import Ledger
from importer.reports.model import OWN_COLUMNS, WORKBOOK_ROWS, ReportPlan, SettledChunk
from importer.reports.next_steps import NextStep, next_steps, page_steps
from importer.reports.rows import ReportRows, RowFormatter, join_rows
from importer.reports.run_info import ReportResult, RunInfo
from importer.reports.summary import summary_json
from importer.reports.tally import IssueKind, Tally
from importer.reports.xlsx import XlsxReport
from importer.reports.xlsx_template import MAX_COLUMNS, ReportCellStyle

REJECT_STATUSES = frozenset(status for status in Status if not status.done)
"""Rows with one of these statuses are still to be corrected or sent: they go into the rejects."""
REJECTS_PER_WRITE = 2048
"""Rejects that are written at once: a few rows cost as many calls as thousands."""
NAME_FIELDS = frozenset({"first_name", "last_name"})
"""The fields whose cells tell a person whose row it is."""
QUEUE_LENGTH = 1
"""Settled chunks that may wait for the writer."""

_WriteJob = tuple[SettledChunk, tuple[IssueKind, ...]]


class BackgroundWriter:
    """Writes results and rejects of one run. All public methods are called from one thread."""

    def __init__(self, plan: ReportPlan, annotations: Annotations | None = None) -> None:
        """Open the files. `annotations`, if given, get every row. Raises OSError."""
        self._annotations = annotations
        self.failures: list[ReportError] = []
        self.notes: list[Note] = []
        self._plan = plan
        self._formatter = RowFormatter(plan)
        self._reports: dict[str, CsvReport | XlsxReport] = {}
        self._rows = dict.fromkeys((RESULTS_CSV, REJECTS_CSV, REJECTS_XLSX, DOUBTFUL_XLSX), 0)
        self._rejects: list[ReportRows] = []
        self._fault: Exception | None = None
        self._queue: queue.Queue[_WriteJob | None] = queue.Queue(QUEUE_LENGTH)
        try:
            self._reports[RESULTS_CSV] = CsvReport(plan, RESULTS_CSV)
            self._reports[REJECTS_CSV] = CsvReport(plan, REJECTS_CSV)
        except OSError:
            self._drop_files()
            raise
        self._thread = threading.Thread(target=self._work, name="reports", daemon=True)
        self._thread.start()

    def put(self, chunk: SettledChunk, kinds: tuple[IssueKind, ...]) -> None:
        """Queue a chunk; blocks while the queue is full.

        Raises the exception that ended the writer thread.
        """
        if self._fault is not None:
            raise self._fault
        self._queue.put((chunk, kinds))

    def finish(self) -> list[WrittenReport]:
        """Wait for the last row and give the files their names.

        Raises the exception that ended the writer thread.
        """
        self._stop()
        if self._fault is not None:
            self._drop_files()
            raise self._fault
        self._write_rejects()
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
        """Stop and delete the files."""
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
                    self._write_chunk(*job)
                except Exception as error:  # handed to the caller's thread by put() or finish()
                    self._fault = error

    def _open_workbook(self) -> None:
        """On the writer thread, so that the run does not wait for it."""
        if len(OWN_COLUMNS) + len(self._plan.source.header) > MAX_COLUMNS:
            return
        try:
            self._reports[REJECTS_XLSX] = XlsxReport(self._plan, REJECTS_XLSX)
        except OSError as error:
            self.fail(REJECTS_XLSX, error)

    def _write_chunk(self, chunk: SettledChunk, kinds: tuple[IssueKind, ...]) -> None:
        rows = self._formatter.format(chunk, kinds)
        self._write(RESULTS_CSV, rows)
        if self._annotations is not None:
            self._annotations.add_rows(chunk.sheet, rows)
        if chunk.issues.warnings:
            self._write_doubtful(self._formatter.doubtful(chunk, rows))
        places = chunk.where(REJECT_STATUSES)
        if len(places):
            self._rejects.append(rows.take(places))
            if sum(map(len, self._rejects)) >= REJECTS_PER_WRITE:
                self._write_rejects()

    def _write_doubtful(self, rows: ReportRows) -> None:
        """The workbook is made for the first such row: most runs have none."""
        if not len(rows) or REJECTS_XLSX not in self._reports:
            return
        if DOUBTFUL_XLSX not in self._reports and not self._rows[DOUBTFUL_XLSX]:
            try:
                self._reports[DOUBTFUL_XLSX] = XlsxReport(self._plan, DOUBTFUL_XLSX, ReportCellStyle.DOUBTFUL)
            except OSError as error:
                self.fail(DOUBTFUL_XLSX, error)
        self._write(DOUBTFUL_XLSX, rows)

    def _write_rejects(self) -> None:
        if self._rejects:
            rejects = join_rows(self._rejects)
            self._rejects.clear()
            self._write(REJECTS_CSV, rejects)
            self._write(REJECTS_XLSX, rejects)

    def _write(self, name: str, rows: ReportRows) -> None:
        self._rows[name] += len(rows)
        if name in self._reports:
            with self._guarded(name):
                self._reports[name].write(rows)

    def _close(self, name: str) -> WrittenReport:
        file = self._reports[name].finish()
        note = file.finish()
        if note is not None:
            self.notes.append(note)
        rows = min(self._rows[name], WORKBOOK_ROWS) if name == REJECTS_XLSX else self._rows[name]
        return WrittenReport(name, file.path, file.path.stat().st_size, rows)

    @contextmanager
    def _guarded(self, name: str) -> Iterator[None]:
        """Give up a report that the disk refuses; the others go on."""
        try:
            yield
        except OSError as error:
            self.fail(name, error)
            self._reports.pop(name).drop()

    def fail(self, name: str, error: OSError) -> None:
        """Note that this report could not be written."""
        self.failures.append(not_written(self._plan.directory / name, self._plan.run_id, error))

    def _drop_files(self) -> None:
        for report in self._reports.values():
            report.drop()
        self._reports.clear()


class ReportWriter:
    """Writes every report of a run from its rows as they are read and their outcomes as they come.

    `add` takes rows in the order of the file. `settle` sets their status, in any order. `close` writes what
    is about the run as a whole. A row with two statuses, or none, is a fault of the program and raises
    ConservationError. Leaving the `with` block without `close` removes what was written.
    """

    def __init__(self, plan: ReportPlan) -> None:
        """Make the folder and open the files. Raises ReportError if that is refused."""
        make_directory(plan.directory)
        # A column `_status` of the file is left out even without a column `_run`: two would mislead scripts.
        header = tuple(name for name in plan.source.header if name not in OWN_COLUMNS)
        plan = replace(plan, source=replace(plan.source, header=header))
        self.plan = plan
        named = (column for column, field in plan.fields if field in NAME_FIELDS)
        self.tally = Tally(plan.source.header, plan.unused, tuple(dict.fromkeys(named)))
        self._ledger = Ledger()
        self._annotations = Annotations() if plan.excel_report else None
        self._closed = False
        try:
            self._background = BackgroundWriter(plan, self._annotations)
        except OSError as error:
            found = {"directory": plan.directory, "reason": os_reason(error)}
            raise ReportError("report-directory", **found) from error

    def __enter__(self) -> ReportWriter:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._closed:
            self._closed = True
            self._background.drop()

    def add(self, chunk: Chunk, issues: Sequence[Issue], sent: np.ndarray | None = None) -> None:
        """Take rows that now wait for their status, with all issues found in them (the reader's included).

        `sent`: the numbers of the rows that are sent; all of them if nothing is said.

        Raises ConservationError for rows out of order and for issues of other rows.
        """
        self._ledger.add(chunk, self.tally.add(chunk, issues, sent))
        if self._annotations is not None:
            self._annotations.add_issues(chunk.sheet, issues)
        self._pass_on()

    def settle(self, outcome: Outcome) -> None:
        """Set the final status of rows of one sheet, in one or several chunks.

        Raises ConservationError if one of them already has a status or was never added.
        """
        self._ledger.settle(outcome)
        self.tally.count(outcome)
        self._pass_on()

    def close(self, run_info: RunInfo) -> ReportResult:
        """Write the end of every report. Raises ConservationError if a row is without a status.

        A file that cannot be written does not raise; it is a failure in the result.
        """
        self._closed = True
        try:
            self._ledger.finish()
        except BaseException:
            self._background.drop()
            raise
        files = self._background.finish()
        self._annotate(run_info, files)
        self._background.notes += clear_earlier(self.plan, (file.name for file in files))
        ended = self._with_failures(run_info)
        self._store(SUMMARY_JSON, summary_json(self.plan, ended, self.tally), files)
        steps = self._next_steps(ended, files)
        self._store(REPORT_HTML, render_html(self.plan, ended, self.tally, files, steps), files)
        told = self._with_failures(run_info)
        if told != ended and any(file.name == SUMMARY_JSON for file in files):
            files = [file for file in files if file.name != SUMMARY_JSON]
            self._store(SUMMARY_JSON, summary_json(self.plan, told, self.tally), files)
        return ReportResult(
            summary=self._summary(self._with_failures(run_info)),
            files=tuple(files),
            reasons=self.tally.reason_groups(),
            steps=steps,
            notes=tuple(self._background.notes),
            failures=tuple(self._background.failures),
        )

    def _next_steps(self, ended: RunInfo, files: Sequence[WrittenReport]) -> tuple[NextStep, ...]:
        summary, lang = self._summary(ended), self.plan.lang
        if self.plan.on_page:
            return page_steps(summary, lang, self.tally.overtaken)
        again = self.plan.source.again
        return next_steps(summary, files, lang, ended.arguments, self.tally.overtaken, again)

    def _with_failures(self, run_info: RunInfo) -> RunInfo:
        """The run's end with the reports that are missing so far: a run that leaves one is not done."""
        failures = self._background.failures
        if not failures:
            return run_info
        notes = tuple(Note(failure.code, tuple(failure.found.items())) for failure in failures)
        code = ExitCode.ROWS_LEFT if run_info.exit_code is ExitCode.DONE else run_info.exit_code
        return replace(run_info, exit_code=code, notes=(*run_info.notes, *notes))

    def _pass_on(self) -> None:
        for chunk in self._ledger.take():
            self._background.put(chunk, self.tally.kinds())

    def _annotate(self, run_info: RunInfo, files: list[WrittenReport]) -> None:
        if self._annotations is None:
            return
        # openpyxl is slow to import, and few runs ask for this report.
        from importer.reports.annotated import write_annotated

        try:
            file, notes = write_annotated(self.plan, run_info, self.tally, self._annotations)
        except OSError as error:
            self._background.fail(ANNOTATED_XLSX, error)
            return
        self._background.notes += notes
        if file is not None:
            files.append(file)

    def _store(self, name: str, text: str, files: list[WrittenReport]) -> None:
        content = text.encode("utf-8", "replace")
        file = None
        try:
            file = ReportFile(self.plan, name)
            file.stream.write(content)
            note = file.finish()
        except OSError as error:
            if file is not None:
                file.drop()
            self._background.fail(name, error)
            return
        if note is not None:
            self._background.notes.append(note)
        files.append(WrittenReport(name, file.path, len(content)))

    def _summary(self, run_info: RunInfo) -> RunSummary:
        return RunSummary(
            run_id=self.plan.run_id,
            source=self.plan.source.name,
            sha256=self.plan.source.sha256,
            mode=run_info.mode,
            dry_run=run_info.dry_run,
            destination=run_info.destination,
            mapping=run_info.mapping,
            rows=self.tally.rows,
            counts=dict(self.tally.counts),
            issues=self.tally.issue_groups(),
            exit_code=run_info.exit_code,
            report_dir=str(self.plan.directory),
            seconds=run_info.seconds,
            requests=run_info.requests,
            stop=run_info.stop,
            notes=tuple(
                note.sentence(self.plan.lang, on_page=self.plan.on_page, advise=True)
                for note in run_info.notes
            ),
            not_imported=self.tally.unused_columns(),
        )
