"""Every sentence the importer says about an issue, an error or a status, in one place a language.

The TOML files beside this one hold a table for each code: `en` and `zh`, each with `says` (what was found,
what was expected) and `do` (what to do next), filled in by name; issues also carry their `severity`. The
README's table of codes, the reports and the command line all read from here.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

LANGUAGES = ("en", "zh")
_ENDING = ".toml"


@dataclass(frozen=True, slots=True)
class Message:
    """One code's texts: `says[lang]`, `do[lang]`. `severity` is empty unless the code is a row's issue."""

    code: str
    area: str
    severity: str
    says: Mapping[str, str]
    do: Mapping[str, str]


class _KeepUnfilled(dict[str, object]):
    """Fills a sentence; a place nobody filled stays visible instead of raising while an error is told."""

    def __missing__(self, key: str) -> str:
        return f"<{key}>"


class Catalogue(Mapping[str, Message]):
    """All messages by code. A message is read when it is asked for: a run says few of them."""

    def __init__(self, areas: Mapping[str, str]) -> None:
        """`areas`: the text of each file by its name. Raises ValueError for a code that stands in two."""
        self._places: dict[str, tuple[str, str]] = {}
        self._read: dict[str, Message] = {}
        for area, text in areas.items():
            # A table is all that stands below its [code]; above the first are comments.
            for table in f"\n{text}".split("\n[")[1:]:
                code, _, content = table.partition("]")
                if code in self._places:
                    other = self._places[code][0]
                    raise ValueError(f"the message {code} stands in {other}.toml and in {area}.toml")
                self._places[code] = area, content

    def __getitem__(self, code: str) -> Message:
        if code not in self._read:
            area, table = self._places[code]
            self._read[code] = _message(code, area, tomllib.loads(table))
        return self._read[code]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, code: object) -> bool:
        return code in self._places


def _message(code: str, area: str, table: Mapping[str, Any]) -> Message:
    return Message(
        code=code,
        area=area,
        severity=table.get("severity", ""),
        says={lang: table[lang]["says"] for lang in LANGUAGES},
        do={lang: table[lang].get("do", "") for lang in LANGUAGES},
    )


@cache
def catalogue() -> Catalogue:
    """All messages by code. A code stands in one file only."""
    entries = sorted(resources.files(__name__).iterdir(), key=lambda entry: entry.name)
    files = (entry for entry in entries if entry.name.endswith(_ENDING))
    return Catalogue({file.name.removesuffix(_ENDING): file.read_text("utf-8") for file in files})


def sentence(code: str, found: Mapping[str, object], lang: str = "en") -> str:
    """What the code says, with what was found filled in."""
    return _fill(catalogue()[code].says[lang], found)


def hint(code: str, found: Mapping[str, object], lang: str = "en") -> str:
    """What to do about it, with what was found filled in; may be empty."""
    return _fill(catalogue()[code].do[lang], found)


def _fill(template: str, found: Mapping[str, object]) -> str:
    return string.Formatter().vformat(template, (), _KeepUnfilled(found))
