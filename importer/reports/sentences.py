"""Issues as sentences: where, what was found, what to do, and a likely correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from importer import messages
from importer.models import Issue
from importer.reports.corrections import MOST, likely
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


def expectation(code: str, expected: str, *, mask: bool) -> str:
    """What an issue expected; the readings of an ambiguous date are the cell's own, and masked like it."""
    if not mask or code != "ambiguous-date":
        return expected
    return " / ".join(masked(reading) for reading in expected.split(" / "))


@dataclass(frozen=True, slots=True)
class Said:
    """An issue in words, without its place."""

    says: str
    """What is wrong: “31/02/1990” is not a day of the calendar."""
    do: str
    """What to do about it; the likely correction first, if there is one."""


def said(issue: Issue, *, lang: str, mask: bool = False, field: str = "", offer: bool = True) -> Said:
    """The issue's sentence and hint. `field` names the API field where the issue doesn't."""
    # The whole of a long cell is neither quoted nor guessed at, and would only fill the cache.
    cell = (issue.found or "")[: MOST + 1]
    names = (issue.column or "", issue.field or field or issue.column or "")
    what = (issue.code, issue.wording or issue.code, *names, cell)
    about = (issue.limit, issue.length, issue.expected or "", issue.suggestion or "", issue.other_row)
    return _said(what, about, lang, mask, offer)


@lru_cache(maxsize=4096)
def _said(
    what: tuple[str, str, str, str, str],
    about: tuple[int | None, int | None, str, str, int | None],
    lang: str,
    mask: bool,
    offer: bool,
) -> Said:
    """What `said` says; the same cell is often wrong in many rows."""
    code, wording, column, field, cell = what
    limit, length, expected, suggestion, other_row = about
    quoted = shortened(cell)
    found = {
        "found": masked(quoted) if mask else quoted,
        "column": column,
        "field": field,
        "limit": limit,
        "length": length,
        "expected": expectation(code, expected, mask=mask),
        "other_row": other_row,
    }
    message = messages.catalogue()[wording]
    do = message.do[lang].format_map(found)
    correction = (suggestion or likely(code, cell)) if offer and not mask else ""
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
