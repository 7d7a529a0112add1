"""Change a mapping as a person does it, column by column: what may be chosen, and where columns go."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unicodedata import normalize

from pydantic import ValidationError

from importer import mapping as mappings
from importer.contracts import Contract
from importer.errors import ImporterError, MappingError, UsageError
from importer.mapping import headers
from importer.mapping.likely_countries import LikelyCountry, likely_countries
from importer.mapping.mistakes import first_mistake
from importer.mapping.person_names import likely_rule
from importer.mapping.regions import country_name
from importer.mapping.schema import checked
from importer.private_files import make_private_folder, replace_private_file
from importer.web.pages import Form, Site, whole_number
from importer.web.reading import FileLook
from importer.web.works import Work

SPLIT = "split"
"""The target of a column with whole names."""
DATE_FORMATS = (
    *("yyyy-MM-dd", "dd/MM/yyyy", "MM/dd/yyyy", "dd.MM.yyyy", "dd-MM-yyyy", "yyyy/MM/dd", "yyyyMMdd"),
    *("dd.MM.yy", "dd/MM/yy", "MM/dd/yy", "yy-MM-dd", "d MMM yyyy", "MMM d, yyyy", "unix", "unix-ms"),
)
CALENDARS = ("gregorian", "buddhist", "persian", "roc")
JOINS = (" ", ", ", "-", "")
Table = dict[str, Any]
DATE_ORDERS: Mapping[str, tuple[str, ...]] = {
    "day-first": tuple(f"d{mark}M{mark}{year}" for year in ("yyyy", "yy") for mark in "./-"),
    "month-first": tuple(f"M{mark}d{mark}{year}" for year in ("yyyy", "yy") for mark in "/-."),
    "year-first": tuple(f"{year}{mark}M{mark}d" for year in ("yyyy", "yy") for mark in "-/."),
}
"""The order of a date's parts, as the formats of a mapping: with two or four digits of the year."""
_NAMED_MONTHS = (
    *("d MMMM yyyy", "d. MMMM yyyy", "d-MMMM-yyyy", "d-MMMM-yy", "MMMM d, yyyy"),
    *("d 'de' MMMM 'de' yyyy", "d 'de' MMMM yyyy"),
)
"""A month that is a name has its place for certain."""
_ORDER = "order:"
MOST_VALUES = 12
"""Different cells of a column that are shown, each with a choice of its own."""
_MOST_WORKS = 10
"""Earlier pieces of work that are asked which country was chosen."""


@dataclass(frozen=True, slots=True)
class Country:
    """A country as a person chooses it."""

    code: str
    """ISO 3166-1: two letters."""
    name: str
    dialling_code: int


@cache
def countries(lang: str) -> tuple[Country, ...]:
    """All countries with a dialling code, by name without accents; Chinese ones as in GB 18030: by sound."""
    import phonenumbers

    found = (
        Country(region, country_name(region, lang), phonenumbers.country_code_for_region(region))
        for region in phonenumbers.SUPPORTED_REGIONS
    )
    if lang == "zh":
        return tuple(sorted(found, key=lambda one: one.name.encode("gb18030")))
    return tuple(sorted(found, key=lambda one: normalize("NFKD", one.name).encode("ascii", "ignore")))


def read_table(site: Site, work: Work) -> Table:
    """The mapping of a piece of work as TOML holds it. Raises MappingError."""
    return mappings.load(str(site.works.mapping_file(work))).table()


def write_table(site: Site, work: Work, table: Table, name: str) -> None:
    """Keep a mapping. Raises MappingError for one that makes no sense."""
    table = {key: value for key, value in table.items() if value not in ({}, [])}
    table.setdefault("name", name)
    try:
        mapping = checked(table)
    except ValidationError as error:
        raise MappingError("web-mapping-refused", reason=first_mistake(error)) from None
    replace_private_file(site.works.mapping_file(work), mapping.dump().encode("utf-8", "replace"))


def kept_file(site: Site, header: Sequence[str]) -> Path:
    """Where the mapping is kept for files with such a header."""
    named = "\x1f".join(headers.normalize(name) for name in header)
    digest = hashlib.sha256(named.encode("utf-8", "replace")).hexdigest()[:32]
    return site.works.root.parent / "mappings" / f"{digest}.toml"


def keep_mapping(site: Site, work: Work, header: Sequence[str]) -> None:
    """Remember the mapping for the next file with such a header. A disk that refuses costs nothing now."""
    source, target = site.works.mapping_file(work), kept_file(site, header)
    if source.is_file():
        with contextlib.suppress(OSError):
            make_private_folder(target.parent)
            replace_private_file(target, source.read_bytes())


def country_proposals(
    site: Site, work: Work, look: FileLook, numbers: Sequence[str], tags: Sequence[str]
) -> tuple[LikelyCountry, ...]:
    """Of which countries these phones of a file probably are. `tags`: languages of the person, as a browser
    names them."""
    chosen: list[str] = []
    for one in [one for one in site.works.recent() if one.id != work.id][:_MOST_WORKS]:
        with contextlib.suppress(ImporterError, OSError):
            rules = read_table(site, one).get("fields", {}).values()
            chosen += [rule["region"] for rule in rules if isinstance(rule.get("region"), str)]
    return likely_countries(numbers, look.samples, chosen=chosen, tags=tags)


def source_names(rule: Table) -> list[str]:
    """The columns that a rule reads, by the mapping's names."""
    found = rule.get("from", [])
    return [found] if isinstance(found, str) else list(found)


def _means(name: str, look: FileLook, column: str) -> bool:
    """Whether a name of the mapping means a column of the file."""
    return any(column in headers.matching_columns(name, header) for header in look.several or (look.header,))


def target_of(table: Table, look: FileLook, column: str) -> str:
    """Where a column goes: `f:FIELD`, `c:KEY`, SPLIT, or nothing."""
    for mark, part in (("f:", "fields"), ("c:", "custom")):
        for name, rule in table.get(part, {}).items():
            if any(_means(source, look, column) for source in source_names(rule)):
                return f"{mark}{name}"
            if "split" in rule and not source_names(rule) and _means(rule["split"], look, column):
                return SPLIT
    return ""


def feeds(rule: Table, look: FileLook, targets: dict[str, str]) -> bool:
    """Whether a rule gives its field a value in this file."""
    if "constant" in rule or "default" in rule:
        return True
    named = [*source_names(rule), *([rule["split"]] if "split" in rule else [])]
    return any(_means(name, look, column) for name in named for column in targets)


def field_of(target: str) -> str:
    """The field, or the key of a custom field, that a target means."""
    return "first_name" if target == SPLIT else target[2:]


def rule_of(table: Table, target: str) -> Table:
    """The rule of a target; empty if there is none."""
    found: Table = table.get("custom" if target.startswith("c:") else "fields", {}).get(field_of(target), {})
    return found


def kind_of(contract: Contract, target: str) -> str:
    """The kind of value that a target takes: of a field, `custom` or SPLIT."""
    if target == SPLIT:
        return SPLIT
    name = field_of(target)
    if target.startswith("c:"):
        return "custom"
    return contract.field(name).kind.value if name in contract.names else ""


def named_column(look: FileLook, place: str) -> str:
    """The column at a place of the header: a form cannot carry every name unchanged. Empty for no place.

    Raises UsageError `web-no-column`.
    """
    if not place:
        return ""
    number = whole_number(place)
    if number is None or number >= len(look.header):
        raise UsageError("web-no-column", column=place)
    return look.header[number]


def first_values(look: FileLook, column: str) -> list[str]:
    """The first different values of a column that may be translated."""
    if look.samples is None:
        return []
    cells = dict.fromkeys(str(cell).strip() for cell in look.samples[column].tolist())
    return [cell for cell in cells if cell][:MOST_VALUES]


def formats_of(choice: str) -> list[str]:
    """The formats that a choice of the page means: one format, or `order:day-first` for a whole order."""
    if choice.startswith(_ORDER):
        order = DATE_ORDERS.get(choice.removeprefix(_ORDER), ())
        return [*order, *_NAMED_MONTHS] if order else []
    return [choice] if choice else []


def format_choice(rule: Table) -> str:
    """The choice that led to the formats of a rule; empty for none, or for others than the page offers."""
    given = rule.get("formats", [])
    for order in DATE_ORDERS:
        if given == formats_of(f"{_ORDER}{order}"):
            return f"{_ORDER}{order}"
    return str(given[0]) if len(given) == 1 else ""


def change_table(table: Table, look: FileLook, form: Form) -> None:
    """Carry one change of the form over to the mapping's table."""
    do, column = form.get("do", ""), named_column(look, form.get("column", ""))
    fields = table.setdefault("fields", {})
    if do == "assign":
        assign(table, look, column, form.get("target", ""))
        return
    if do == "name-rule":
        table["name_rule"] = form.get("value", "")
        return
    if do == "constant":
        name, value = form.get("field", ""), form.get("value", "")
        if value:
            fields[name] = {"constant": value}
        else:
            fields.pop(name, None)
        return
    rule = rule_of(table, form.get("target", ""))
    value = form.get("value", "")
    if not rule:
        raise UsageError("web-no-column", column=column)
    if do == "join":
        _set(rule, "join", form.get("value") if form.get("value") != "first" else None)
    elif do == "formats":
        _set(rule, "formats", formats_of(value) or None)
    elif do == "calendar":
        _set(rule, "calendar", value or None)
    elif do == "region":
        region = (
            {"from": named_column(look, value.removeprefix("col:"))}
            if value.startswith("col:")
            else value or None
        )
        _set(rule, "region", region)
    elif do == "values":
        cells = first_values(look, column)
        given = {cell: form.get(f"value:{at}", "") for at, cell in enumerate(cells)}
        _set(rule, "values", {cell: text for cell, text in given.items() if text} or None)


def assign(table: Table, look: FileLook, column: str, target: str) -> None:
    """Lead a column to a target, away from the one it had."""
    for part in ("fields", "custom"):
        for name, rule in list(table.get(part, {}).items()):
            left = [source for source in source_names(rule) if not _means(source, look, column)]
            if "from" in rule:
                _set(rule, "from", left or None)
            if "split" in rule and _means(rule["split"], look, column):
                del rule["split"]
            if len(left) < 2:
                rule.pop("join", None)
            if not rule.keys() & {"from", "split", "constant", "default"}:
                del table[part][name]
    if target == SPLIT:
        for name in ("first_name", "last_name"):
            table["fields"][name] = {"split": column}
        cells = [] if look.samples is None else [str(cell) for cell in look.samples[column].tolist()]
        table.setdefault("name_rule", likely_rule(cells).value)
        return
    if target:
        part = "custom" if target.startswith("c:") else "fields"
        rule = table.setdefault(part, {}).setdefault(target[2:], {})
        for key in ("constant", "split"):
            rule.pop(key, None)
        rule["from"] = [*source_names(rule), column]
    if not any("split" in rule for rule in table["fields"].values()):
        table.pop("name_rule", None)


def _set(rule: Table, key: str, value: object) -> None:
    if value is None:
        rule.pop(key, None)
    else:
        rule[key] = value
