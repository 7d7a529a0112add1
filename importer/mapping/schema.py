"""The keys of a mapping file and what each may hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from importer import contracts
from importer.contracts import FieldKind
from importer.mapping import dates
from importer.mapping.person_names import NameRule


def _several(value: object) -> object:
    """One text stands for a list of one."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


def _date_format(value: str) -> str:
    try:
        dates.pattern(value)
    except ValueError as error:
        raise PydanticCustomError("date_format", "{lacks}", {"lacks": str(error)}) from error
    return value


def _region(value: object) -> object:
    if isinstance(value, str):
        import phonenumbers

        if value not in phonenumbers.SUPPORTED_REGIONS:
            raise PydanticCustomError("region", "{region}", {"region": value})
    return value


def _texts(value: object) -> object:
    """Value maps may be written with numbers and booleans; cells are text."""
    if isinstance(value, dict):
        return {str(key): _text(found) for key, found in value.items()}
    return value


def _text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Name = Annotated[str, BeforeValidator(_text), Field(min_length=1)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_several)]
Text = Annotated[str, BeforeValidator(_text)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_several)]
Formats = Annotated[tuple[Annotated[str, BeforeValidator(_date_format)], ...], BeforeValidator(_several)]


class MappingTable(BaseModel):
    """A table of a mapping file: nothing but the keys named, each of its own type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class Condition(MappingTable):
    """A condition on rows, by the cell of one column; case does not count, `*` stands for any text."""

    column: Name
    is_: Annotated[tuple[Text, ...] | None, BeforeValidator(_several)] = Field(default=None, alias="is")
    is_not: Annotated[tuple[Text, ...] | None, BeforeValidator(_several)] = None
    filled: bool | None = None
    optional: bool = False
    """A file without the column is imported whole."""

    @model_validator(mode="after")
    def _one(self) -> Condition:
        given = [key for key in (self.is_, self.is_not, self.filled) if key is not None]
        if len(given) != 1:
            raise PydanticCustomError("condition", "", {})
        return self


class FieldRule(MappingTable):
    """How one field of the API is filled."""

    source: Names = Field(default=(), alias="from")
    """Columns: the first filled one wins, unless `join` is given."""
    join: Text | None = None
    """Joins all filled columns with this text."""
    split: Name | None = None
    """Column with full names, of which first_name and last_name take their part by the mapping's `name_rule`
    if the file has none of the columns in `from`."""
    constant: Text | None = None
    default: Text | None = None
    """Stands for an empty cell."""
    values: Annotated[Mapping[str, Text], BeforeValidator(_texts)] = Field(default_factory=dict)
    """Replaces whole cells; case doesn't count; other cells stay."""
    nothing: Texts = ()
    """Cells that mean “empty”; `*` stands for any text."""
    case: Literal["keep", "upper", "lower", "title"] = "keep"
    trim: bool = True
    empty: Literal["leave-out", "send"] = "leave-out"
    """What an empty cell means: the field is left out, or sent as an empty text."""
    shorten: bool = False
    """Cut at the contract's limit instead of reporting the row."""
    formats: Formats = ()
    """Date formats; the first that reads a text wins."""
    separators: Texts = ()
    """What stands between tags, or between the choices of a custom field."""
    region: Annotated[str | None, BeforeValidator(_region)] = None
    """ISO country of phones without a country code."""
    country_code: Name | None = None
    """Column with the country code of the phones."""
    trunk_prefix: Text | None = None
    """What national numbers begin with and lose behind a country code."""
    international_prefix: Text | None = None
    """What stands for the + of a country code: 00."""
    extension: Literal["keep", "drop"] = "keep"
    """Whether x123, ext. 123 or #123 behind a phone is dropped; kept, validation names it."""
    several_at: Texts = ()
    """What stands between several values in one cell."""
    behind: Text | None = None
    """Takes only a value that begins with this text, without it: “WhatsApp-”."""
    take: Annotated[int, Field(ge=1, le=9)] = 1
    """Which of several values."""
    when: Condition | None = None
    """Rows for which it does not hold leave the field empty."""

    @model_validator(mode="after")
    def _fed(self) -> FieldRule:
        if self.constant is not None and self.source:
            raise PydanticCustomError("clash", "from, constant", {"keys": "from, constant"})
        if self.constant is None and not self.source and not self.split and self.default is None:
            raise PydanticCustomError("unfed", "", {})
        if self.join is not None and len(self.source) < 2:
            raise PydanticCustomError("join", "", {})
        return self

    def columns(self) -> Iterator[str]:
        """Every column that the rule reads, by the mapping's name for it."""
        yield from self.source
        yield from (name for name in (self.split, self.country_code) if name)
        if self.when:
            yield self.when.column


_PHONES = (FieldKind.PHONE, FieldKind.DIGITS)
_KEYS_OF = {
    "formats": (FieldKind.DATE,),
    "separators": (FieldKind.TAGS,),
    **dict.fromkeys(("region", "country_code", "trunk_prefix", "international_prefix", "extension"), _PHONES),
}
"""Keys that mean something for fields of some kinds only."""
_FEEDS = {"from", "source", "split", "constant", "default"}
_NAME_PARTS = ("first_name", "last_name")
CustomType = Literal["text", "number", "choice", "choices", "date", "date-time", "tags"]


class CustomRule(FieldRule):
    """How one of the tenant's own fields is filled; its key is the field's name or its display name."""

    type: CustomType | None = None
    """Only needed where the tenant's list of fields is not at hand."""


class HeaderMatch(MappingTable):
    """Which headers identify the export: only case does not count, `*` stands for any text."""

    all: Names = ()
    any: Names = ()
    """At least one of these."""
    none: Names = ()
    others: bool = True
    """False: nothing but headers that the mapping names."""
    yields: bool = False
    """True: only if no other mapping fits."""


class MappingFile(MappingTable):
    """How one kind of sheet becomes customers."""

    name: str = ""
    title: str = ""
    missing_headers: Literal["error", "ignore"] = "error"
    """Whether a file may lack headers that the mapping names (exports differ by the view that was picked)."""
    name_rule: NameRule | None = Field(default=None, strict=False)
    """How fields with `split` split a full name."""
    match: HeaderMatch | None = None
    only: tuple[Condition, ...] = Field(default=(), strict=False)
    fields: Mapping[str, FieldRule] = Field(default_factory=dict)
    custom: Mapping[str, CustomRule] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _known_fields(cls, table: object) -> object:
        fields = table.get("fields") if isinstance(table, dict) else None
        known = field_names()
        for name in fields if isinstance(fields, dict) else ():
            if name not in known:
                raise PydanticCustomError("unknown_field", "{field}", {"field": name})
        return table

    @model_validator(mode="before")
    @classmethod
    def _own_columns(cls, table: object) -> object:
        """An own field that says nothing of its source has a column of its own name."""
        custom = table.get("custom") if isinstance(table, dict) else None
        if not isinstance(table, dict) or not isinstance(custom, dict):
            return table
        named = {
            key: {"from": key, **rule} if isinstance(rule, dict) and not rule.keys() & _FEEDS else rule
            for key, rule in custom.items()
        }
        return {**table, "custom": named}

    @model_validator(mode="after")
    def _rule_for_parts(self) -> MappingFile:
        for name, rule in self.fields.items():
            if rule.split and name not in _NAME_PARTS:
                raise PydanticCustomError("split", "{field}", {"field": name})
            if rule.split and self.name_rule is None:
                raise PydanticCustomError("name_rule", "{field}", {"field": name})
        return self

    @model_validator(mode="after")
    def _keys_in_place(self) -> MappingFile:
        kinds = field_kinds()
        for name, rule in self.fields.items():
            for key in sorted(rule.model_fields_set & _KEYS_OF.keys()):
                if kinds[name] not in _KEYS_OF[key]:
                    raise _misplaced("fields", name, key)
        for name, custom in self.custom.items():
            for key in sorted(custom.model_fields_set & _KEYS_OF.keys()):
                if FieldKind.PHONE in _KEYS_OF[key]:
                    raise _misplaced("custom", name, key)
        return self

    @property
    def digest(self) -> str:
        """sha256 (hex) of what the mapping does: its name and title don't count."""
        table = self.table()
        content = {key: value for key, value in table.items() if key not in ("name", "title", "match")}
        return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    @property
    def needs_tenant_fields(self) -> bool:
        """Whether a custom field is given by its display name, which only the tenant's list can look up."""
        return any(not key.startswith("customize_") for key in self.custom)

    def columns(self) -> tuple[str, ...]:
        """Every column the mapping reads, by its own names, in order, each once."""
        rules: list[FieldRule] = [*self.fields.values(), *self.custom.values()]
        found = dict.fromkeys(column for rule in rules for column in rule.columns())
        return tuple(found | dict.fromkeys(condition.column for condition in self.only))

    def table(self) -> dict[str, Any]:
        """The mapping as TOML would hold it: only what differs from the defaults."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    def dump(self) -> str:
        """The mapping as TOML text that `load_text` reads back equal."""
        from importer.mapping.toml import written

        return written(self.table())


def field_kinds() -> Mapping[str, FieldKind]:
    """What each field of any contract holds."""
    return {field.name: field.kind for name in contracts.NAMES for field in contracts.load(name).fields}


def _misplaced(table: str, name: str, key: str) -> PydanticCustomError:
    fields = ", ".join(field for field, kind in field_kinds().items() if kind in _KEYS_OF[key])
    return PydanticCustomError(
        "misplaced", "{key}", {"table": f"{table}.{name}", "key": key, "fields": fields}
    )


def field_names() -> tuple[str, ...]:
    """The fields of every contract, each once, in the contracts' order."""
    found = (name for contract in contracts.NAMES for name in contracts.load(contract).names)
    return tuple(dict.fromkeys(found))
