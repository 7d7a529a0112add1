"""What columns are called elsewhere: the field that a header surely, or likely, means."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from importer import contracts
from importer.mapping.names import normal, without_remarks


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
    for alias in _listed():
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


def _listed() -> Iterator[Alias]:
    for name in api_names().values():
        yield Alias(name, name, "api", sure=True)
    tables = tomllib.loads(resources.files("importer.mapping").joinpath("aliases.toml").read_text("utf-8"))
    for sure in (True, False):
        for field, levels in tables.items():
            for language, labels in levels.get("sure" if sure else "likely", {}).items():
                for label in labels:
                    yield Alias(field, label, language, sure)
