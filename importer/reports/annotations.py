"""Keep what annotated.xlsx needs of every row while the run goes on: on request, up to 100,000 rows.

Apart from `annotated`, so that an ordinary run does not import openpyxl.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from importer.dataclass import dataclass
from importer.models import Issue, Severity
from importer.reports.model import WORKBOOK_ROWS, ReportPlan
from importer.reports.rows import ReportRows
from importer.reports.wording import issue_text


@dataclass(frozen=True, slots=True)
class CellAnnotation:
    """A cell to colour, and why."""

    row: int
    column: str
    severity: Severity
    """The gravest among its issues."""
    reasons: tuple[str, ...]


@dataclass(slots=True)
class SheetAnnotations:
    """All rows of one sheet, in order, and the issues found in them."""

    rows: list[ReportRows] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)

    def cell_annotations(self, plan: ReportPlan) -> list[CellAnnotation]:
        """The cells to colour, by row; issues of rows as a whole have no cell."""
        by_cell: dict[tuple[int, str], list[Issue]] = {}
        for issue in self.issues:
            if issue.column:
                by_cell.setdefault((issue.row, issue.column), []).append(issue)
        fields = dict(plan.fields)
        found = []
        for (row, column), issues in by_cell.items():
            severity = min((issue.severity for issue in issues), key=lambda severity: severity.rank)
            texts = (
                issue_text(issue, lang=plan.lang, mask=plan.mask, field=fields.get(column, ""))
                for issue in issues
            )
            reasons = tuple(text.sentence(plan.lang) for text in texts)
            found.append(CellAnnotation(row, column, severity, tuple(dict.fromkeys(reasons))))
        return found


class Annotations:
    """Gathers rows and issues by sheet. Beyond the limit it forgets them."""

    def __init__(self) -> None:
        self.sheets: dict[str, SheetAnnotations] = {}
        self.rows = 0

    @property
    def over_limit(self) -> bool:
        return self.rows > WORKBOOK_ROWS

    def add_issues(self, sheet: str, issues: Sequence[Issue]) -> None:
        """Add the issues found in a chunk of the sheet."""
        if not self.over_limit:
            self._of(sheet).issues += issues

    def add_rows(self, sheet: str, rows: ReportRows) -> None:
        """Add rows of the sheet with their final status."""
        self.rows += len(rows)
        if self.over_limit:
            self.sheets.clear()
        else:
            self._of(sheet).rows.append(rows)

    def _of(self, sheet: str) -> SheetAnnotations:
        return self.sheets.setdefault(sheet, SheetAnnotations())
