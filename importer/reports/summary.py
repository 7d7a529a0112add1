"""summary.json: the run in numbers, for scripts. Its form is `summary.schema.json` beside this module."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from importlib import resources

from importer.escaping import to_json
from importer.models import IssueGroup, Status
from importer.reports.model import ReportPlan
from importer.reports.run_info import RunInfo
from importer.reports.tally import ReasonGroup, Tally

VERSION = 2
"""Of the form. Fields may be added within a version, never changed or removed."""


def schema() -> str:
    """The JSON Schema (draft 2020-12) of summary.json as text."""
    return resources.files("importer.reports").joinpath("summary.schema.json").read_text("utf-8")


def summary_json(plan: ReportPlan, run_info: RunInfo, tally: Tally) -> str:
    """The text of summary.json: indented, UTF-8, no cell of the input in it."""
    destination = run_info.destination
    ended = run_info.started + timedelta(seconds=run_info.seconds)
    source = plan.source
    content = {
        "version": VERSION,
        "run": plan.run_id,
        "parent": run_info.parent or None,
        "dry_run": run_info.dry_run,
        "exit_code": int(run_info.exit_code),
        "stop": run_info.stop or None,
        "started": run_info.started.isoformat(timespec="seconds"),
        "ended": ended.isoformat(timespec="seconds"),
        "seconds": round(run_info.seconds, 3),
        "source": {
            "name": source.name,
            "sha256": source.sha256,
            "size": source.size,
            "format": source.format,
            "encoding": source.encoding or None,
            "sheet": source.sheet or None,
            "header_row": source.header_row,
            "columns": list(source.header),
        },
        "destination": None
        if destination is None
        else {
            "host": destination.host,
            "tenant_id": destination.tenant_id,
            "app_key": destination.app_key,
            "contract": destination.contract,
        },
        "mode": run_info.mode.label,
        "mapping": {"name": run_info.mapping, "fields": _fields(plan)},
        "not_imported": [
            {"column": column.name, "filled": column.filled, "usual_field": column.usual_field or None}
            for column in tally.unused_columns()
        ],
        "rows": tally.rows,
        "counts": {status.value: tally.counts[status] for status in Status},
        "requests": run_info.requests,
        "retries": run_info.retries,
        "rows_per_second": round(tally.rows / run_info.seconds, 1) if run_info.seconds else None,
        "phases": {name: round(seconds, 3) for name, seconds in run_info.phases},
        "issues": [_issue(group) for group in tally.issue_groups()],
        "reasons": [_reason(group) for group in tally.reason_groups()],
        "suppression": [dataclasses.asdict(one) for one in run_info.suppression],
        "settings": dict(run_info.settings),
        "notes": [note.sentence(plan.lang, on_page=plan.on_page, advise=True) for note in run_info.notes],
    }
    return to_json(content, indent=2) + "\n"


def _fields(plan: ReportPlan) -> dict[str, list[str]]:
    """For each API field the columns that feed it."""
    found: dict[str, list[str]] = {}
    for column, field in plan.fields:
        found.setdefault(field, []).append(column)
    return found


def _issue(group: IssueGroup) -> dict[str, object]:
    return {
        "code": group.code,
        "severity": group.severity.value,
        "column": group.column or None,
        "rows": group.rows,
        "sent": group.sent,
        "longest": group.longest,
        "limit": group.limit,
        "examples": [{"sheet": issue.sheet or None, "row": issue.row} for issue in group.examples],
    }


def _reason(group: ReasonGroup) -> dict[str, object]:
    return {
        "status": group.status.value,
        "code": group.code,
        "message": group.message,
        "rows": group.rows,
        "examples": [{"sheet": sheet or None, "row": row} for sheet, row in group.examples],
    }
