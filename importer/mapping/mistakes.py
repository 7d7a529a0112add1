"""Tell every mistake of a mapping file at once, each with its line and key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from importer.errors import MappingError
from importer.mapping.person_names import NameRule
from importer.mapping.rules import (
    Condition,
    CustomRule,
    FieldRule,
    HeaderMatch,
    MappingFile,
    ReadingRules,
    field_names,
    keys_of,
)
from importer.mapping.schema import checked
from importer.models import Note
from importer.reasons import value_reason

_CODES = {
    "extra_forbidden": "mapping-unknown-key",
    "unknown_field": "mapping-unknown-field",
    "date_format": "mapping-bad-date-format",
    "region": "mapping-bad-region",
    "clash": "mapping-keys-clash",
    "unfed": "mapping-unfed-field",
    "join": "mapping-join-needs-two",
    "condition": "mapping-bad-condition",
    "name_rule": "mapping-needs-name-rule",
    "split": "mapping-split-elsewhere",
    "misplaced": "mapping-misplaced-key",
    "missing": "mapping-missing-key",
    "literal_error": "mapping-bad-choice",
    "header_row": "mapping-bad-choice",
    "enum": "mapping-bad-choice",
    "string_too_short": "mapping-empty-text",
    "too_short": "mapping-empty-text",
}


MOST_TOLD = 100
"""Mistakes of a file that are told; the line of each is looked for."""


def checked_mapping(table: Mapping[str, Any], text: str, file: str) -> MappingFile:
    """Return the mapping of a table, which is that of the text.

    Raises MappingError for the first of all mistakes by the order of lines; its `also` has the others.
    """
    try:
        return checked(table)
    except ValidationError as error:
        raise _mapping_error(error, text, file) from error


def _mapping_error(error: ValidationError, text: str, file: str) -> MappingError:
    """Return what is wrong with the text of a mapping file, in the order of its lines.

    The error is the first mistake, with its line and key; `also` has the others.
    """
    mistakes = error.errors()
    # A misspelled key is also a missing one; the spelling is what to report.
    misspelled = {one["loc"][:-1] for one in mistakes if one["type"] == "extra_forbidden"}
    told: dict[tuple[int, str], MappingError] = {}
    for one in mistakes[:MOST_TOLD]:
        if one["type"] != "missing" or one["loc"][:-1] not in misspelled:
            found = _mistake(one, text, file)
            told.setdefault((int(str(found.found["line"])), str(found.found["place"])), found)
    first, *others = (told[key] for key in sorted(told, key=lambda key: key[0]))
    first.also = tuple(others)
    return first


@dataclass(frozen=True, slots=True)
class UnplacedMistake:
    """A mistake of a mapping that stands in no file: its sentence without file and line."""

    error: MappingError

    def sentence(self, lang: str = "en") -> str:
        said = self.error.sentence(lang)
        return re.split(r": |：", said, maxsplit=1)[-1]


def first_mistake(error: ValidationError) -> UnplacedMistake:
    """Return the first thing that is wrong with a mapping that no file holds."""
    return UnplacedMistake(_mapping_error(error, "", ""))


def _mistake(mistake: ErrorDetails, text: str, file: str) -> MappingError:
    context: dict[str, Any] = dict(mistake.get("ctx") or {})
    path = tuple("from" if part == "source" else part for part in mistake["loc"])
    kind, given = mistake["type"], mistake["input"]
    if not isinstance(given, str | int | float | bool):
        given = Note("reason-a-table" if isinstance(given, dict) else "reason-a-list")
    return MappingError(
        _CODES.get(kind, "mapping-bad-value"),
        file=file,
        line=_line(text, path),
        place=".".join(part for part in path if isinstance(part, str)),
        key=str(path[-1]) if path else "",
        given=given,
        allowed=_allowed(kind, path, context),
        reason=value_reason(kind, context),
        **{key: value for key, value in context.items() if key in ("lacks", "region", "keys", "field")},
    )


def _allowed(kind: str, path: tuple[str | int, ...], context: dict[str, Any]) -> str:
    if kind == "unknown_field":
        return ", ".join(field_names())
    if kind == "extra_forbidden":
        return ", ".join(_keys(path[:-1]))
    if kind == "misplaced":
        return str(context["fields"])
    if kind == "enum":
        return ", ".join(rule.value for rule in NameRule)
    return str(context.get("expected", "")).replace("'", "")


_TABLES: dict[str, type] = {
    "when": Condition,
    "fields": FieldRule,
    "custom": CustomRule,
    "only": Condition,
    "match": HeaderMatch,
    "read": ReadingRules,
}


def _keys(table: Sequence[str | int]) -> Iterator[str]:
    rule = _TABLES.get("when" if "when" in table[2:] else str(*table[:1]), MappingFile)
    return (key.written for key in keys_of(rule).values())


_TABLE = re.compile(r"\s*\[\[?\s*(.+?)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_.-]+)\s*=""")


def _line(text: str, path: Sequence[str | int]) -> int:
    """Return the line (from 1) of the key at a path, else of its table; 1 if neither is written that way."""
    names = [str(part) for part in path if not isinstance(part, int)]
    indices = [part for part in path if isinstance(part, int)]
    best, depth, here, repeats = 1, 0, "", -1
    for number, line in enumerate(text.splitlines(), start=1):
        table, key = _TABLE.fullmatch(line), _KEY.match(line)
        if table:
            repeats = repeats + 1 if here == table[1] else 0
            here = table[1]
        written = _parts(here) + (_parts(key[1]) if key else [])
        if not (table or key) or (indices and here == names[0] and repeats != indices[0]):
            continue
        common = _common(written, names)
        if common == len(written) and common > depth:
            best, depth = number, common
    return best


def _parts(dotted: str) -> list[str]:
    found = re.findall(r""""((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+)""", dotted)
    return ["".join(groups) for groups in found]


def _common(path: Sequence[str], names: Sequence[str]) -> int:
    count = 0
    for mine, theirs in zip(path, names, strict=False):
        if mine != theirs:
            break
        count += 1
    return count
