"""Issues as sentences: where, what was found, what to do, and a likely correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from importer import messages
from importer.model import Issue
from importer.reports.plan import Plan

SHOWN = 60
"""So many characters of a cell are quoted."""


def shortened(value: str, most: int = SHOWN) -> str:
    """A cell as it is quoted in a sentence: one line, at most `most` characters."""
    flat = " ".join(value[: most * 4].split()) if not value.isprintable() else value
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def masked(value: str) -> str:
    """A cell of which only the form is left: letters as x, digits as 0, but the first and last character."""
    inner = "".join("0" if c.isdigit() else "x" if c.isalpha() else c for c in value[1:-1])
    return value[:1] + inner + value[-1:] if len(value) > 3 else "x" * len(value)


class _Found(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return ""


def issue_sentence(issue: Issue, *, lang: str, mask: bool = False, field: str = "") -> str:
    """What is wrong with the cell, without its place: “‘31/02/1990’ is not a day of the calendar”."""
    return messages.catalogue()[issue.code].says[lang].format_map(_found(issue, mask, field))


def issue_hint(issue: Issue, *, lang: str, mask: bool = False, field: str = "") -> str:
    """What to do about it; the likely correction if there is one."""
    do = messages.catalogue()[issue.code].do[lang].format_map(_found(issue, mask, field))
    if not issue.suggestion or mask:
        return do
    offered = messages.sentence("offer", {"suggestion": shortened(issue.suggestion)}, lang)
    return f"{offered} {do}" if lang == "en" else f"{offered}{do}"


def row_sentence(issues: Sequence[Issue], plan: Plan, fields: Mapping[str, str]) -> str:
    """All that keeps one row from being sent, in one text: “Birthday: … Write it as … | Email: …”."""
    parts = []
    for issue in issues:
        field = fields.get(issue.column or "", "")
        says = issue_sentence(issue, lang=plan.lang, mask=plan.mask, field=field)
        do = issue_hint(issue, lang=plan.lang, mask=plan.mask, field=field)
        end = ". " if plan.lang == "en" else "。"
        place = f"{issue.column}: " if issue.column else ""
        parts.append(f"{place}{says}{end}{do}".rstrip())
    return " | ".join(parts)


def _found(issue: Issue, mask: bool, field: str) -> _Found:
    found = issue.found or ""
    return _Found(
        found=masked(shortened(found)) if mask else shortened(found),
        column=issue.column or "",
        field=issue.field or field or issue.column or "",
        limit=issue.limit,
        length=issue.length,
        expected=issue.expected or "",
        suggestion=issue.suggestion or "",
        other_row=issue.other_row,
        row=issue.row,
        sheet=issue.sheet,
    )
