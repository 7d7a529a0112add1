"""Which mapping a file needs, told from its header alone; doubt is an error that names the candidates."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from importer.contracts import Contract
from importer.errors import MappingError
from importer.mapping import aliases, files
from importer.mapping.document import CustomRule, FieldRule, MappingFile, Match
from importer.mapping.names import find, listed, matches, normal, without_remarks
from importer.models import Note

CUSTOM_PREFIX = "customize"
_TOLD = 20
"""The most columns that a sentence lists: exports of address books have seventy."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The mapping that fits a header."""

    mapping: MappingFile
    how: Literal["ready-made", "headers"]
    left_out: tuple[str, ...]
    """Columns that go nowhere."""
    notes: tuple[Note, ...] = ()


def known_name(name: str) -> bool:
    """Whether a text is a header that the importer knows: an API name, a label or a ready-made mapping's."""
    found = normal(name)
    return bool(found) and (found in _known() or normal(without_remarks(name)) in _known())


def choose(
    header: Sequence[str], contract: Contract, file: str = "FILE", sheets: Sequence[Sequence[str]] = ()
) -> Choice:
    """The ready-made mapping that a header identifies, else one made of headers that surely name a field.
    `file` is what the person called the file, for the command in an error; `sheets` are the headers that
    `header` unites, if there are several.

    Raises MappingError: `mapping-doubtful` (several ready-made ones fit), `mapping-two-columns` (two columns
    of a sheet claim one field), `mapping-none-fits` (a required field has no column).
    """
    named = tuple(name for name in header if name.strip())
    candidates = recognised(named)
    if len(candidates) > 1:
        raise MappingError("mapping-doubtful", candidates=", ".join(mapping.name for mapping in candidates))
    if candidates:
        mapping = candidates[0]
        left_out = _unused(mapping, header, sheets)
        found = (("name", mapping.name), ("title", mapping.title or mapping.name))
        return Choice(
            mapping, "ready-made", left_out, (Note("mapping-recognised", found), *_left_out(left_out))
        )
    mapping = from_header(header, contract, file, sheets)
    left_out = _unused(mapping, header, sheets)
    return Choice(mapping, "headers", left_out, _left_out(left_out))


def recognised(header: Sequence[str]) -> tuple[MappingFile, ...]:
    """The ready-made mappings whose `match` a header fulfils."""
    texts = frozenset(name.strip().casefold() for name in header)
    ready = files.ready()
    fitting = [mapping for mapping in ready if mapping.match and _fits(mapping, mapping.match, texts)]
    sharp = [mapping for mapping in fitting if mapping.match and not mapping.match.yields]
    return tuple(sharp or fitting)


def from_header(
    header: Sequence[str], contract: Contract, file: str = "FILE", sheets: Sequence[Sequence[str]] = ()
) -> MappingFile:
    """A mapping made of the columns whose header surely means a field of the contract; columns that stand in
    no sheet together may mean the same one.

    Raises MappingError `mapping-two-columns` or `mapping-none-fits`.
    """
    claims: dict[str, list[str]] = {}
    custom: dict[str, CustomRule] = {}
    for column in header:
        if is_custom(column):
            custom[column.strip()] = CustomRule.model_validate({"from": column})
            continue
        field = aliases.surely(column)
        if field is None or field not in contract.names:
            continue
        for one in claims.setdefault(field, []):
            if together(one, column, sheets):
                claim = {"field": field, "one": one, "other": column, "file": file}
                raise MappingError("mapping-two-columns", **claim)
        claims[field].append(column)
    unfed = lacking(claims, contract)
    if unfed:
        found = {"fields": ", ".join(unfed), "header": listed(header), "file": file}
        raise MappingError("mapping-none-fits", **found)
    rules = {
        name: FieldRule.model_validate({"from": claims[name]}) for name in contract.names if name in claims
    }
    return MappingFile(name="headers", fields=rules, custom=custom)


def together(one: str, other: str, sheets: Sequence[Sequence[str]]) -> bool:
    """Whether two columns stand in one sheet; `sheets` holds the header of each, if there are several."""
    return not sheets or any(one in sheet and other in sheet for sheet in sheets)


def is_custom(column: str) -> bool:
    """Whether a column is called like the key of a tenant's own field: customize_1_14."""
    prefix, _, rest = column.strip().partition("_")
    return prefix == CUSTOM_PREFIX and bool(rest) and rest.replace("_", "").isdigit()


def lacking(fed: Collection[str], contract: Contract) -> list[str]:
    """The required fields that are not among those that something feeds; a full name is made of its parts."""
    found = [field.name for field in contract.fields if field.required and field.name not in fed]
    if "full_name" in found and not {"first_name", "last_name"}.isdisjoint(fed):
        found.remove("full_name")
    return found


def _fits(mapping: MappingFile, match: Match, header: frozenset[str]) -> bool:
    def there(name: str) -> bool:
        if "*" in name:
            return any(matches(name, column) for column in header)
        return name.strip().casefold() in header

    if not all(there(name) for name in match.all) or any(there(name) for name in match.none):
        return False
    if match.any and not any(there(name) for name in match.any):
        return False
    return match.others or header <= {name.strip().casefold() for name in mapping.columns()}


def _unused(mapping: MappingFile, header: Sequence[str], sheets: Sequence[Sequence[str]]) -> tuple[str, ...]:
    used = {find(name, sheet) for name in mapping.columns() for sheet in sheets or (header,)}
    return tuple(name for name in header if name not in used)


def _left_out(names: tuple[str, ...]) -> tuple[Note, ...]:
    if not names:
        return ()
    more = f", … (+{len(names) - _TOLD})" if len(names) > _TOLD else ""
    return (Note("columns-left-out", (("columns", listed(names[:_TOLD]) + more),)),)


@cache
def _known() -> frozenset[str]:
    ready = {normal(name) for mapping in files.ready() for name in mapping.columns() if "*" not in name}
    return frozenset(aliases.table().keys() | ready) - {""}
