"""What keeps a row back: errors do, warnings only under `--strict`, notes never."""

from __future__ import annotations

from dataclasses import replace

import pytest

from importer.models import Issue, Severity, Status
from importer.pipeline.check import Checker, CheckRules
from tests.support.mapping import SEA, chunk, mapper

CELLS = {
    "First": ["Ann", "Bob", "Cy"],
    "Last": ["A", "B", "C"],
    "Mail": ["a@x.example", "b@x.example", "c@x.example"],
}
MAPPING = """
[fields.first_name]
from = "First"
[fields.last_name]
from = "Last"
[fields.email]
from = "Mail"
"""


@pytest.mark.parametrize(("strict", "kept_back"), [(False, (2,)), (True, (2, 3))])
def test_only_errors_keep_a_row_back_and_a_note_is_none_under_strict(
    strict: bool, kept_back: tuple[int, ...]
) -> None:
    levels = dict(zip((2, 3, 4), Severity, strict=True))
    issues = tuple(Issue("missing-cells", level, row) for row, level in levels.items())
    checker = Checker(mapper(MAPPING, CELLS), SEA, CheckRules(strict=strict))
    found = checker.check(replace(chunk(CELLS), issues=issues))
    assert [(outcome.status, outcome.rows) for outcome in found.outcomes] == [(Status.INVALID, kept_back)]
    assert found.customers.rows.tolist() == [row for row in levels if row not in kept_back]
    assert {issue.row: issue.severity for issue in found.issues}[4] is Severity.NOTE
