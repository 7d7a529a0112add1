"""Word what reports and the terminal say: numbers, sizes, times, places, and issues as sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from importer import messages
from importer.dataclass import dataclass
from importer.escaping import single_line
from importer.models import Issue, Status
from importer.reports.likely_corrections import MAX_CELL, likely_correction

if TYPE_CHECKING:
    from importer.reports.model import ReportPlan


def word(code: str, lang: str, /, **found: object) -> str:
    """A word or phrase of `messages/words.toml`."""
    return messages.sentence(code, found, lang)


_COMMA_AND_POINT = str.maketrans(",.", ".,")


def number(value: float, lang: str = "en") -> str:
    """A number with thousands separators: 12,345. A small fraction has three significant digits."""
    if isinstance(value, int) or value == int(value):
        return _marked(f"{int(value):,}", lang)
    return _marked(f"{value:,.1f}" if value >= 100 else f"{value:.3g}", lang)


def _marked(text: str, lang: str) -> str:
    """The number with the thousands separator and the decimal mark of the language (Unicode CLDR)."""
    return text.translate(_COMMA_AND_POINT) if lang in messages.DECIMAL_COMMA else text


def opening(text: str) -> str:
    """A sentence as it begins in a list: with a capital, but for names of fields and files."""
    first = text.split(" ", 1)[0]
    return text if "_" in first or "." in first.rstrip(".") else text[:1].upper() + text[1:]


def share(percent: float, lang: str = "en") -> str:
    """A percentage, 0 % and 100 % only when exact: 98.4 %."""
    if percent in (0, 100):
        return f"{percent:.0f} %"
    return _marked(
        f"{min(max(percent, 0.01), 99.99):.2f} %" if not 1 <= percent <= 99 else f"{percent:.1f} %", lang
    )


def rows(count: int, lang: str) -> str:
    """12,345 rows."""
    return word("summary-rows-of-one" if count == 1 else "summary-rows-of", lang, count=number(count, lang))


def status(value: Status, lang: str, *, keep: bool = False) -> str:
    """The status as a word. `keep`: of a run in this mode, whose rows are accepted and need not be stored."""
    kept = "-keep" if keep and value is Status.IMPORTED else ""
    return word(f"status-{value.value.replace('_', '-')}{kept}", lang)


def reason_text(code: str, message: str, lang: str) -> str:
    """Why rows have their status: what was said of them, or the sentence of a code that says it all."""
    if message or code not in messages.catalogue():
        return message
    text = messages.catalogue()[code].message[lang]
    return "" if "{" in text else text


def kind(code: str, lang: str) -> str:
    """The kind of an issue as a heading."""
    return messages.word_of("kind", code, lang)


def size(count: int, lang: str = "en") -> str:
    """A number of bytes, in the unit that leaves one to three digits."""
    value = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else _marked(f"{value:.1f} {unit}", lang)


def span(seconds: float, lang: str = "en") -> str:
    """A duration: 0.4 s, 38 s, 2:05 min, 1:02:03 h."""
    if seconds < 10:
        return word("span-seconds", lang, time=_marked(f"{seconds:.1f}", lang))
    whole = round(seconds)
    if whole < 60:
        return word("span-seconds", lang, time=whole)
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return word("span-minutes", lang, time=f"{minutes}:{rest:02d}")
    return word("span-hours", lang, time=f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}")


def places(found: Iterable[tuple[str, int]], lang: str) -> str:
    """Row numbers, each with its sheet if the sheets differ."""
    pairs = [(single_line(sheet), row) for sheet, row in found]
    sheets = {sheet for sheet, _ in pairs}
    mark = word("summary-and", lang)
    if len(sheets) > 1:
        return mark.join(word("places-each", lang, sheet=sheet, row=row) for sheet, row in pairs)
    sheet = "".join(sheets)
    numbers = mark.join(str(row) for _, row in pairs)
    return word("places-on-sheet" if sheet else "places", lang, rows=numbers, sheet=sheet)


def examples(issues: Sequence[Issue], lang: str) -> str:
    """The rows of these issues."""
    return places(((issue.sheet, issue.row) for issue in issues), lang)


QUOTED_LENGTH = 60
"""Characters of a cell that are quoted."""


def shortened(value: str, most: int = QUOTED_LENGTH) -> str:
    """A cell as it is quoted in a sentence: one line, at most `most` characters."""
    flat = single_line(value[: most + 1])
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def masked(value: str) -> str:
    """A cell of which only the form is left: x for letters, 0 for digits, except at both ends."""
    inner = "".join("0" if c.isdigit() else "x" if c.isalpha() else c for c in value[1:-1])
    return value[:1] + inner + value[-1:] if len(value) > 3 else "x" * len(value)


def expectation(code: str, expected: str, wording: str | None, *, mask: bool) -> str:
    """What an issue expected. The readings of an ambiguous date and another person's name are masked, too."""
    if not mask or not _OF_CELLS & {code, wording}:
        return expected
    return " / ".join(masked(reading) for reading in expected.split(" / "))


@dataclass(frozen=True, slots=True)
class IssueText:
    """An issue in words, without its place."""

    message: str
    """What is wrong: “31/02/1990” is not a day of the calendar."""
    hint: str
    """What to do about it; the likely correction first, if there is one."""

    def sentence(self, lang: str) -> str:
        """Message and hint as one text."""
        return messages.join_sentences(lang, self.message, self.hint)


def issue_text(
    issue: Issue,
    *,
    lang: str,
    mask: bool = False,
    field: str = "",
    offer: bool = True,
    on_page: bool = False,
) -> IssueText:
    """The issue's message and hint. `field` is the API field if the issue names none.

    With `mask` the cell is masked. Without `offer` no correction is suggested. `on_page`: the hint speaks of
    the page in the browser, not of options.
    """
    # A long cell is not quoted in full and not corrected. It would only fill the cache.
    cell = (issue.found or "")[: MAX_CELL + 1]
    names = (issue.column or "", issue.field or field or issue.column or "")
    wording = issue.wording or issue.code
    if names[1] in _CHANNELS:
        wording = _OF_CHANNEL.get(wording, wording)
    if wording == _BAD_DATE and _of_no_month(cell):
        wording = "date-of-no-month"
    elif wording == _BAD_DATE and _without_day(cell):
        wording = "date-without-day"
    what = (issue.code, wording, *names, cell)
    about = (issue.limit, issue.length, issue.expected or "", issue.suggestion or "", issue.other_row)
    return _issue_text(what, about, lang, mask, offer, on_page)


@lru_cache(maxsize=4096)
def _of_no_month(cell: str) -> bool:
    from importer.mapping.dates import of_no_month  # not needed before a date is wrong

    return of_no_month(cell)


@lru_cache(maxsize=4096)
def _without_day(cell: str) -> bool:
    import re  # as above

    return bool(re.fullmatch(r"\s*(?:19|20)\d\d\s*(?:年|(?:年|[-/.])\s*(?:0?[1-9]|1[0-2])\s*月?)?\s*", cell))


_BAD_DATE = "bad-date"
_OF_CELLS = frozenset(
    {"ambiguous-date", "place-taken", "not-restored", "same-contact-another", "same-contact-imported-another"}
)
"""Issues and messages that say what comes from cells beside the one they are about."""
_CHANNELS = {"messenger": "Messenger", "instagram": "Instagram", "zalo": "Zalo", "line": "LINE"}
"""Fields that hold an account of a channel, and how the channel is called."""
_OF_CHANNEL = {"bad-phone": "bad-account", "not-digits": "account-not-digits"}


@lru_cache(maxsize=4096)
def _issue_text(
    what: tuple[str, str, str, str, str],
    about: tuple[int | None, int | None, str, str, int | None],
    lang: str,
    mask: bool,
    offer: bool,
    on_page: bool,
) -> IssueText:
    """As `issue_text`, cached: the same cell is often wrong in many rows."""
    code, wording, column, field, cell = what
    limit, length, expected, suggestion, other_row = about
    quoted = shortened(cell)
    found = {
        "found": masked(quoted) if mask else quoted,
        "column": single_line(column),
        "field": field,
        "channel": _CHANNELS.get(field, ""),
        "limit": limit,
        "length": length,
        "expected": single_line(expectation(code, expected, wording, mask=mask)),
        "other_row": other_row,
        "example": _example_phone(expected) if code == "bad-phone" else "",
    }
    entry = messages.catalogue()[wording]
    hint = messages.fill(messages.hint_template(wording, lang, on_page=on_page), found, lang)
    correction = (suggestion or likely_correction(code, cell, expected)) if offer and not mask else ""
    if correction:
        offered = messages.sentence("offer", {"suggestion": shortened(correction)}, lang)
        hint = messages.join_sentences(lang, offered, hint)
    return IssueText(messages.fill(entry.message[lang], found, lang), hint)


def _example_phone(country: str) -> str:
    """A mobile phone with its country code, of the country (ISO code) that an issue names."""
    from importer.mapping.phone_texts import example_phone  # phonenumbers is slow to load

    return (example_phone(country) if country else "") or "8613800000000"


def issue_sentence(issue: Issue, plan: ReportPlan, fields: Mapping[str, str]) -> str:
    """What is wrong with a cell and what to do, as one text."""
    return _words(issue, plan, fields).sentence(plan.lang)


def row_sentence(issues: Sequence[Issue], plan: ReportPlan, fields: Mapping[str, str]) -> str:
    """All issues of one row as one text: “Birthday: … Write it as … | Email: …”."""
    return " | ".join(
        with_column(
            issue,
            _words(issue, plan, fields),
            plan.lang,
        )
        for issue in issues
    )


def _words(issue: Issue, plan: ReportPlan, fields: Mapping[str, str]) -> IssueText:
    field = fields.get(issue.column or "", "")
    return issue_text(issue, lang=plan.lang, mask=plan.mask, field=field, on_page=plan.on_page)


def with_column(issue: Issue, words: IssueText, lang: str = "en") -> str:
    """Column, message and hint of an issue as one text."""
    column = f"{single_line(issue.column)}: " if issue.column else ""
    return f"{column}{words.sentence(lang)}"
