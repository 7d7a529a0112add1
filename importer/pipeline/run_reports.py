"""What the reports need to know of a run before its first row, and of its end."""

from __future__ import annotations

from pathlib import Path

from importer.errors import ImporterError
from importer.exit_codes import ExitCode
from importer.mapping.headers import usual_field
from importer.models import UnusedColumn
from importer.pipeline.plan import RunPlan
from importer.reports import ReportPlan, ReportSource
from importer.sources.locations import is_whole
from importer.sources.spool import is_spooled


def stop_reason(stop: ImporterError | None, code: ExitCode, lang: str, *, on_page: bool = False) -> str:
    """Return why the run ended early, in sentences; empty if it did not."""
    if stop is None or code is ExitCode.DONE:
        return ""
    return stop.full_text(lang, on_page=on_page)


def report_plan(plan: RunPlan, run_id: str, directory: Path, *, on_page: bool = False) -> ReportPlan:
    """Return what the reports need to know of the run before its first row."""
    source, options = plan.source, plan.options
    origin = ReportSource(
        path=source.path,
        name=source.name,
        format=source.format,
        header=plan.header,
        sha256=source.sha256,
        size=source.size,
        encoding=source.encoding or "",
        sheet=source.sheet or "",
        header_row=source.header_row,
        again=_named_again(source.given_path, source.name),
    )
    columns = plan.mapper.columns
    fields = tuple((column, name) for name, sources in columns.items() for column in sources)
    unused = tuple(UnusedColumn(name, usual_field(name, columns)) for name in plan.mapper.unused)
    return ReportPlan(
        directory, run_id, origin, options.lang, options.excel_report, options.mask, fields, unused, on_page
    )


def _named_again(path: Path, name: str) -> str:
    """Return by what a command reads a file once more: its private copy, where its name leads nowhere.

    So it is with a link whose query is not shown, standard input, a pipe, and a table of a program.
    """
    return str(path) if is_spooled(path) and not is_whole(name) else name
