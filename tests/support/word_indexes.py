"""What the mapping's words come to, by normal form: every run looks there, and none has time to work it out.

`python -m tests.support.docs` writes the files beside the words, from where they are shipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import phonenumbers

from importer import mapping
from importer.mapping import headers, vocabulary
from importer.mapping.base import names_in, packaged_words

FOLDER = Path(headers.__file__).parent
_Table = dict[str, list[list[Any]]]


def indexes() -> dict[Path, str]:
    """Return the text of each index by its file."""
    ready = [one for one in mapping.ready() if one.match]
    columns = (name for one in mapping.ready() for name in one.columns() if "*" not in name)
    names = {
        "names": _names(),
        "ready_columns": sorted({normal for name in columns if (normal := headers.normalize(name))}),
        "ready_matches": {one.name: [one.table()["match"], list(one.columns())] for one in ready},
    }
    countries = {"regions": _regions(), "codes": _country_codes()}
    around = packaged_words("qualifiers.toml")
    customer = {
        part for name, _, word in _words_around() if name == "customer" for part in vocabulary.words(word)
    }
    phrases = {"phrases": _phrases(), "qualifiers": around, "customer_words": sorted(customer)}
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


def _names() -> _Table:
    """Return all known names of fields by their normal form; a name can stand for several fields."""
    found: _Table = {}
    for alias in headers.all_aliases():
        known = found.setdefault(headers.normalize(alias.label), [])
        if all(field != alias.field for field, *_ in known):
            known.append([alias.field, alias.label, alias.language, alias.sure])
    found.pop("", None)
    return found


def _phrases() -> _Table:
    """Return all that each phrase may mean: labels of four values as above, roles of name and language."""
    found: _Table = {}
    for alias in headers.all_aliases():
        label = [alias.field, alias.label, alias.language, alias.sure]
        found.setdefault(vocabulary.joined(alias.label), []).append(label)
    for name, language, word in _words_around():
        found.setdefault(vocabulary.joined(word), []).append([name, language])
    found.pop("", None)
    return found


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
