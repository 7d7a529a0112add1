"""Custom fields: match columns with them, check values by type, pack them into `customize_field`.

A column with the key or a display name of a custom field is meant for it (`customers/fields`: `display_name`,
`display_en_name`), once the list of fields is known. `customize_field` is a JSON object in a text.

The vendor does not document how numbers and choices are written inside; the example shows texts only. Here a
number is sent as a JSON number, a choice as its id, several choices as a list of ids.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer.arrow import (
    array,
    if_else,
    join_columns,
    join_nonempty,
    nonempty,
    offsets_and_bytes,
    read_texts,
    rework,
    to_mask,
)
from importer.contracts import Contract
from importer.dataclass import dataclass
from importer.mapping import dates
from importer.mapping.base import KEY_PREFIX, quote_names
from importer.mapping.headers import normalize, without_remarks
from importer.mapping.rules import CustomRule, MappingFile
from importer.mapping.tags import DEFAULT_SEPARATORS
from importer.models import Note, TenantField
from importer.patterns import late_pattern

TYPES = {1: "text", 2: "number", 3: "choice", 4: "choices", 5: "date", 6: "date-time", 7: "tags"}
"""The types of custom fields by `field_type` of `customers/fields` (docs/remote-api.md, “Endpoints”)."""
_NUMBER = late_pattern(r"[+-]?\d+(?:\.\d+)?")
_LOSSY = r"^\s*(?:[+-]?\d+(?:[.,]\d+)?[eE]\+\d+|[1-9]\d{14}0{2,})\s*$"
_PLAIN_NUMBER = r"^-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,9})?$"
_DATE_TIME = late_pattern(r"(.+?)[ T]+([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:[.,]\d+)?)?(?: ?Z| ?UTC)?")
_MOST_LISTED = 20
_FEW = 0.3
_SEVERAL = 3
_PARTS = late_pattern(r"[,;，；、|]")
_IS_NUMBER = late_pattern(r"[+-]?\d+(?:[.,]\d+)*%?")
_EXPECTED = {"number": "1234.5", "date": "yyyy-MM-dd", "date-time": "yyyy-MM-dd HH:mm:ss"}


def lossy(column: pa.Array) -> np.ndarray:
    """Return a mask of the numbers from which digits are lost: 1.10101E+17, or 110101199005170000, since a
    spreadsheet program keeps 15 digits and fills up with zeros."""
    return to_mask(pc.match_substring_regex(column, _LOSSY))


@dataclass(frozen=True)
class CustomFieldEncoder:
    """One custom field of the tenant: its key inside the JSON object, and how its values are checked."""

    key: str
    rule: CustomRule
    tenant: TenantField | None = None
    _seen: dict[str, str] = field(default_factory=dict, compare=False)

    @cached_property
    def type(self) -> str:
        """One of `TYPES`: the tenant's own, else the mapping's, else what the key encodes."""
        if self.tenant is not None:
            return TYPES.get(self.tenant.field_type, "text")
        return self.rule.type or _type_of_key(self.key)

    @property
    def expected(self) -> str:
        """What a right value looks like, for the message about a wrong one."""
        if self.type in ("choice", "choices") and self.tenant and self.tenant.choices:
            return ", ".join(name for _, name in self.tenant.choices)
        return _EXPECTED.get(self.type, self.type)

    def as_json(self, column: pa.Array) -> tuple[pa.Array, np.ndarray]:
        """Return the values as JSON texts ("" stays ""), and a mask of those of the wrong type, now ""."""
        if self.type == "text":
            return quoted(column), np.zeros(len(column), dtype=bool)
        where = nonempty(column)
        if self.type == "number":
            where &= ~to_mask(pc.match_substring_regex(column, _PLAIN_NUMBER))
        coded, bad = read_texts(column, self._coded, where)
        return (if_else(bad, "", coded) if bad.any() else coded), bad

    def _coded(self, text: str) -> str | None:
        found = _CODERS[self.type](text, self)
        return None if found is None else json.dumps(found, ensure_ascii=False)


def _type_of_key(key: str) -> str:
    """Return the type that a key encodes.

    In the vendor's lists customize_2_16 is a number, customize_5_19 a date. Choices are taken as text:
    without the tenant's list their ids are unknown.
    """
    found = re.fullmatch(rf"{KEY_PREFIX}([256])_\d+", key)
    return TYPES[int(found[1])] if found else "text"


def _number(text: str, custom: CustomFieldEncoder) -> object:
    bare = text.replace(" ", "")
    if not _NUMBER.fullmatch(bare):
        return None
    whole, _, rest = bare.partition(".")
    return int(whole) if not rest.strip("0") else float(bare)


def _choice(text: str, custom: CustomFieldEncoder) -> object:
    if custom.tenant is None or not custom.tenant.choices:
        return text
    wanted = text.strip().casefold()
    for id_, name in custom.tenant.choices:
        if wanted in (name.strip().casefold(), id_.casefold()):
            return id_
    return None


def _choices(text: str, custom: CustomFieldEncoder) -> object:
    found = [_choice(part, custom) for part in _parts(text, custom)]
    return None if None in found else found


def _parts(text: str, custom: CustomFieldEncoder) -> list[str]:
    marks = "|".join(re.escape(mark) for mark in custom.rule.separators or (*DEFAULT_SEPARATORS, ";"))
    return [part.strip() for part in re.split(marks, text) if part.strip()]


def _date(text: str, custom: CustomFieldEncoder) -> object:
    day = dates.by_format(text, custom.rule.formats) or dates.year_first(text)
    return day and _shown(day, "", custom)


def _date_time(text: str, custom: CustomFieldEncoder) -> object:
    match = _DATE_TIME.fullmatch(text)
    clock = f"{int(match[2]):02}:{match[3]}:{match[4] or '00'}" if match else "00:00:00"
    day = dates.by_format(text, custom.rule.formats) or dates.year_first(match[1] if match else text)
    return day and _shown(day, clock, custom)


def _shown(day: str, clock: str, custom: CustomFieldEncoder) -> str:
    form = custom.tenant.date_format if custom.tenant else ""
    if not form:
        return f"{day} {clock}".strip()
    year, month, number = day.split("-")
    hour, minute, second = (clock or "00:00:00").split(":")
    for token, found in (
        ("yyyy", year),
        ("MM", month),
        ("dd", number),
        ("HH", hour),
        ("mm", minute),
        ("ss", second),
    ):
        form = form.replace(token, found)
    return form


_CODERS: dict[str, Callable[[str, CustomFieldEncoder], object]] = {
    "number": _number,
    "choice": _choice,
    "choices": _choices,
    "date": _date,
    "date-time": _date_time,
    "tags": lambda text, custom: ",".join(_parts(text, custom)),
}


def quoted(column: pa.Array) -> pa.Array:
    """Return texts as JSON strings; "" stays ""."""
    _, data = offsets_and_bytes(column)
    raw = data.tobytes()
    if b'"' in raw or b"\\" in raw or (len(data) and data.min() < 0x20):
        special = to_mask(pc.match_substring_regex(column, r'["\\\x00-\x1f]'))
        column = rework(column, special, lambda text: json.dumps(text, ensure_ascii=False)[1:-1])
    return if_else(nonempty(column), join_columns('"', column, '"'), "")


def packed(existing: pa.Array | None, parts: Sequence[tuple[str, pa.Array]]) -> pa.Array:
    """Return one column of JSON objects: a `customize_field` column, if there is one, with the parts put in.

    `parts` are keys with their values as JSON texts, "" for none. A row with nothing is "". What is no JSON
    object in `existing` stays as it is, for validation to name it.
    """
    members = [
        if_else(nonempty(values), join_columns(f"{json.dumps(key, ensure_ascii=False)}: ", values), "")
        for key, values in parts
    ]
    inside = join_nonempty(members, ", ")
    some = nonempty(inside)
    added = if_else(some, join_columns("{", inside, "}"), "")
    if existing is None or not (filled := nonempty(existing)).any():
        return added
    united = if_else(filled, existing, added)
    both = filled & some
    if not both.any():
        return united
    mask = pa.array(both)
    pairs = zip(existing.filter(mask).to_pylist(), added.filter(mask).to_pylist(), strict=True)
    return pc.replace_with_mask(united, mask, array([_united(*pair) for pair in pairs]))


def _united(existing: str, added: str) -> str:
    try:
        found = json.loads(existing)
    except ValueError:
        return existing
    if not isinstance(found, dict):
        return existing
    return json.dumps(found | json.loads(added), ensure_ascii=False)


def fields_by_name(fields: Iterable[TenantField]) -> Mapping[str, list[TenantField]]:
    """Return fields by the normal forms of key and labels; a key wins over another field's label."""
    found: dict[str, list[TenantField]] = {}
    keys = {}
    for own in fields:
        keys[normalize(own.name)] = [own]
        for label in {normalize(own.label), normalize(own.label_en)} - {""}:
            found.setdefault(label, []).append(own)
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
    kind = TYPES.get(field.field_type)
    if kind in ("choice", "choices") and field.choices:
        fitting = sum(_are_choices(field, cell) for cell in cells)
    elif kind == "number":
        fitting = sum(bool(_IS_NUMBER.fullmatch(cell)) for cell in cells)
    elif kind in ("date", "date-time"):
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
    words = _words(cell) if TYPES.get(field.field_type) == "choices" else {cell.strip().casefold()}
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
    for column, own in found.items():
        sources.setdefault(own.name, []).append(column)
    rules = {key: CustomRule((names[0],)) for key, names in sources.items()}
    note = Note("own-fields-matched", (("fields", _listed(found)),))
    return replace(mapping, custom={**mapping.custom, **rules}), (note,)


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
