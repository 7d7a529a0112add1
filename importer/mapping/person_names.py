"""Rules for the names of persons: split full names into first and last names, and make them of these."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import cache, lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer.arrow import (
    ByteSet,
    TextColumn,
    if_else,
    join_columns,
    join_nonempty,
    nonempty,
    offsets_and_bytes,
    to_mask,
)
from importer.mapping.base import ColumnIssue, packaged_words
from importer.models import Severity

FIELDS = ("first_name", "last_name", "full_name")
_HAN = "[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f]"
"""A regular expression for one Chinese character."""
_HAN_NAME = re.compile(f"{_HAN}+")
_BEGINS_HAN = re.compile(rf"{_HAN}\S*")
_COMMA_NAME = re.compile(r"[^,]+,(?!\s*(?:jr|sr|i{2,3}|iv|ph\.?d|m\.?d|mba|esq|dds)\b)[^,]+", re.IGNORECASE)
_MIDDLE_DOT = re.compile(r"[·•・‧]")
_LONGEST_HAN_NAME = 4


class NameRule(StrEnum):
    """How a mapping says that its full names are to be split."""

    LAST_WORD = "last-word"
    """The last word is the last name: “Ana María Pérez” → Ana María | Pérez."""
    FIRST_WORD = "first-word"
    """The first word is the first name: “Ana Pérez Gómez” → Ana | Pérez Gómez."""
    FAMILY_FIRST = "family-first"
    """The first word is the family name: “Nguyễn Văn An” → first name Văn An, last name Nguyễn."""
    COMMA = "comma"
    """“Pérez, Ana” → Ana | Pérez."""
    CHINESE = "chinese"
    """姓 goes to first_name and 名 to last_name (docs/remote-api.md, “Names”). Names in other scripts are
    split as by `LAST_WORD`."""


@lru_cache(maxsize=16384)
def split(name: str, rule: NameRule) -> tuple[str, str]:
    """Return (first_name, last_name) of a full name; one is "" where the rule finds no second part.

    A comma stands behind a family name, whatever the rule, unless a title follows it (Jr., PhD). A Chinese
    name of more than four characters is most likely a company's and is not split.
    """
    words = name.split()
    if rule is NameRule.COMMA or (rule is not NameRule.CHINESE and _COMMA_NAME.fullmatch(name)):
        family, comma, given = (part.strip() for part in name.partition(","))
        return (given, family) if comma else _split_at(words, len(words) - 1)
    if rule is NameRule.CHINESE:
        return _split_chinese(words)
    if rule is NameRule.FAMILY_FIRST:
        family, given = _split_at(words, 1)
        return (given, family) if given else (family, "")
    return _split_at(words, 1 if rule is NameRule.FIRST_WORD else len(words) - 1)


def likely_rule(names: Iterable[str]) -> NameRule:
    """Return the rule that most of these full names seem to follow."""
    filled = [name.strip() for name in names if name.strip()]
    for rule, pattern in ((NameRule.CHINESE, _BEGINS_HAN), (NameRule.COMMA, _COMMA_NAME)):
        if filled and sum(bool(pattern.fullmatch(name)) for name in filled) > len(filled) / 2:
            return rule
    return NameRule.LAST_WORD


def full_names(full: pa.Array | None, first: pa.Array, last: pa.Array) -> pa.Array:
    """Return the column of full names; an empty one is made of first and last name.

    A blank stands between them, unless both are Chinese.
    """
    made = join_nonempty((first, last), " ")
    if not offsets_and_bytes(made)[1].tobytes().isascii():
        chinese = to_mask(pc.match_substring_regex(first, f"{_HAN}$"))
        chinese &= to_mask(pc.match_substring_regex(last, f"^{_HAN}"))
        made = if_else(chinese, join_columns(first, last), made)
    return made if full is None else if_else(nonempty(full), full, made)


@cache
def _compound_surnames() -> frozenset[str]:
    """Return the Chinese surnames of two characters."""
    return frozenset(packaged_words("words.toml")["surnames"]["compound"])


def _split_chinese(words: list[str]) -> tuple[str, str]:
    text = "".join(words)
    dotted = _MIDDLE_DOT.split(text, maxsplit=1)
    if len(dotted) == 2 and _HAN_NAME.match(text):
        return dotted[0], dotted[1]
    if not _HAN_NAME.fullmatch(text):
        return split(" ".join(words), NameRule.LAST_WORD)
    if len(words) == 2:
        return words[0], words[1]
    if len(text) > _LONGEST_HAN_NAME:
        return text, ""
    family = 2 if text[:2] in _compound_surnames() and len(text) > 2 else 1
    return text[:family], text[family:]


def _split_at(words: list[str], index: int) -> tuple[str, str]:
    if len(words) < 2:
        return (words[0] if words else ""), ""
    return " ".join(words[:index]), " ".join(words[index:])


_DOUBTFUL = ByteSet(b"0123456789@#<>=+*{}[]|_/\\:%&!?~^$")
_NO_NAME = re.compile(r"\s*[#<={\[].*|.*@.*|(?:https?:|www\.).*|(?:.*?\d){5}.*", re.IGNORECASE | re.DOTALL)


def doubtful(column: pa.Array) -> list[ColumnIssue]:
    """Return the warning on texts that are no names: numbers, dates, e-mails, links, rows commented out."""
    rows = TextColumn(column).with_bytes(_DOUBTFUL)
    where = np.zeros(len(column), dtype=bool)
    if rows.size:
        distinct = column.take(pa.array(rows)).dictionary_encode()
        verdicts = [_is_no_name(text) for text in distinct.dictionary.to_pylist()]
        where[rows] = np.array(verdicts, dtype=bool)[distinct.indices.to_numpy()]
    if not where.any():
        return []
    return [ColumnIssue("doubtful-name", where, severity=Severity.WARNING, left_out=False)]


def _is_no_name(text: str) -> bool:
    return _NO_NAME.fullmatch(text) is not None or not any(map(str.isalpha, text))
