"""What a person may choose from: countries, the forms of dates, calendars, ways to join columns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from unicodedata import normalize

from importer.mapping.regions import country_name

DATE_FORMATS = (
    *("yyyy-MM-dd", "dd/MM/yyyy", "MM/dd/yyyy", "dd.MM.yyyy", "dd-MM-yyyy", "yyyy/MM/dd", "yyyyMMdd"),
    *("dd.MM.yy", "dd/MM/yy", "MM/dd/yy", "yy-MM-dd", "d MMM yyyy", "MMM d, yyyy", "unix", "unix-ms"),
)
CALENDARS = ("gregorian", "buddhist", "persian", "roc")
JOINS = (" ", ", ", "-", "")


@dataclass(frozen=True, slots=True)
class Country:
    """A country as a person chooses it."""

    code: str
    """ISO 3166-1: two letters."""
    name: str
    dialling_code: int


@cache
def countries(lang: str) -> tuple[Country, ...]:
    """All countries with a dialling code, by name; Chinese names in the order of GB 18030: by their sound."""
    import phonenumbers

    found = (
        Country(region, country_name(region, lang), phonenumbers.country_code_for_region(region))
        for region in phonenumbers.SUPPORTED_REGIONS
    )
    if lang == "zh":
        return tuple(sorted(found, key=lambda one: one.name.encode("gb18030")))
    return tuple(sorted(found, key=lambda one: normalize("NFKD", one.name)))  # Á stands beside A
