"""The reports of one run, from the first row to the summary. Used from one thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from importer.errors import ReportError
from importer.models import Chunk, Issue, Outcome, RunSummary
from importer.reports.annotations import Annotations
from importer.reports.facts import Closed, Facts
from importer.reports.files import ReportFile, Written, make_directory, reason
from importer.reports.ledger import Ledger
from importer.reports.next_steps import next_steps
from importer.reports.page import page
from importer.reports.plan import ANNOTATED_XLSX, OWN_COLUMNS, REPORT_HTML, SUMMARY_JSON, Plan
from importer.reports.press import Press
from importer.reports.summary import summary_json
from importer.reports.tally import Tally


class Reports:
    """Takes rows as they are read and outcomes as they come, and writes every report of the run.

    Rows come in with `add`, in the order of the file; `settle` gives them their status in any order; `close`
    writes what is about the run as a whole. A row that gets two statuses, or none, raises ConservationError:
    that is no report but a fault. Leaving the `with` block without `close` removes what was written.
    """

    def __init__(self, plan: Plan) -> None:
        """Makes the folder and opens the files. Raises ReportError if that is refused."""
        make_directory(plan.directory)
        # A column called `_status` is ours even in a file without `_run`: two of them would mislead scripts.
        header = tuple(name for name in plan.origin.header if name not in OWN_COLUMNS)
        plan = replace(plan, origin=replace(plan.origin, header=header))
        self.plan = plan
        self.tally = Tally(plan.origin.header)
        self._ledger = Ledger()
        self._annotations = Annotations() if plan.excel_report else None
        self._closed = False
        try:
            self._press = Press(plan, self._annotations)
        except OSError as error:
            found = {"directory": plan.directory, "reason": reason(error)}
            raise ReportError("report-directory", **found) from error

    def __enter__(self) -> Reports:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._closed:
            self._closed = True
            self._press.drop()

    def add(self, chunk: Chunk, issues: Sequence[Issue]) -> None:
        """Rows that now wait for their status, with all issues found in them (the reader's included).

        Raises ConservationError for rows out of order and for issues of other rows.
        """
        self._ledger.add(chunk, self.tally.add(chunk, issues))
        if self._annotations is not None:
            self._annotations.add_issues(chunk.sheet, issues)
        self._pass_on()

    def settle(self, outcome: Outcome) -> None:
        """Rows of one sheet, of one or several chunks, that have their final status.

        Raises ConservationError if one of them has a status already or was never added.
        """
        self._ledger.settle(outcome)
        self.tally.count(outcome)
        self._pass_on()

    def close(self, facts: Facts) -> Closed:
        """Write the end of every report. Raises ConservationError if a row is without a status.

        A file that cannot be written is no exception but a failure in the answer.
        """
        self._closed = True
        try:
            self._ledger.finish()
        except BaseException:
            self._press.drop()
            raise
        files = self._press.finish()
        self._annotate(facts, files)
        summary = self._summary(facts)
        self._store(SUMMARY_JSON, summary_json(self.plan, facts, self.tally), files)
        steps = next_steps(summary, files, self.plan.lang, facts.arguments)
        self._store(REPORT_HTML, page(self.plan, facts, self.tally, files, steps), files)
        return Closed(
            summary=summary,
            files=tuple(files),
            reasons=self.tally.reason_groups(),
            steps=steps,
            notes=tuple(self._press.notes),
            failures=tuple(self._press.failures),
        )

    def _pass_on(self) -> None:
        for chunk in self._ledger.take():
            self._press.put(chunk, self.tally.kinds())

    def _annotate(self, facts: Facts, files: list[Written]) -> None:
        if self._annotations is None:
            return
        # openpyxl is slow to import, and few ask for this report.
        from importer.reports.annotated import write_annotated

        try:
            file, notes = write_annotated(self.plan, facts, self.tally, self._annotations)
        except OSError as error:
            self._fail(ANNOTATED_XLSX, error)
            return
        self._press.notes += notes
        if file is not None:
            files.append(file)

    def _fail(self, name: str, error: OSError) -> None:
        found = {"file": self.plan.directory / name, "reason": reason(error), "run": self.plan.run_id}
        self._press.failures.append(ReportError("report-not-written", **found))

    def _store(self, name: str, text: str, files: list[Written]) -> None:
        content = text.encode("utf-8", "replace")
        file = None
        try:
            file = ReportFile(self.plan.directory, name)
            file.stream.write(content)
            note = file.finish()
        except OSError as error:
            if file is not None:
                file.drop()
            self._fail(name, error)
            return
        if note is not None:
            self._press.notes.append(note)
        files.append(Written(name, file.path, len(content)))

    def _summary(self, facts: Facts) -> RunSummary:
        return RunSummary(
            run_id=self.plan.run_id,
            source=self.plan.origin.name,
            sha256=self.plan.origin.sha256,
            mode=facts.mode,
            dry_run=facts.dry_run,
            destination=facts.destination,
            mapping=facts.mapping,
            rows=self.tally.rows,
            counts=dict(self.tally.counts),
            issues=self.tally.issue_groups(),
            exit_code=facts.exit_code,
            report_dir=str(self.plan.directory),
            seconds=facts.seconds,
            requests=facts.requests,
            stop=facts.stop,
            notes=tuple(note.sentence(self.plan.lang) for note in facts.notes),
        )
