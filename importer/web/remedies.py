"""Settle a whole kind of problem at once: by a choice for its column, or one correction of all its rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response

from importer.errors import UsageError
from importer.mapping import dates
from importer.mapping.likely_countries import LikelyCountry
from importer.option_types import Duplicates
from importer.readers.overlay import LEFT_OUT, WHOLE_ROW, CorrectedCell
from importer.web.edits import change
from importer.web.grid import LACKING, GridView, name_for_both, names_of, needed_columns, without_shared
from importer.web.mapping_table import (
    CALENDARS,
    DATE_ORDERS,
    MOST_VALUES,
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
from importer.web.problems import Corrections, ProblemRow, ProblemRows
from importer.web.rechecks import GridState
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
        tuple(dict.fromkeys(cells))[:MOST_VALUES] if VALUES in kinds else (),
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
    return [(at, form[f"cell:{at}"]) for at in range(MOST_VALUES) if f"cell:{at}" in form]


def _send_every_row(request: Request, form: Form) -> Response:
    """Send rows that share a contact with an earlier one again."""
    site, lang = site_of(request), language_of(request)
    with site.works.editing(request.path_params["work"]) as edit:
        edit.set(duplicates="")
    work = site.works.get(request.path_params["work"])
    site.tasks.start(work.id, "check", lambda task: check_file(site, work, lang, task))
    return see_other(step_url(work, "check"))


def kind_at(work: Work, place: str) -> KindCount | None:
    """The kind of issue at a place of the check's list."""
    kinds = work.check.kinds if work.check else ()
    number = whole_number(place)
    return kinds[number] if number is not None and number < len(kinds) else None


def rows_of(site: Site, work: Work) -> ProblemRows:
    """The rows of the last check. Raises UsageError `web-check-first`."""
    try:
        rows: ProblemRows = site.rechecks.rows(work)
    except (OSError, ValueError):
        raise UsageError("web-check-first") from None
    return rows


def offered(rows: ProblemRows, code: str, column: str, cells: Corrections) -> dict[int, str]:
    """The likely corrections of a kind that nobody has taken yet, by the place of their row."""
    suggested = rows.suggested(code, column)
    corrected = {(sheet, row) for sheet, row, name in cells if name == column}
    done = {rows.place(*key) for key in corrected} if corrected else frozenset()
    return {place: text for place, text in suggested.items() if place not in done}


def clearable(rows: ProblemRows, kind: KindCount, cells: Corrections) -> list[int]:
    """The places of rows whose cell with this kind of problem nobody has corrected yet."""
    if not kind.column:
        return []
    corrected = {(sheet, row) for sheet, row, name in cells if name == kind.column}
    done = {rows.place(*key) for key in corrected}
    return [place for place in rows.of_kind(kind.code, kind.column) if place not in done]


def leavable(rows: ProblemRows, kind: KindCount, cells: Corrections) -> list[int]:
    """The places of rows with this kind of problem that nobody has corrected or left out yet."""
    touched = {rows.place(sheet, row) for sheet, row, _ in cells}
    return [place for place in rows.of_kind(kind.code, kind.column) if place not in touched]


def with_one_name(rows: ProblemRows, kind: KindCount, view: GridView) -> dict[int, str]:
    """What the cells of this kind would say if each customer's one name were both, by the places of rows that
    nobody has corrected yet."""
    if kind.code != LACKING:
        return {}
    column, places = kind.column, rows.of_kind(kind.code, kind.column)
    plain = replace(view, cells={})
    found = dict(rows.once(column, lambda: _named_once(rows.read(places), column, plain)))
    touched = {rows.place(sheet, row) for sheet, row, _ in view.cells}
    for place in touched:
        found.pop(place, None)
    left = sorted(touched & set(clearable(rows, kind, view.cells))) if touched else ()
    return found | _named_once(rows.read(left), column, view)


def _named_once(rows: Iterable[ProblemRow], column: str, view: GridView) -> dict[int, str]:
    found = ((row.number, name_for_both(row, column, view)) for row in rows)
    return {place: text for place, text in found if text}


def _take_all(request: Request, form: Form) -> Response:
    """Take the likely corrections of all cells of one kind, or leave these cells or rows out, as one step."""
    site = site_of(request)
    work = site.works.get(request.path_params["work"])
    if work.check is None:
        raise UsageError("web-check-first")
    header = work.check.header
    with site.works.editing(work.id):
        kind = kind_at(work, form.get("kind", ""))
        if kind is None:
            raise UsageError("web-changed-elsewhere")
        rows, cells = rows_of(site, work), site.works.corrections(work)
        if form.get("do") == "leave":
            places = leavable(rows, kind, cells)
            change(site, work, [(row, WHOLE_ROW, "", LEFT_OUT) for row in rows.read(places)])
            return see_other(back_to(form, work))
        if form.get("do") == "apart":
            change(site, work, _taken_apart(site, work, rows, cells))
            return see_other(back_to(form, work))
        texts = offered(rows, kind.code, kind.column, cells)
        if form.get("do") == "clear":
            texts = dict.fromkeys(clearable(rows, kind, cells), "")
        elif form.get("do") == "both":
            texts = with_one_name(rows, kind, GridView(work, header, cells, GridState({}, {}), "en"))
        at = header.index(kind.column) if texts else 0
        changes = [(row, kind.column, row.cells[at], texts[row.number]) for row in rows.read(sorted(texts))]
        change(site, work, changes)
    return see_other(back_to(form, work))


def _taken_apart(
    site: Site, work: Work, rows: ProblemRows, cells: Corrections
) -> list[tuple[ProblemRow, str, str, str]]:
    """Corrections that leave contacts which people of different names share with the first of them."""
    contract, header = site.contract(work), work.check.header if work.check else ()
    view = GridView(
        work, header, cells, GridState({}, {}), "en", needed_columns(work, contract), names_of(work)
    )
    made: dict[tuple[str, int, str], CorrectedCell] = {}
    changed: dict[tuple[int, str], ProblemRow] = {}
    for _ in contract.contact_fields:  # a row may share one of each
        now = {**cells, **made}
        view = replace(view, cells=now, state=site.rechecks.state(work, now))
        for row, column, text in without_shared(rows, view):
            key = (row.sheet, row.row, column)
            made[key] = CorrectedCell(*key, row.cells[header.index(column)], text)
            changed[row.number, column] = row
    return [
        (row, column, row.cells[header.index(column)], made[row.sheet, row.row, column].now)
        for (_, column), row in changed.items()
    ]


def back_to(form: Form, work: Work, anchor: str = "") -> str:
    """The grid as a form showed it."""
    query = form.get("back", "")
    here = step_url(work, "correct")
    return (query if query.startswith(f"{here}?") or query == here else here) + anchor


ROUTES = [
    ("POST", "/w/{work}/remedy", changing(_choose)),
    ("POST", "/w/{work}/all", changing(_take_all)),
    ("POST", "/w/{work}/every-row", changing(_send_every_row)),
]
