"""What the mapping's words come to, by normal form: every run looks there, and none has time to work it out.

`python -m tests.support.docs` writes the files beside the words, from where they are shipped.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import phonenumbers

from importer import mapping
from importer.mapping import headers, vocabulary
from importer.mapping.base import names_in, packaged_words

FOLDER = Path(headers.__file__).parent
_Lines = dict[str, str]
"""Texts of lines, each with bars between its parts."""


def indexes() -> dict[Path, str]:
    """Return the text of each index by its file."""
    ready = [one for one in mapping.ready() if one.match]
    columns = (name for one in mapping.ready() for name in one.columns() if "*" not in name)
    names = {
        "names": _names(),
        "ready_columns": sorted({normal for name in columns if (normal := headers.normalize(name))}),
        "ready_matches": {one.name: [one.table()["match"], list(one.columns())] for one in ready},
    }
    countries = {"regions": _regions(), "codes": _country_codes(), "landlines": _landlines()}
    customer = {
        part for name, _, word in _words_around() if name == "customer" for part in vocabulary.words(word)
    }
    phrases = {
        "phrases": (known := _phrases()),
        "lengths": _lengths(known),
        "qualifiers": _around(),
        "customer_words": sorted(customer),
    }
    return {
        FOLDER / "names.json": _text(names),
        FOLDER / "phrases.json": _text(phrases),
        FOLDER / "regions.json": _text(countries),
    }


def tables() -> dict[Path, str]:
    """Return the text of tables that are the same in JSON, by its file. The indexes are made with them."""
    words = packaged_words("words.toml") | {"country_codes": packaged_words("country_codes.toml")}
    return {FOLDER / "words.json": _text(words)}


def _regions() -> dict[str, str]:
    """Return the ISO code that each name of a country, or code, means; a name of two countries means none."""
    found: dict[str, str] = {}
    shared: set[str] = set()
    for region, names in packaged_words("country_names.toml").items():
        for bare in map(headers.normalize, names):
            if found.setdefault(bare, region) != region:
                shared.add(bare)
    named = {name: region for name, region in found.items() if name not in shared}
    return named | {headers.normalize(region): region for region in packaged_words("country_names.toml")}


def _country_codes() -> dict[str, str]:
    """Return the country code of each country that has one."""
    return {
        region: str(phonenumbers.country_code_for_region(region))
        for region in sorted(packaged_words("country_names.toml"))
        if phonenumbers.country_code_for_region(region)
    }


_BEGINNING = 4
"""Digits behind the country code that tell a landline."""
_SIZES = range(1, _BEGINNING + 1)


def _landlines() -> dict[str, list[str]]:
    """Return by country code how the numbers begin that are no mobile phones in any of its countries."""
    found = {}
    for code, regions in sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()):
        if "AR" in regions:  # where mobile phones are often written without the 9 that tells them
            continue
        known = [phonenumbers.PhoneMetadata.metadata_for_region(one, None) for one in regions if one != "001"]
        mobile = _beginnings(one.mobile for one in known if one)
        others = _beginnings(
            kind
            for one in known
            if one
            for kind in (one.fixed_line, one.toll_free, one.shared_cost, one.uan, one.premium_rate)
        )
        if mobile and (landlines := others - mobile):
            found[str(code)] = _shortened(landlines, mobile | others)
    return found


def _beginnings(kinds: Iterable[phonenumbers.PhoneNumberDesc | None]) -> set[str]:
    patterns = [one.national_number_pattern for one in kinds if one and one.national_number_pattern]
    return {text for one in patterns for text in _begun(re._parser.parse(one), _BEGINNING)}  # type: ignore[attr-defined]


def _begun(nodes: Iterable[tuple[Any, Any]], size: int) -> set[str]:
    """Return what texts begin with, up to this size, that a parsed pattern of digits matches."""
    found, going_on = set[str](), {""}
    for node in nodes:
        more = {length: _node_begun(node, size - length) for length in set(map(len, going_on))}
        longer = {begun + behind for begun in going_on for behind in more[len(begun)]}
        going_on = {begun for begun in longer if len(begun) < size}
        found |= longer - going_on
        if not going_on:
            break
    return found | going_on


def _node_begun(node: tuple[Any, Any], size: int) -> set[str]:
    kind, value = str(node[0]), node[1]
    match kind:
        case "LITERAL":
            return {chr(value)}
        case "IN":
            return {digit for digit in "0123456789" if any(_in_set(one, digit) for one in value)}
        case "BRANCH":
            return {text for branch in value[1] for text in _begun(branch, size)}
        case "SUBPATTERN":
            return _begun(value[3], size)
        case "MAX_REPEAT":
            least, most, inner = value
            counts = range(min(least, size), min(most, size) + 1)
            return {text for count in counts for text in _begun([*inner] * count, size)}
    raise ValueError(kind)


def _in_set(one: tuple[Any, Any], digit: str) -> bool:
    kind, value = str(one[0]), one[1]
    if kind == "RANGE":
        return bool(value[0] <= ord(digit) <= value[1])
    return kind == "CATEGORY" or (kind == "LITERAL" and value == ord(digit))


def _shortened(texts: set[str], every: set[str]) -> list[str]:
    """Return these beginnings, each as short as all numbers that begin so are among them."""
    of_these, of_all = (Counter(one[:size] for one in some for size in _SIZES) for some in (texts, every))
    found = {
        next(one[:size] for size in _SIZES if of_these[one[:size]] == of_all[one[:size]]) for one in texts
    }
    return sorted(found)


def _names() -> _Lines:
    """Return all known names of fields by their normal form; a name can stand for several fields."""
    found: dict[str, dict[str, str]] = {}
    for alias in headers.all_aliases():
        for spelled in _spellings(alias.label, alias.language):
            found.setdefault(headers.normalize(spelled), {}).setdefault(alias.field, _line(alias))
    found.pop("", None)
    return {name: "\n".join(lines.values()) for name, lines in found.items()}


def _phrases() -> _Lines:
    """Return all that each phrase may mean, in the order of their letters: labels, and roles of words."""
    found: dict[str, list[str]] = {}
    for alias in headers.all_aliases():
        for spelled in _spellings(alias.label, alias.language):
            found.setdefault(vocabulary.joined(spelled), []).append(_line(alias))
    for name, language, word in _words_around():
        for spelled in _spellings(word, language):
            found.setdefault(vocabulary.joined(spelled), []).append(f"{name}|{language}")
    found.pop("", None)
    return {phrase: "\n".join(dict.fromkeys(lines)) for phrase, lines in sorted(found.items())}


def _line(alias: headers.Alias) -> str:
    return "|".join((alias.field, alias.label, alias.language, "sure" if alias.sure else "likely"))


def _lengths(phrases: Iterable[str]) -> dict[str, list[int]]:
    """Return how long the phrases are that begin with a letter, the longest first."""
    found: dict[str, set[int]] = {}
    for text in phrases:
        found.setdefault(text[0], set()).add(len(text))
    return {letter: sorted(lengths, reverse=True) for letter, lengths in found.items()}


def _around() -> dict[str, Any]:
    """Return the lists and weights of the words around labels, and the words that count inside labels."""
    found: dict[str, Any] = {}
    for name, table in packaged_words("qualifiers.toml").items():
        found[name] = {"weight": table["weight"]} if isinstance(table, dict) else table
    for role in vocabulary.INSIDE:
        found[role]["words"] = " | ".join(word for name, _, word in _words_around() if name == role)
    return found


def _spellings(text: str, language: str) -> tuple[str, ...]:
    """Return a text of a language as it is, and as it is written with the letters of ASCII: køn, koen."""
    plain = text.casefold()
    for pair in packaged_words("words.toml")["ascii_letters"].get(language, ()):
        plain = plain.replace(*pair.split())
    return (text,) if plain == text.casefold() else (text, plain)


def _words_around() -> Iterator[tuple[str, str, str]]:
    """Yield the role, the language and the text of each word that may stand around a label."""
    for name, table in packaged_words("qualifiers.toml").items():
        for language, listed in table.items() if isinstance(table, dict) else ():
            for word in names_in(listed) if isinstance(listed, str) else ():
                yield name, language, word


def _text(tables: dict[str, Any]) -> str:
    """Return JSON with one line for each entry."""
    parts = []
    for name, table in tables.items():
        items = table.items() if isinstance(table, dict) else ((None, one) for one in table)
        lines = [(f"{_json(key)}:" if key is not None else "") + _json(value) for key, value in items]
        opened, closed = "{}" if isinstance(table, dict) else "[]"
        parts.append(f"{_json(name)}:{opened}\n" + ",\n".join(lines) + f"\n{closed}")
    return "{" + ",\n".join(parts) + "}\n"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
