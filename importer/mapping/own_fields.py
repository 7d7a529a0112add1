"""Match columns with the tenant's own fields, by their keys and labels, once the list of them is known.

The tenant calls its fields what it likes, in two languages (`customers/fields`: `display_name`,
`display_en_name`). A column of that name is meant for that field.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from importer.contracts import Contract
from importer.mapping import dates
from importer.mapping.base import quote_names
from importer.mapping.headers import normalize, without_remarks
from importer.mapping.schema import CustomRule, MappingFile
from importer.models import Note, TenantField

_MOST_LISTED = 20
_NUMBER, _CHOICE, _CHOICES, _DATE, _TIME = 2, 3, 4, 5, 6
_FEW = 0.3
_SEVERAL = 3
_PARTS = re.compile(r"[,;，；、|]")
_IS_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*%?")


def fields_by_name(fields: Iterable[TenantField]) -> Mapping[str, list[TenantField]]:
    """Return fields by the normal forms of key and labels; a key wins over another field's label."""
    found: dict[str, list[TenantField]] = {}
    keys = {}
    for field in fields:
        keys[normalize(field.name)] = [field]
        for label in {normalize(field.label), normalize(field.label_en)} - {""}:
            found.setdefault(label, []).append(field)
    return found | keys


def own_columns(columns: Sequence[str], fields: Iterable[TenantField]) -> dict[str, TenantField]:
    """Return the columns that are called like one custom field, with the field.

    A label of several fields means none of them. Of several columns for one field, those that are spelled
    like the first are taken: sheets may spell it differently.
    """
    named = fields_by_name(field for field in fields if not field.preset)
    found: dict[str, TenantField] = {}
    spelled: dict[str, str] = {}
    for column in columns:
        for name in (normalize(column), normalize(without_remarks(column))):
            own = named.get(name, [])
            if len(own) == 1 and spelled.setdefault(own[0].name, name) == name:
                found[column] = own[0]
                break
    return found


def preset_columns(
    columns: Sequence[str], fields: Iterable[TenantField], contract: Contract
) -> dict[str, str]:
    """Return the columns that are called like one preset field of the tenant, with the API's name of it."""
    documented = {field.name for field in contract.fields if field.documented}
    named = fields_by_name(field for field in fields if field.preset and field.name in documented)
    found = {column: named.get(normalize(column), []) for column in columns}
    return {column: own[0].name for column, own in found.items() if len(own) == 1}


def contradicts(field: TenantField, cells: Sequence[str]) -> bool:
    """Return whether most filled cells are nothing that the field could hold."""
    if field.field_type in (_CHOICE, _CHOICES) and field.choices:
        fitting = sum(_are_choices(field, cell) for cell in cells)
    elif field.field_type == _NUMBER:
        fitting = sum(bool(_IS_NUMBER.fullmatch(cell)) for cell in cells)
    elif field.field_type in (_DATE, _TIME):
        fitting = sum(dates.looks_like_date(cell.split(" ")[0]) for cell in cells)
    else:
        return False
    return bool(cells) and fitting < _FEW * len(cells)


def by_choices(cells: Sequence[str], fields: Iterable[TenantField]) -> tuple[TenantField, bool] | None:
    """Return the one custom field whose choices all filled cells are, and whether they are several.

    Two words may be the choices of many fields (yes, no); three different ones hardly are by chance.
    """
    words = {part for cell in cells for part in _words(cell)}
    found = [
        field
        for field in fields
        if not field.preset and field.choices and all(_are_choices(field, cell) for cell in cells)
    ]
    return (found[0], len(words) >= _SEVERAL) if len(found) == 1 and len(words) > 1 else None


def _are_choices(field: TenantField, cell: str) -> bool:
    names = {name.strip().casefold() for _, name in field.choices}
    words = _words(cell) if field.field_type == _CHOICES else {cell.strip().casefold()}
    return bool(words) and words <= names


def _words(cell: str) -> set[str]:
    return {part.strip().casefold() for part in _PARTS.split(cell) if part.strip()}


def with_own_fields(
    mapping: MappingFile, columns: Sequence[str], fields: Iterable[TenantField]
) -> tuple[MappingFile, tuple[Note, ...]]:
    """Return a mapping that also sends the columns called like a custom field, and a note that tells them.

    `columns` are those that the mapping leaves out.
    """
    found = {
        column: field
        for column, field in own_columns(columns, fields).items()
        if normalize(field.name) not in map(normalize, mapping.custom)
    }
    if not found:
        return mapping, ()
    sources: dict[str, list[str]] = {}
    for column, field in found.items():
        sources.setdefault(field.name, []).append(column)
    rules = {key: CustomRule.model_validate({"from": names[0]}) for key, names in sources.items()}
    note = Note("own-fields-matched", (("fields", _listed(found)),))
    return mapping.model_copy(update={"custom": {**mapping.custom, **rules}}), (note,)


def missed_note(columns: Sequence[str], fields: Collection[TenantField] | None) -> tuple[Note, ...]:
    """Return a note on columns that a mapping leaves out although the tenant has fields for them.

    If the list of fields is not known (None), the note says so.
    """
    if not columns:
        return ()
    if fields is None:
        return (Note("own-fields-unknown"),)
    found = own_columns(columns, fields)
    return (Note("own-fields-left-out", (("fields", _listed(found)),)),) if found else ()


def _listed(found: Mapping[str, TenantField]) -> str:
    shown = [f"{quote_names([column])} → {field.name}" for column, field in found.items()]
    more = f", … (+{len(shown) - _MOST_LISTED})" if len(shown) > _MOST_LISTED else ""
    return ", ".join(shown[:_MOST_LISTED]) + more
