"""What the reports say of a run as a whole, and what its end says to a script."""

from __future__ import annotations

from pathlib import Path

from importer.errors import ImporterError, InputError, TripwireError
from importer.models import ExitCode, Note
from importer.pipeline.plan import Plan
from importer.pipeline.replay import Replay
from importer.reports import ReportPlan, ReportSource, Tally


def taken_up(replay: Replay | None) -> tuple[Note, ...]:
    """That the run was gone on with, and how many rows were sent again."""
    return () if replay is None else (Note("taken-up-again", (("rows", replay.again),)),)


def exit_code(tally: Tally, stop: ImporterError | None) -> ExitCode:
    """What the run's end says to a script (DESIGN, “Exit codes”)."""
    # A file that broke off may have had more rows, however well those went that could be read.
    if isinstance(stop, TripwireError | InputError) or (stop is not None and not tally.done):
        return stop.exit_code
    return ExitCode.DONE if tally.done else ExitCode.ROWS_LEFT


def why(stop: ImporterError | None, code: ExitCode, lang: str) -> str:
    """Why the run ended early, in sentences; empty if it didn't."""
    if stop is None or code is ExitCode.DONE:
        return ""
    end = "。" if lang == "zh" else ". "
    return end.join(part for part in (stop.sentence(lang), stop.hint(lang)) if part)


def settings_of(plan: Plan) -> tuple[tuple[str, str], ...]:
    """(name, value) of what made a difference; no secret is among it."""
    options = plan.options
    shown = {
        "mode": plan.mode.label,
        "contract": plan.contract.name,
        "mapping": plan.mapping.name,
        "duplicates": options.duplicates.value,
        "strict": "yes" if options.strict else "no",
        "concurrency": str(options.concurrency),
        "rate": "" if options.rate is None else f"{options.rate:g}",
        "patience": f"{options.patience:g}",
        "sheet": options.sheet or "",
        "encoding": plan.source.encoding or "",
        "limit": "" if options.limit is None else str(options.limit),
    }
    return tuple((name, value) for name, value in shown.items() if value)


def report_plan(plan: Plan, run_id: str, directory: Path) -> ReportPlan:
    """What the reports are about."""
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
    )
    fields = tuple((column, name) for name, sources in plan.mapper.columns.items() for column in sources)
    return ReportPlan(directory, run_id, origin, options.lang, options.excel_report, options.mask, fields)
