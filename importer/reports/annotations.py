"""What annotated.xlsx needs of every row, kept while the run goes on: on request, up to 100,000 rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from importer.models import Issue, Severity
from importer.reports.lines import Lines
from importer.reports.plan import WORKBOOK_ROWS, Plan
from importer.reports.sentences import said


@dataclass(frozen=True, slots=True)
class Mark:
    """A cell that is coloured, and why."""

    row: int
    column: str
    wrong: bool
    """False for a warning."""
    reasons: tuple[str, ...]


@dataclass(slots=True)
class SheetNotes:
    """All rows of one sheet, in order, and the issues found in them."""

    lines: list[Lines] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)

    def marks(self, plan: Plan) -> list[Mark]:
        """The cells to colour, by row; issues of rows as a whole have no cell."""
        by_cell: dict[tuple[int, str], list[Issue]] = {}
        for issue in self.issues:
            if issue.column:
                by_cell.setdefault((issue.row, issue.column), []).append(issue)
        fields = dict(plan.fields)
        marks = []
        for (row, column), issues in by_cell.items():
            wrong = any(issue.severity is Severity.ERROR for issue in issues)
            reasons = tuple(_reason(issue, plan, fields.get(column, "")) for issue in issues)
            marks.append(Mark(row, column, wrong, tuple(dict.fromkeys(reasons))))
        return marks


class Annotations:
    """Gathers rows and issues by sheet; gives up, and lets go of them, beyond the limit."""

    def __init__(self) -> None:
        self.sheets: dict[str, SheetNotes] = {}
        self.rows = 0

    @property
    def too_many(self) -> bool:
        return self.rows > WORKBOOK_ROWS

    def add_issues(self, sheet: str, issues: Sequence[Issue]) -> None:
        """What was found in a chunk of the sheet."""
        if not self.too_many:
            self._of(sheet).issues += issues

    def add_lines(self, sheet: str, lines: Lines) -> None:
        """Rows of the sheet with their final status."""
        self.rows += len(lines)
        if self.too_many:
            self.sheets.clear()
        else:
            self._of(sheet).lines.append(lines)

    def _of(self, sheet: str) -> SheetNotes:
        return self.sheets.setdefault(sheet, SheetNotes())


def _reason(issue: Issue, plan: Plan, field: str) -> str:
    words = said(issue, lang=plan.lang, mask=plan.mask, field=field)
    return f"{words.says}{'. ' if plan.lang == 'en' else '。'}{words.do}".strip()
