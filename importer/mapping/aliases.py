"""What columns are called elsewhere: the field that a header surely, or likely, means."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from importer import contracts
from importer.mapping.names import normal, without_brackets, without_remarks


@dataclass(frozen=True, slots=True)
class Alias:
    """One known name of a field."""

    field: str
    label: str
    language: str
    """`api` for the API's own name."""
    sure: bool


@cache
def api_names() -> Mapping[str, str]:
    """The API's names of every contract by their normal form; not the undocumented ones, which only a mapping
    may name."""
    fields = (field for contract in contracts.NAMES for field in contracts.load(contract).fields)
    return {normal(field.name): field.name for field in fields if field.documented}


@cache
def table() -> Mapping[str, tuple[Alias, ...]]:
    """All known names by their normal form; a name can stand for several fields."""
    found: dict[str, list[Alias]] = {}
    for alias in listed():
        known = found.setdefault(normal(alias.label), [])
        if all(other.field != alias.field for other in known):
            known.append(alias)
    return {name: tuple(aliases) for name, aliases in found.items()}


def meaning(header: str) -> tuple[Alias, ...]:
    """What a header may mean: none, one or several fields; remarks in brackets (“必填”) don't count."""
    for text in (header, without_remarks(header)):
        found = table().get(normal(text))
        if found:
            return found
    return ()


def surely(header: str) -> str | None:
    """The one field that a header surely means, or None."""
    fields = {alias.field for alias in meaning(header) if alias.sure}
    return fields.pop() if len(fields) == 1 else None


@cache
def sure_names() -> Mapping[str, Alias]:
    """Sure names of one field only, by their normal form: what likeness is measured against."""
    return {name: found[0] for name, found in table().items() if len(found) == 1 and found[0].sure}


@cache
def other_names() -> frozenset[str]:
    """Normal forms of names that are near a field's but mean something else."""
    return frozenset(normal(name) for name in _tables()["nothing"]["names"])


def something_else(header: str) -> bool:
    """Whether a name says that its column is no customer's own, or nothing that the API has a field for."""
    names = {normal(text) for text in (header, without_brackets(header), core(header) or "")}
    words = (normal(word) for word in _tables()["nothing"]["words"])
    return not names.isdisjoint(other_names()) or any(word in normal(header) for word in words)


def companies(header: Iterable[str]) -> bool:
    """Whether a header belongs to a list of companies rather than persons."""
    names = {normal(name) for name in _tables()["nothing"]["companies"]}
    return any(normal(name) in names for name in header)


def mobile(header: str) -> bool:
    """Whether a header says that its phones are mobile ones."""
    return any(normal(word) in normal(header) for word in _tables()["around"]["mobile"])


def core(header: str) -> str | None:
    """The header without a word before and after that does not change its meaning; None if there is none."""
    text = header.strip()
    around = _tables()["around"]
    before = (word for word in around["before"] if text.casefold().startswith(word.casefold()))
    text = text[len(max(before, key=len, default="")) :].strip()
    after = (word for word in around["after"] if text.casefold().endswith(word.casefold()))
    text = text[: len(text) - len(max(after, key=len, default=""))].strip()
    return text if text and text != header.strip() else None


def listed() -> Iterator[Alias]:
    """All known names: the API's own, then the sure, then the likely ones, each in the order of the data."""
    for name in api_names().values():
        yield Alias(name, name, "api", sure=True)
    for sure in (True, False):
        for field, levels in _tables().items():
            for language, labels in levels.get("sure" if sure else "likely", {}).items():
                for label in labels:
                    yield Alias(field, label, language, sure)


@cache
def _tables() -> dict[str, Any]:
    return tomllib.loads(resources.files("importer.mapping").joinpath("aliases.toml").read_text("utf-8"))
