"""The keys of a mapping file and what each may hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, LiteralString

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from importer import contracts
from importer.contracts import FieldKind
from importer.mapping import dates
from importer.mapping.person_names import NameRule


def _several(value: object) -> object:
    """Take one text for a list of one."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


def _date_format(value: str) -> str:
    try:
        dates.pattern(value)
    except ValueError as error:
        raise PydanticCustomError("date_format", "{lacks}", {"lacks": str(error)}) from error
    return value


def _region(value: object) -> object:
    if isinstance(value, dict):
        return RegionColumn.model_validate(value)
    if isinstance(value, str):
        return _iso_region(value)
    return value


def _iso_region(value: object) -> object:
    if isinstance(value, str):
        import phonenumbers

        if value not in phonenumbers.SUPPORTED_REGIONS:
            raise PydanticCustomError("region", "{region}", {"region": value})
    return value


def _header_row(value: object) -> object:
    number = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if not number and value not in ("none", None):
        raise PydanticCustomError("header_row", "{expected}", {"expected": "1, 2, 3 …, none"})
    return value


def _texts(value: object) -> object:
    """Turn the numbers of a value map into text, because cells are text."""
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
    """A table of a mapping file. It takes only the keys named here, each of its own type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class Condition(MappingTable):
    """A condition on the rows, by the cell of one column. Case does not count; `*` stands for any text."""

    column: Name
    is_: Annotated[tuple[Text, ...] | None, BeforeValidator(_several)] = Field(default=None, alias="is")
    is_not: Annotated[tuple[Text, ...] | None, BeforeValidator(_several)] = None
    filled: bool | None = None
    optional: bool = False
    """If the file lacks the column, the condition is not applied."""

    @model_validator(mode="after")
    def _one(self) -> Condition:
        given = [key for key in (self.is_, self.is_not, self.filled) if key is not None]
        if len(given) != 1:
            raise PydanticCustomError("condition", "", {})
        return self


class RegionColumn(MappingTable):
    """The column that says of which country each row's phones are: ISO codes or names of countries."""

    source: Names = Field(alias="from")
    """Columns; the first that is filled wins."""
    default: Annotated[str | None, BeforeValidator(_iso_region)] = None
    """ISO country of the rows that name none."""


class FieldRule(MappingTable):
    """How one field of the API is filled."""

    source: Names = Field(default=(), alias="from")
    """Columns; the first that is filled wins, unless `join` is given."""
    join: Text | None = None
    """The text that all filled columns are joined with."""
    split: Name | None = None
    """Column with full names. If the file has none of the columns in `from`, first_name and last_name take
    their parts of these names, by the mapping's `name_rule`."""
    constant: Text | None = None
    default: Text | None = None
    """The value where the cell is empty."""
    values: Annotated[Mapping[str, Text], BeforeValidator(_texts)] = Field(default_factory=dict)
    """What replaces a whole cell; case does not count. Other cells stay."""
    nothing: Annotated[tuple[Text, ...] | None, BeforeValidator(_several)] = None
    """More cells that mean “empty”; `*` stands for any text. An empty list: no word means “empty”, NULL is a
    text."""
    case: Literal["keep", "upper", "lower", "title"] = "keep"
    trim: bool = True
    empty: Literal["leave-out", "send"] = "leave-out"
    """What an empty cell means: the field is left out, or sent as an empty text."""
    shorten: bool = False
    """True: a text that is too long is cut at the contract's limit; otherwise the row is reported."""
    formats: Formats = ()
    """Date formats; the first that fits a text wins."""
    calendar: Literal["gregorian", "buddhist", "persian", "roc"] | None = None
    """What the years of dates count from. Without it, the whole column has to prove a calendar other than
    ours."""
    any_day: bool = False
    """True: birthdays before 1900 and in the future are sent, too."""
    mixed_dates: bool = False
    """True: the column mixes both orders of day and month, so a date with two readings is refused."""
    separators: Texts = ()
    """What stands between tags, or between the choices of a custom field."""
    region: Annotated[str | RegionColumn | None, BeforeValidator(_region)] = None
    """ISO country of phones without a country code, or the column that says it: `{ from = "Country" }`."""
    country_code: Name | None = None
    """Column with the country code of the phones."""
    trunk_prefix: Text | None = None
    """What national numbers begin with, if not 0. It is removed where a country code is put before the
    number."""
    international_prefix: Text | None = None
    """What is written instead of the + of a country code: 00."""
    extension: Literal["keep", "drop"] = "drop"
    """Whether x123, ext. 123 or #123 after a phone is dropped, with a note. If kept, the phone is refused."""
    several_at: Texts = ()
    """What stands between several values in one cell."""
    behind: Text | None = None
    """Only a value that begins with this text is taken, without the text: “WhatsApp-”."""
    take: Annotated[int, Field(ge=1, le=9)] = 1
    """Which of several values is taken, from 1."""
    when: Condition | None = None
    """The field stays empty in rows that do not meet the condition."""

    @model_validator(mode="after")
    def _fed(self) -> FieldRule:
        if self.constant is not None and self.source:
            raise PydanticCustomError("clash", "from, constant", {"keys": "from, constant"})
        if self.constant is None and not self.source and not self.split and self.default is None:
            raise PydanticCustomError("unfed", "", {})
        if self.join is not None and len(self.source) < 2:
            raise PydanticCustomError("join", "", {})
        return self

    @property
    def default_region(self) -> str | None:
        """The country of phones that no column gives one."""
        return self.region.default if isinstance(self.region, RegionColumn) else self.region

    def in_country(self, region: str, columns: Sequence[str]) -> FieldRule:
        """Return the rule of a phone with this country (ISO code) where none of the columns names one."""
        if isinstance(self.region, RegionColumn):
            columns = self.region.source
        found = (
            RegionColumn.model_validate({"from": tuple(columns), "default": region}) if columns else region
        )
        return self.model_copy(update={"region": found})

    def columns(self) -> Iterator[str]:
        """Yield every column that the rule reads, by the mapping's name for it."""
        yield from self.source
        yield from (name for name in (self.split, self.country_code) if name)
        yield from self.region.source if isinstance(self.region, RegionColumn) else ()
        if self.when:
            yield self.when.column


_PHONES = (FieldKind.PHONE, FieldKind.DIGITS)
_KEYS_OF = {
    **dict.fromkeys(("formats", "calendar", "any_day", "mixed_dates"), (FieldKind.DATE,)),
    "separators": (FieldKind.TAGS,),
    **dict.fromkeys(("region", "country_code", "trunk_prefix", "international_prefix", "extension"), _PHONES),
}
"""Keys that only fields of some kinds may have."""
_FEEDS = {"from", "source", "split", "constant", "default"}
_NOT_DONE = ("name", "title", "match", "read")
"""Keys of a mapping that change nothing in what it does with a row."""
_NAME_PARTS = ("first_name", "last_name")
CustomType = Literal["text", "number", "choice", "choices", "date", "date-time", "tags"]


class CustomRule(FieldRule):
    """How a custom field of the tenant is filled; its key in the mapping is its name or display name."""

    type: CustomType | None = None
    """Only needed if the tenant's list of fields is not known."""


class HeaderMatch(MappingTable):
    """Which headers identify the export. Case does not count, all else does; `*` stands for any text."""

    all: Names = ()
    any: Names = ()
    """At least one of these."""
    none: Names = ()
    others: bool = True
    """False: the file must have no headers but those that the mapping names."""
    yields: bool = False
    """True: other mappings that fit go first."""


class ReadingRules(MappingTable):
    """How the file is read, where the command does not say it."""

    sheet: Name | None = None
    """A sheet's name, or `all` for every sheet with data."""
    header_row: Annotated[int | Literal["none"] | None, BeforeValidator(_header_row)] = None
    """Where the header stands; `none` for a file without one."""
    encoding: Name | None = None
    delimiter: Name | None = None
    """One character, or `tab`."""


class MappingFile(MappingTable):
    """How one kind of sheet becomes customers."""

    name: str = ""
    title: str = ""
    missing_headers: Literal["error", "ignore"] = "error"
    """Whether a file may lack headers that the mapping names: exports differ by the view that was chosen."""
    name_rule: NameRule | None = Field(default=None, strict=False)
    """How the full names of `split` are split."""
    match: HeaderMatch | None = None
    read: ReadingRules | None = None
    only: tuple[Condition, ...] = Field(default=(), strict=False)
    fields: Mapping[str, FieldRule] = Field(default_factory=dict)
    custom: Mapping[str, CustomRule] = Field(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _every_mistake(cls, table: object, handler: ModelWrapValidatorHandler[MappingFile]) -> MappingFile:
        """Report what is in the wrong place together with everything else that is wrong."""
        found = list(_misplacements(table)) if isinstance(table, dict) else []
        try:
            made = handler(table)
        except ValidationError as error:
            found += map(_as_raised, error.errors())
        if found:
            raise ValidationError.from_exception_data(cls.__name__, found)
        return made

    @model_validator(mode="before")
    @classmethod
    def _default_columns(cls, table: object) -> object:
        """Give a custom field without a source the column of its own name."""
        custom = table.get("custom") if isinstance(table, dict) else None
        if not isinstance(table, dict) or not isinstance(custom, dict):
            return table
        named = {
            key: {"from": key, **rule} if isinstance(rule, dict) and not rule.keys() & _FEEDS else rule
            for key, rule in custom.items()
        }
        return {**table, "custom": named}

    @property
    def digest(self) -> str:
        """The sha256 (hex) of what the mapping does. Its name, title, `match` and `read` do not count."""
        table = self.table()
        content = {key: value for key, value in table.items() if key not in _NOT_DONE}
        return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    def columns(self) -> tuple[str, ...]:
        """Return every column that the mapping reads, by its own names, in order, each once."""
        rules: list[FieldRule] = [*self.fields.values(), *self.custom.values()]
        found = dict.fromkeys(column for rule in rules for column in rule.columns())
        return tuple(found | dict.fromkeys(condition.column for condition in self.only))

    def region_columns(self, rule: FieldRule) -> tuple[str, ...]:
        """Return the columns that say of which country a phone is: those of its rule, else those of the
        field `country`, unless the rule says the country otherwise."""
        if isinstance(rule.region, RegionColumn):
            return rule.region.source
        country = self.fields.get("country")
        return country.source if country and rule.region is None and rule.country_code is None else ()

    def in_country(self, region: str) -> MappingFile:
        """Return the mapping with this country (ISO code) for phones that no column gives one."""
        kinds = field_kinds()
        fields = {
            name: rule.in_country(region, self.region_columns(rule))
            if kinds[name] is FieldKind.PHONE
            else rule
            for name, rule in self.fields.items()
        }
        return self.model_copy(update={"fields": fields})

    def table(self) -> dict[str, Any]:
        """Return the mapping as TOML would hold it: only what differs from the defaults."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    def dump(self) -> str:
        """Return the mapping as TOML text that `load_text` reads back equal."""
        import tomli_w

        return tomli_w.dumps(self.table())


def field_kinds() -> Mapping[str, FieldKind]:
    """Return the kind of each field of any contract."""
    return {field.name: field.kind for name in contracts.NAMES for field in contracts.load(name).fields}


def _misplacements(table: Mapping[str, object]) -> Iterator[InitErrorDetails]:
    """Yield what no table can tell by itself: unknown fields, and keys that their field cannot have."""
    kinds = field_kinds()
    fields = table.get("fields")
    for name, rule in fields.items() if isinstance(fields, dict) else ():
        if name not in kinds:
            yield _custom_error("unknown_field", ("fields", name), field=name)
            continue
        keys = rule.keys() if isinstance(rule, dict) else frozenset[str]()
        if "split" in keys and name not in _NAME_PARTS:
            yield _custom_error("split", ("fields", name, "split"), field=name)
        elif "split" in keys and table.get("name_rule") is None:
            yield _custom_error("name_rule", ("fields", name, "split"), field=name)
        for key in sorted(keys & _KEYS_OF.keys()):
            if kinds[name] not in _KEYS_OF[key]:
                yield _misplaced("fields", name, key)
    custom = table.get("custom")
    for name, rule in custom.items() if isinstance(custom, dict) else ():
        for key in sorted(rule.keys() & _KEYS_OF.keys()) if isinstance(rule, dict) else ():
            if FieldKind.PHONE in _KEYS_OF[key]:
                yield _misplaced("custom", name, key)


def _misplaced(table: str, name: str, key: str) -> InitErrorDetails:
    fields = ", ".join(field for field, kind in field_kinds().items() if kind in _KEYS_OF[key])
    return _custom_error("misplaced", (table, name, key), fields=fields)


def _custom_error(kind: LiteralString, path: tuple[str, ...], **context: str) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError(kind, "{}", context), loc=path, input=path[-1])


def _as_raised(found: ErrorDetails) -> InitErrorDetails:
    """Return a mistake that was told as one that can be raised again."""
    kind: Any = found["type"]
    again = PydanticCustomError(kind, found["msg"].replace("{", "(").replace("}", ")"), found.get("ctx"))
    return InitErrorDetails(type=again, loc=found["loc"], input=found["input"])


def field_names() -> tuple[str, ...]:
    """Return the fields of every contract, each once, in the contracts' order."""
    found = (name for contract in contracts.NAMES for name in contracts.load(contract).names)
    return tuple(dict.fromkeys(found))
