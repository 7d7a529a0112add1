"""Issues as sentences: where, what was found, what to do, and a likely correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from importer import messages
from importer.model import Issue
from importer.reports.corrections import likely
from importer.reports.plan import Plan

SHOWN = 60
"""So many characters of a cell are quoted."""


def shortened(value: str, most: int = SHOWN) -> str:
    """A cell as it is quoted in a sentence: one line, at most `most` characters."""
    flat = value[: most + 1]
    if not flat.isprintable():
        flat = "".join(character if character.isprintable() else _named(character) for character in flat)
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def _named(character: str) -> str:
    """What cannot be seen, made visible: a blank for white space, else its code."""
    return " " if character.isspace() else f"\\u{ord(character):04x}"


def masked(value: str) -> str:
    """A cell of which only the form is left: letters as x, digits as 0, but the first and last character."""
    inner = "".join("0" if c.isdigit() else "x" if c.isalpha() else c for c in value[1:-1])
    return value[:1] + inner + value[-1:] if len(value) > 3 else "x" * len(value)


@dataclass(frozen=True, slots=True)
class Said:
    """An issue in words, without its place."""

    says: str
    """What is wrong: “31/02/1990” is not a day of the calendar."""
    do: str
    """What to do about it; the likely correction first, if there is one."""


def said(issue: Issue, *, lang: str, mask: bool = False, field: str = "", offer: bool = True) -> Said:
    """The issue's sentence and hint. `field` names the API field where the issue doesn't."""
    message = messages.catalogue()[issue.code]
    found = _found(issue, mask, field)
    do = message.do[lang].format_map(found)
    correction = likely(issue) if offer and not mask else ""
    if correction:
        offered = messages.sentence("offer", {"suggestion": shortened(correction)}, lang)
        do = f"{offered} {do}" if lang == "en" else f"{offered}{do}"
    return Said(message.says[lang].format_map(found), do)


def row_sentence(issues: Sequence[Issue], plan: Plan, fields: Mapping[str, str]) -> str:
    """All that keeps one row from being sent, in one text: “Birthday: … Write it as … | Email: …”."""
    return " | ".join(
        with_column(
            issue,
            said(issue, lang=plan.lang, mask=plan.mask, field=fields.get(issue.column or "", "")),
            plan.lang,
        )
        for issue in issues
    )


def with_column(issue: Issue, words: Said, lang: str = "en") -> str:
    """The column, what is wrong in it, and what to do."""
    end = ". " if lang == "en" else "。"
    place = f"{issue.column}: " if issue.column else ""
    return f"{place}{words.says}{end}{words.do}".rstrip()


def _found(issue: Issue, mask: bool, field: str) -> dict[str, object]:
    found = shortened(issue.found or "")
    return {
        "found": masked(found) if mask else found,
        "column": issue.column or "",
        "field": issue.field or field or issue.column or "",
        "limit": issue.limit,
        "length": issue.length,
        "expected": issue.expected or "",
        "suggestion": issue.suggestion or "",
        "other_row": issue.other_row,
        "row": issue.row,
        "sheet": issue.sheet,
    }
