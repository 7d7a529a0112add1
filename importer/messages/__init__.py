"""Every sentence the importer says about an issue, an error or a status, in one place a language.

The TOML files beside this one hold a table for each code: `en` and `zh`, each with `says` (what was found,
what was expected) and `do` (what to do next), filled in by name; issues also carry their `severity`. The
README's table of codes, the reports and the command line all read from here.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Message:
    """One code's texts: `says[lang]`, `do[lang]`. `severity` is empty unless the code is a row's issue."""

    code: str
    area: str
    severity: str
    says: Mapping[str, str]
    do: Mapping[str, str]


class _Found(dict[str, object]):
    """Fills a sentence; a place nobody filled stays visible instead of raising while an error is told."""

    def __missing__(self, key: str) -> str:
        return f"<{key}>"


@cache
def catalogue() -> Mapping[str, Message]:
    """All messages by code. A code stands in one file only."""
    found: dict[str, Message] = {}
    for file in sorted(resources.files(__name__).iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".toml"):
            continue
        for code, table in tomllib.loads(file.read_text("utf-8")).items():
            if code in found:
                raise ValueError(f"the message {code} stands in {found[code].area}.toml and in {file.name}")
            found[code] = Message(
                code=code,
                area=file.name.removesuffix(".toml"),
                severity=table.get("severity", ""),
                says={lang: table[lang]["says"] for lang in LANGUAGES},
                do={lang: table[lang].get("do", "") for lang in LANGUAGES},
            )
    return found


def sentence(code: str, found: Mapping[str, object], lang: str = "en") -> str:
    """What the code says, with what was found filled in."""
    return _fill(catalogue()[code].says[lang], found)


def hint(code: str, found: Mapping[str, object], lang: str = "en") -> str:
    """What to do about it, with what was found filled in; may be empty."""
    return _fill(catalogue()[code].do[lang], found)


def _fill(template: str, found: Mapping[str, object]) -> str:
    return string.Formatter().vformat(template, (), _Found(found))
