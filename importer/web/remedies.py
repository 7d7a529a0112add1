"""What can be done about a whole kind of problem: a choice for its column, in the place of cell by cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from importer.errors import UsageError
from importer.mapping import dates
from importer.mapping.likely_countries import LikelyCountry
from importer.option_types import Duplicates
from importer.web.mapping_table import (
    CALENDARS,
    DATE_ORDERS,
    Table,
    country_proposals,
    formats_of,
    read_table,
    rule_of,
    target_of,
    write_table,
)
from importer.web.pages import (
    Form,
    Site,
    changing,
    language_of,
    see_other,
    site_of,
    step_url,
    whole_number,
)
from importer.web.problems import ProblemRows
from importer.web.running import check_file
from importer.web.twins import SAME_CONTACT
from importer.web.works import KindCount, Work

REGION, FORMATS, CALENDAR, ANY_DAY = "region", "formats", "calendar", "any-day"
VALUES, ONE_ROW = "values", "one-row"
_REMEDIES: Mapping[str, tuple[str, ...]] = {
    "no-country-code": (REGION,),
    "bad-country-code": (REGION,),
    "ambiguous-date": (FORMATS,),
    "bad-date": (FORMATS,),
    "other-date-order": (FORMATS,),
    "implausible-date": (ANY_DAY, CALENDAR),
    "bad-gender": (VALUES,),
    SAME_CONTACT: (ONE_ROW,),
}
OF_OTHER_COUNTRY = "phone-of-other-country"
"""The message of a phone that does not fit the country of its column."""
REMEDIED = frozenset(_REMEDIES)
"""The codes of issues about which something can be done for a whole column."""
_MOST_CELLS = 200
"""Cells that are tried with each form of dates."""
_MOST_VALUES = 12


@dataclass(frozen=True, slots=True)
class DateChoice:
    """A form of dates, and what it would make of the cells of the kind."""

    value: str
    """As a form sends it: `order:day-first`."""
    word: str
    """The code of its name."""
    reads: int
    tried: int
    cell: str
    """The first cell that it reads,"""
    becomes: str
    """and as which day."""


@dataclass(frozen=True, slots=True)
class Remedies:
    """What may be chosen for the column of a kind of problem."""

    kinds: tuple[str, ...]
    """Of REGION, FORMATS, CALENDAR, ANY_DAY, VALUES and ONE_ROW those that fit."""
    region: str = ""
    """The country that is chosen so far."""
    likely: tuple[LikelyCountry, ...] = ()
    """Countries that are likely."""
    dates: tuple[DateChoice, ...] = ()
    values: tuple[str, ...] = ()
    """Different cells of the kind."""


NOTHING = Remedies(())


def remedies(
    site: Site, work: Work, kind: KindCount, rows: ProblemRows, tags: Sequence[str] = ()
) -> Remedies:
    """What can be done about a kind of problem of a piece of work. `tags`: languages of the person."""
    kinds = _REMEDIES.get(kind.code, ())
    if not kinds:
        return NOTHING
    if kind.code == SAME_CONTACT:
        return NOTHING if work.duplicates else Remedies(kinds)
    table = _table(site, work)
    target = target_of(table, site.looks.of(work), kind.column)
    rule = rule_of(table, target)
    if not rule or target.startswith("c:"):
        return NOTHING
    cells = rows.cells(kind.code, kind.column, _MOST_CELLS)
    given = rule.get("region")
    found = _date_choices(cells) if FORMATS in kinds else ()
    wordings = rows.wordings(kind.code, kind.column, _MOST_CELLS)
    # Whose country is known needs no country: a digit is missing, or it is a number of another one.
    countryless = not given or wordings != {OF_OTHER_COUNTRY}
    elsewhere = "date-of-other-calendar" in wordings
    fits = {FORMATS: bool(found), CALENDAR: elsewhere, REGION: countryless}
    asked = REGION in kinds and countryless and not given
    return Remedies(
        tuple(one for one in kinds if fits.get(one, True)),
        given if isinstance(given, str) else "",
        country_proposals(site, work, site.looks.of(work), cells, tags) if asked else (),
        found,
        tuple(dict.fromkeys(cells))[:_MOST_VALUES] if VALUES in kinds else (),
    )


def _table(site: Site, work: Work) -> Table:
    """The mapping of a file as TOML holds it. A report has that of its run until a person changes it."""
    if work.report and not site.works.mapping_file(work).is_file():
        table: Table = site.rechecks.mapping(work).table()
        return table
    return read_table(site, work)


def _date_choices(cells: list[str]) -> tuple[DateChoice, ...]:
    """The orders in which at least one of the cells can be read, the one that reads most of them first."""
    found = []
    for order in DATE_ORDERS:
        formats = tuple(formats_of(f"order:{order}"))
        read = [(cell, dates.by_format(cell, formats)) for cell in cells]
        days = [(cell, day) for cell, day in read if day]
        if days:
            cell, day = days[0]
            found.append(
                DateChoice(f"order:{order}", f"order-{order}", len(days), len(cells), cell, str(day))
            )
    return tuple(sorted(found, key=lambda one: -one.reads))


def _choose(request: Request, form: Form) -> Response:
    """Take a choice for the column of a kind over into the mapping, and check the file with it."""
    site, lang = site_of(request), language_of(request)
    work = site.works.get(request.path_params["work"])
    if work.check is None:
        raise UsageError("web-check-first")
    place = whole_number(form.get("kind", ""))
    if place is None or place >= len(work.check.kinds):
        raise UsageError("web-changed-elsewhere")
    kind, do = work.check.kinds[place], form.get("do", "")
    if do not in _REMEDIES.get(kind.code, ()):
        raise UsageError("web-no-page")
    with site.works.editing(work.id) as edit:
        if do == ONE_ROW:
            edit.set(duplicates=Duplicates.SKIP.value)
        else:
            _change_rule(site, edit.work, kind.column, do, form)
            edit.set()
    work = site.works.get(work.id)
    site.tasks.start(work.id, "check", lambda task: check_file(site, work, lang, task))
    return see_other(step_url(work, "check"))


def _change_rule(site: Site, work: Work, column: str, do: str, form: Form) -> None:
    """Change the rule of a column's field. Raises UsageError `web-no-column`, MappingError."""
    table = _table(site, work)
    rule = rule_of(table, target_of(table, site.looks.of(work), column))
    if not rule:
        raise UsageError("web-no-column", column=column)
    value = form.get("value", "")
    if do == REGION and value:
        given = rule.get("region")
        rule["region"] = {**given, "default": value} if isinstance(given, dict) else value
    elif do == FORMATS and formats_of(value):
        rule["formats"] = formats_of(value)
    elif do == CALENDAR and value in CALENDARS:
        rule["calendar"] = value
    elif do == ANY_DAY:
        rule["any_day"] = True
    elif do == VALUES:
        given = {text: form.get(f"value:{at}", "") for at, text in _texts(form)}
        rule["values"] = {**rule.get("values", {}), **{text: word for text, word in given.items() if word}}
    write_table(site, work, table, str(table.get("name", "mapping")))


def _texts(form: Form) -> list[tuple[int, str]]:
    """The cells that a form gives a meaning, by their place in it."""
    return [(at, form[f"cell:{at}"]) for at in range(_MOST_VALUES) if f"cell:{at}" in form]


def _send_every_row(request: Request, form: Form) -> Response:
    """Send rows that share a contact with an earlier one again."""
    site, lang = site_of(request), language_of(request)
    with site.works.editing(request.path_params["work"]) as edit:
        edit.set(duplicates="")
    work = site.works.get(request.path_params["work"])
    site.tasks.start(work.id, "check", lambda task: check_file(site, work, lang, task))
    return see_other(step_url(work, "check"))


ROUTES = [
    ("POST", "/w/{work}/remedy", changing(_choose)),
    ("POST", "/w/{work}/every-row", changing(_send_every_row)),
]
