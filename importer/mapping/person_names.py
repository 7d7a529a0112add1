"""Split a full name into first and last name by the rule that a mapping names."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache

from importer.mapping.words import compound_surnames

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f]+")
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
    """姓 goes to first_name and 名 to last_name (API.md, “Names”); names in other scripts as last-word."""


@lru_cache(maxsize=16384)
def split(name: str, rule: NameRule) -> tuple[str, str]:
    """(first_name, last_name) of a full name; one of them is "" where the rule finds no second part.

    A Chinese name of more than four characters is most likely a company's and is not split.
    """
    words = name.split()
    if rule is NameRule.COMMA:
        family, comma, given = (part.strip() for part in name.partition(","))
        return (given, family) if comma else _cut(words, len(words) - 1)
    if rule is NameRule.CHINESE:
        return _chinese(words)
    if rule is NameRule.FAMILY_FIRST:
        family, given = _cut(words, 1)
        return (given, family) if given else (family, "")
    return _cut(words, 1 if rule is NameRule.FIRST_WORD else len(words) - 1)


def _chinese(words: list[str]) -> tuple[str, str]:
    text = "".join(words)
    dotted = _MIDDLE_DOT.split(text, maxsplit=1)
    if len(dotted) == 2 and _HAN.match(text):
        return dotted[0], dotted[1]
    if not _HAN.fullmatch(text):
        return _cut(words, len(words) - 1)
    if len(words) == 2:
        return words[0], words[1]
    if len(text) > _LONGEST_HAN_NAME:
        return text, ""
    family = 2 if text[:2] in compound_surnames() and len(text) > 2 else 1
    return text[:family], text[family:]


def _cut(words: list[str], place: int) -> tuple[str, str]:
    if len(words) < 2:
        return (words[0] if words else ""), ""
    return " ".join(words[:place]), " ".join(words[place:])


HAN = "[\u3400-\u9fff\uf900-\ufaff]"
"""A regular expression for one Chinese character: names written in them are joined without a blank."""
