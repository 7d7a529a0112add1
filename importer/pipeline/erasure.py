"""Find a person on this machine, in what the importer keeps, and clear it; what was counted stays.

Reports keep their rows with number and status, without cells. A page is deleted: it can be drawn again. A
piece of work of the page in the browser goes as a whole. A file that a user keeps is named and left alone,
and so is whatever a run at work still writes or needs.
"""

from __future__ import annotations

import re
import shutil
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path

from importer import mapping as mappings
from importer.errors import ImporterError
from importer.journal import Journal, RunRecord, RunState
from importer.journal.erasure import ErasedPerson
from importer.mapping.regions import require_region
from importer.option_layers import options_from_json
from importer.pipeline.clearing import (
    TABLES,
    WORKBOOKS,
    Cleared,
    PersonRows,
    clear_file,
    is_part,
    rows_with,
    suffix_of,
)
from importer.pipeline.person import Person
from importer.reports.files import REPORT_HTML, own_files
from importer.reports.verification import is_verification
from importer.sources.spool import is_spooled
from importer.user_folders import state_folder

_JOB_FOLDERS = ("working", "done", "failed", "held")
_BEFORE = re.compile(r"before(-[0-9]+)?\.csv")
_TEXTS = (".json", ".jsonl", ".toml", ".html", ".csv")


class TraceKind(StrEnum):
    """What is found, and what becomes of it."""

    JOURNAL = "journal"
    REPORT = "report"
    """Rows lose their cells."""
    PAGE = "page"
    """The page is deleted."""
    COPY = "copy"
    """A file that the importer keeps: rows lose their cells."""
    WHOLE = "whole"
    """A copy in which no row can be cleared: deleted, where that is wanted."""
    WORK = "work"
    """A piece of work of the page in the browser, which is deleted."""
    YOURS = "yours"
    """A file that a user keeps: left alone."""
    UNFINISHED = "unfinished"
    """A file that a run still writes or needs: left alone."""
    STUCK = "stuck"
    """Nothing that the importer can change a row in: left alone."""
    UNREADABLE = "unreadable"
    """Nobody can tell who is in it: left alone."""
    ASIDE = "aside"
    """A damaged journal that was put aside."""
    ELSEWHERE = "elsewhere"
    """Reports and copies on another machine that shares the journal."""

    @property
    def cleared(self) -> bool:
        """Whether it is cleared."""
        return self in _CLEARED


_CLEARED = (
    *(TraceKind.JOURNAL, TraceKind.REPORT, TraceKind.PAGE),
    *(TraceKind.COPY, TraceKind.WHOLE, TraceKind.WORK),
)


@dataclass(frozen=True, slots=True)
class Trace:
    """One place where the person is found."""

    kind: TraceKind
    place: str
    rows: int = 0
    run: str = ""


def find_traces(journal: Journal, person: Person, *, whole: bool = False) -> tuple[Trace, ...]:
    """Return every place where the person is found. Changes nothing. `whole`: as in `clear_traces`."""
    return tuple(_Search(journal, person, clear=False, whole=whole).walk())


def clear_traces(journal: Journal, person: Person, *, whole: bool = False) -> tuple[Trace, ...]:
    """Clear every place, and return them. `whole`: delete copies in which no row can be cleared.

    Raises JournalError.
    """
    return tuple(_Search(journal, person, clear=True, whole=whole).walk())


@dataclass
class _Search:
    """One walk through all that is kept."""

    journal: Journal
    person: Person
    clear: bool
    whole: bool
    _runs: tuple[RunRecord, ...] = ()
    _seen: set[Path] = field(default_factory=set)
    """Files that were looked at."""
    _rows: dict[str, set[tuple[str, int]]] = field(default_factory=dict)
    """The person's rows by run, as reports show them."""

    def walk(self) -> Iterator[Trace]:
        """Yield what is found, and clear it if that is wanted."""
        self._runs = self.journal.runs()
        for record in self._runs:
            yield from self._reports(record)
            path = Path(record.path)
            if record.path and path not in self._seen and path.is_file():
                yield from self._source(record, path)
        yield from self._job_files()
        yield from self._works()
        keys = self.person.keys(self.journal.fingerprint_key)
        found = self.journal.erase(ErasedPerson(keys, self.person.cleared, self._rows), clear=self.clear)
        if found:
            place = str(self.journal.path)
            yield Trace(TraceKind.JOURNAL, place, found.fingerprints + found.sentences)
        for path in sorted(self.journal.path.parent.glob(f"{self.journal.path.stem}.damaged-*")):
            if not path.name.endswith(("-wal", "-shm")):
                yield Trace(TraceKind.ASIDE, str(path))
        yield from self._elsewhere()

    def _reports(self, record: RunRecord) -> Iterator[Trace]:
        folder = Path(record.report_dir)
        if not record.report_dir or not folder.is_dir():
            return
        files = own_files(folder, record.id)
        files += [path for path in sorted(folder.glob("verify*.csv")) if is_verification(path)]
        if options_from_json(record.settings).keep_before:
            files += [path for path in sorted(folder.glob("before*.csv")) if _BEFORE.fullmatch(path.name)]
        person = self.person.within(_region_of(record))
        yield from self._in_reports(files, person, record.id, at_work=record.state is RunState.RUNNING)

    def _in_reports(self, files: list[Path], person: Person, run: str, *, at_work: bool) -> Iterator[Trace]:
        pages = [path for path in files if suffix_of(path) == Path(REPORT_HTML).suffix]
        tables = [path for path in files if path not in pages and path not in self._seen]
        self._seen.update(files)
        known = PersonRows()
        found = {path: clear_file(path, person, known, clear=False) for path in tables}
        for path in tables:
            # Once more, with what all of them have shown.
            rows = found[path] if found[path].stuck else clear_file(path, person, known, clear=False)
            yield from self._in_report(path, rows, person, known, run, at_work=at_work)
        for path in pages:
            text = path.read_text("utf-8", "replace")
            if person.is_in(text) or known.shown_in(text):
                if self.clear and not at_work:
                    path.unlink()
                yield Trace(TraceKind.UNFINISHED if at_work else TraceKind.PAGE, str(path), 1, run)
        if known.places:
            self._rows.setdefault(run, set()).update(known.places)

    def _in_report(
        self, path: Path, found: Cleared, person: Person, known: PersonRows, run: str, *, at_work: bool
    ) -> Iterator[Trace]:
        left_over = is_part(path) and (found.rows or (found.stuck and known.places))
        if not (found.rows or found.stuck or left_over):
            return
        if at_work:
            if found.rows:
                yield Trace(TraceKind.UNFINISHED, str(path), found.rows, run)
        elif is_part(path):
            if left_over:  # nobody reads it, and a resume writes it anew
                if self.clear:
                    path.unlink()
                yield Trace(TraceKind.REPORT, str(path), max(found.rows, 1), run)
        elif found.stuck:
            yield Trace(TraceKind.STUCK if found.rows else TraceKind.UNREADABLE, str(path), found.rows, run)
        else:
            if self.clear:
                found = clear_file(path, person, known, clear=True)
            yield Trace(TraceKind.STUCK if found.stuck else TraceKind.REPORT, str(path), found.rows, run)

    def _source(self, record: RunRecord, path: Path) -> Iterator[Trace]:
        if state_folder() in path.parents and not is_spooled(path):
            return  # a piece of work of the page, which is looked at as a whole
        in_job = bool(record.job) and path.parent.parent.name in _JOB_FOLDERS
        kept = in_job or is_spooled(path)
        yield from self._copy(
            path,
            self.person.within(_region_of(record)),
            record.id,
            kept=kept,
            needed=record.state is not RunState.FINISHED,
        )

    def _job_files(self) -> Iterator[Trace]:
        """Files that jobs put away of which no run is known: repeated, refused, pruned, not begun; and the
        reports beside them."""
        known = {record.id for record in self._runs}
        for file in self.journal.jobs.every_file():
            for path in (file.place, file.target):
                if path is None or path in self._seen or not path.is_file():
                    continue
                yield from self._copy(path, self.person, file.run, kept=True, needed=file.settled is None)
                if file.run and file.run not in known:
                    reports = own_files(path.parent, file.run)
                    yield from self._in_reports(reports, self.person, file.run, at_work=False)

    def _copy(self, path: Path, person: Person, run: str, *, kept: bool, needed: bool) -> Iterator[Trace]:
        """A file that rows were read from. `kept`: it is the importer's own."""
        self._seen.add(path)
        found = rows_with(path, person)
        if found.stuck and not found.rows and not kept:
            return
        if not (found.rows or found.stuck):
            return
        if not kept:
            yield Trace(TraceKind.YOURS, str(path), found.rows, run)
            return
        if needed:
            kind = TraceKind.UNFINISHED if found.rows else TraceKind.UNREADABLE
            yield Trace(kind, str(path), found.rows, run)
            return
        if not found.stuck and suffix_of(path) in TABLES + WORKBOOKS:
            tried = clear_file(path, person, PersonRows(), clear=self.clear)
            if not tried.stuck:
                yield Trace(TraceKind.COPY, str(path), tried.rows or found.rows, run)
                return
        if self.whole:
            if self.clear:
                path.unlink()
            yield Trace(TraceKind.WHOLE, str(path), found.rows, run)
            return
        yield Trace(TraceKind.STUCK if found.rows else TraceKind.UNREADABLE, str(path), found.rows, run)

    def _works(self) -> Iterator[Trace]:
        """Copies that no run names, and pieces of work of the page."""
        root = state_folder()
        busy = [Path(run.path) for run in self._runs if run.state is RunState.RUNNING]
        for folder in sorted({*root.glob("web/works/*"), *root.glob("spool/*")}):
            if not folder.is_dir() or any(path in self._seen for path in folder.iterdir()):
                continue
            rows = sum(_in_any_file(path, self.person) for path in folder.rglob("*") if path.is_file())
            if not rows:
                continue
            if any(folder in path.parents for path in busy):
                yield Trace(TraceKind.UNFINISHED, str(folder), rows)
                continue
            if self.clear:
                shutil.rmtree(folder)
            yield Trace(TraceKind.WORK, str(folder), rows)

    def _elsewhere(self) -> Iterator[Trace]:
        """Machines on which reports lie that nobody can look at from here."""
        if not self.journal.shared:
            return
        here = socket.gethostname()
        away = (run for run in self._runs if not Path(run.report_dir).is_dir())
        machines = Counter(run.machine for run in away if run.machine not in ("", here))
        for machine, runs in sorted(machines.items()):
            yield Trace(TraceKind.ELSEWHERE, machine, runs)


def _in_any_file(path: Path, person: Person) -> int:
    if path.suffix.lower() in _TEXTS:
        return int(person.is_in(path.read_text("utf-8", "replace")))
    return rows_with(path, person).rows


def _region_of(record: RunRecord) -> str | None:
    """The country (ISO) of phones without country code in the file of a run, as far as it was told."""
    country = options_from_json(record.settings).country
    try:
        return require_region(country) if country else _region_of_mapping(record.mapping)
    except ImporterError:
        return None


@cache
def _region_of_mapping(text: str) -> str | None:
    rules = mappings.load_text(text, "").fields.values()
    named = {rule.default_region for rule in rules} - {None}
    return named.pop() if len(named) == 1 else None
