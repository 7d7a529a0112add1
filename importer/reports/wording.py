"""Numbers, sizes, times and places as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from importer import messages
from importer.models import Issue, Status


def word(code: str, lang: str, /, **found: object) -> str:
    """A word or phrase of `messages/words.toml`."""
    return messages.sentence(code, found, lang)


def number(value: float) -> str:
    """12,345; up to three digits behind the point where it is small and not whole."""
    if isinstance(value, int) or value == int(value):
        return f"{int(value):,}"
    return f"{value:,.1f}" if value >= 100 else f"{value:.3g}"


def rows(count: int, lang: str) -> str:
    """12,345 rows."""
    return word("summary-rows-of-one" if count == 1 else "summary-rows-of", lang, count=number(count))


def status(value: Status, lang: str) -> str:
    """The status as a word."""
    return word(f"status-{value.value.replace('_', '-')}", lang)


def kind(code: str, lang: str) -> str:
    """The kind of an issue as a heading."""
    known = f"kind-{code}"
    return word(known, lang) if known in messages.catalogue() else code


def size(count: int) -> str:
    """Bytes, in the unit that leaves one to three digits."""
    value = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"


def span(seconds: float) -> str:
    """A time that something took: 0.4 s, 38 s, 2:05 min, 1:02:03 h."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d} min"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d} h"


def places(found: Iterable[tuple[str, int]], lang: str) -> str:
    """Rows by number; with their sheet where they don't all have the same."""
    pairs = list(found)
    several = len({sheet for sheet, _ in pairs}) > 1
    named = [f"{sheet}!{row}" if several else str(row) for sheet, row in pairs]
    text = word("summary-and", lang).join(named)
    sheet = pairs[0][0] if pairs else ""
    return f"{text} ({sheet})" if sheet and not several else text


def examples(issues: Sequence[Issue], lang: str) -> str:
    """Where the issues are."""
    return places(((issue.sheet, issue.row) for issue in issues), lang)
