"""Hold every sentence that the importer says, by code and language: issues, errors, notes, words of reports.

The TOML files beside this one hold a table for each code. It has `en` and `zh`, each with a `message` (what
was found, what was expected) and a `hint` (what to do next). Values are filled in by name. Codes of issues
also have a `severity`. Each further language is one file in `translations/`, read when it is spoken; what it
lacks is said in English. Sentences are joined here, too, because the punctuation belongs to the language.
"""

from __future__ import annotations

import json
import re
import string
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Protocol, runtime_checkable

from importer.dataclass import dataclass
from importer.escaping import single_line

TRANSLATIONS = ("es", "pt", "id")
"""Languages of a file of their own in `translations/`."""
LANGUAGES = ("en", "zh", *TRANSLATIONS)
LANGUAGE_NAMES = {
    "en": "English",
    "zh": "中文",
    "es": "Español",
    "pt": "Português",
    "id": "Bahasa Indonesia",
}
"""How each language calls itself."""
LANGUAGE_TAGS = {"en": "en", "zh": "zh-CN", "es": "es-419", "pt": "pt-BR", "id": "id"}
"""Each language as HTML names it: with the part of the world whose usage the texts follow."""
_ENDING = ".toml"
_ON_PAGE = "on-page-"
"""Before the code whose hint is another one on the page in the browser."""
_PUNCTUATION = dict.fromkeys(LANGUAGES, (".", " ", ", ")) | {"zh": ("。", "", "，")}
"""The full stop, what stands between two sentences, and what stands between two clauses."""
_SINGLE = re.compile(r"1( \D.*)?", re.DOTALL)
_END_MARKS = (".", "!", "?", "…", "。", "！", "？")


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """The texts of one code by language. `severity` is empty unless the code is an issue of a row."""

    code: str
    area: str
    severity: str
    message: Mapping[str, str]
    hint: Mapping[str, str]


class _KeepUnfilled(dict[str, object]):
    """Values for a sentence. A missing one is shown as <name>: reporting an error must not raise another."""

    def __missing__(self, key: str) -> str:
        return f"<{key}>"


class Catalogue(Mapping[str, CatalogueEntry]):
    """All entries by code. An entry is parsed when it is asked for, because a run needs few of them."""

    def __init__(self, areas: Mapping[str, str]) -> None:
        """`areas` is the text of each file by its name. Raises ValueError for a code that is in two files."""
        self._tables: dict[str, tuple[str, str]] = {}
        self._parsed: dict[str, CatalogueEntry] = {}
        for area, text in areas.items():
            # A table is all that stands below its [code]; above the first are comments.
            for table in f"\n{text}".split("\n[")[1:]:
                code, _, content = table.partition("]")
                if code in self._tables:
                    other = self._tables[code][0]
                    raise ValueError(f"the message {code} stands in {other}.toml and in {area}.toml")
                self._tables[code] = area, content

    def __getitem__(self, code: str) -> CatalogueEntry:
        if code not in self._parsed:
            area, table = self._tables[code]
            self._parsed[code] = _entry(code, area, tomllib.loads(table))
        return self._parsed[code]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)

    def __contains__(self, code: object) -> bool:
        return code in self._tables


class _Texts(dict[str, str]):
    """One text by language. Translations are looked up when they are asked for."""

    def __init__(self, code: str, part: str, texts: Mapping[str, str]) -> None:
        super().__init__(texts)
        self._place = code, part

    def __missing__(self, lang: str) -> str:
        return translation(lang).text(*self._place) or self["en"]


def _entry(code: str, area: str, table: Mapping[str, Any]) -> CatalogueEntry:
    written = {lang: table[lang] for lang in LANGUAGES if lang not in TRANSLATIONS}
    return CatalogueEntry(
        code=code,
        area=area,
        severity=table.get("severity", ""),
        message=_Texts(code, "message", {lang: texts["message"] for lang, texts in written.items()}),
        hint=_Texts(code, "hint", {lang: texts.get("hint", "") for lang, texts in written.items()}),
    )


class Translation:
    """The texts of one language, by code; those that are declared in code are known by their English.

    Each is a line, `code = { message = "…", hint = "…" }`, and parsed when it is asked for.
    """

    def __init__(self, text: str) -> None:
        lines = (line.partition(" = { ") for line in text.splitlines())
        self.lines = {key: f"{equals}{rest}" for key, equals, rest in lines if rest and key[0] != "#"}
        """What stands behind each key, which is quoted if it is a text."""
        self._parsed: dict[str, Mapping[str, str]] = {}

    def text(self, key: str, part: str = "message") -> str:
        """Return the `message` or the `hint`; "" if it is not translated."""
        if key not in self._parsed:
            line = self.lines.get(key)
            self._parsed[key] = tomllib.loads(f"it{line}")["it"] if line else {}
        return self._parsed[key].get(part, "")


@cache
def translation(lang: str) -> Translation:
    """The texts of a language that has a file in `translations/`. Raises KeyError for any other.

    The Chinese file has only texts that are declared in code in English alone.
    """
    if lang not in (*TRANSLATIONS, "zh"):
        raise KeyError(lang)
    return Translation(resources.files(__name__).joinpath("translations", f"{lang}.toml").read_text("utf-8"))


def text_key(english: str) -> str:
    """How a translation calls a text that is declared in code."""
    return json.dumps(english, ensure_ascii=False)


def local_text(texts: Mapping[str, str], lang: str) -> str:
    """A text that is declared in code in some languages (`en` at least), in this one if anybody wrote it."""
    if lang in texts or lang == "en":
        return texts[lang]
    return translation(lang).text(text_key(texts["en"])) or texts["en"]


@cache
def catalogue() -> Catalogue:
    """The entries of all TOML files, read once. Each code is defined in one file."""
    entries = sorted(resources.files(__name__).iterdir(), key=lambda entry: entry.name)
    files = (entry for entry in entries if entry.name.endswith(_ENDING))
    return Catalogue({file.name.removesuffix(_ENDING): file.read_text("utf-8") for file in files})


def sentence(code: str, found: Mapping[str, object], lang: str = "en") -> str:
    """The message of the code, with what was found filled in."""
    return fill(catalogue()[code].message[lang], found, lang)


def word_of(group: str, name: str, lang: str) -> str:
    """The word of a group, such as `mode`, for what scripts know by its English name.

    The name itself if there is no word.
    """
    code = f"{group}-{name.replace(' ', '-').replace('_', '-')}"
    return sentence(code, {}, lang) if code in catalogue() else name


def value_word(value: str, lang: str) -> str:
    """The word for a value that scripts know by its English name; the value itself if there is no word."""
    return word_of("value-of", value, lang)


def hint(code: str, found: Mapping[str, object], lang: str = "en", *, on_page: bool = False) -> str:
    """What to do about it, with what was found filled in. May be empty.

    `on_page`: as the page in the browser says it, which has buttons where the command line has options.
    """
    return fill(hint_template(code, lang, on_page=on_page), found, lang)


def hint_template(code: str, lang: str, *, on_page: bool = False) -> str:
    """The hint with its places still open."""
    other = f"{_ON_PAGE}{code}"
    entries = catalogue()
    return entries[other].message[lang] if on_page and other in entries else entries[code].hint[lang]


def note_text(
    code: str, found: Mapping[str, object], lang: str = "en", *, on_page: bool = False, advise: bool = False
) -> str:
    """The message of a note; `on_page` as in `hint`. `advise`: its hint, too, unless on the page."""
    other = f"{_ON_PAGE}{code}"
    if on_page or not advise:
        return sentence(other if on_page and other in catalogue() else code, found, lang)
    return full_text(code, found, lang)


def full_text(code: str, found: Mapping[str, object], lang: str = "en", *, on_page: bool = False) -> str:
    """The message and, if there is one, the hint, as one text."""
    return join_sentences(lang, sentence(code, found, lang), hint(code, found, lang, on_page=on_page))


def join_sentences(lang: str, *sentences: str) -> str:
    """One text of several sentences, empty ones left out.

    A sentence that another one follows gets a full stop where it has no end mark. The last one stays as it
    is: a hint may end with a command to copy.
    """
    parts = [sentence for sentence in sentences if sentence]
    stop, space, _ = _PUNCTUATION[lang]
    ended = [part if part.endswith(_END_MARKS) else f"{part}{stop}" for part in parts[:-1]]
    return space.join([*ended, *parts[-1:]])


def join_clauses(lang: str, *clauses: str) -> str:
    """One text of several clauses with commas between them, empty ones left out."""
    return _PUNCTUATION[lang][2].join(clause for clause in clauses if clause)


def fill(template: str, found: Mapping[str, object], lang: str) -> str:
    """A text of the catalogue with what was found filled in, as one printable line each."""
    return _SENTENCES[lang].vformat(template, (), _KeepUnfilled(found))


@runtime_checkable
class Sayable(Protocol):
    """What says itself in the language that is spoken: an error, a note, a reason inside a sentence."""

    def sentence(self, lang: str = "en") -> str: ...


DECIMAL_COMMA = ("pt", "id")
"""Languages that write 12.345,6 for 12,345.6."""
_COUNTED = frozenset(
    [
        *("all", "cells", "changed", "contacts", "count", "customers", "done", "entries", "files", "invalid"),
        *("kept", "lost", "new", "queries", "requests", "rows", "runs", "send", "unchanged"),
    ]
)
"""Places that hold a count: its thousands are marked, as those of a row's number or a port are not."""


class _SentenceFormatter(string.Formatter):
    """Fills in what was found as one printable line, wherever it comes from.

    “{rows} {rows:row|rows}” gives the word that fits a number, or what is counted with it: “1 row”.
    """

    def __init__(self, lang: str) -> None:
        self._lang = lang

    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        value = super().get_value(key, args, kwargs)
        if key in _COUNTED and type(value) is int and value >= 1000:
            return f"{value:,}".replace(",", "." if self._lang in DECIMAL_COMMA else ",")
        return value

    def format_field(self, value: Any, format_spec: str) -> str:
        if "|" in format_spec:
            one, several = format_spec.split("|")
            return one if _SINGLE.fullmatch(str(value)) else several
        if not isinstance(value, str | int | float) and isinstance(value, Sayable):
            value = value.sentence(self._lang)
        return single_line(super().format_field(value, format_spec))


_SENTENCES = {lang: _SentenceFormatter(lang) for lang in LANGUAGES}
