"""Other calendars, days that nobody was born on, and what a whole column proves about them."""

from __future__ import annotations

from datetime import date

import pytest

from importer.mapping.calendars import Calendar, gregorian, with_era
from importer.models import Severity
from importer.reports.wording import issue_text
from tests.support.mapping import field, mapped, values

NAMES = '[fields.first_name]\nconstant = "A"\n[fields.last_name]\nconstant = "B"\n'


def birthdays(*cells: str, rule: str = "") -> tuple[list[str | None], list[tuple[str, str]]]:
    found = mapped(f'{NAMES}[fields.birthday]\nfrom = "Born"\n{rule}', {"Born": cells})
    assert all(issue_text(issue, lang=lang).message for issue in found.issues for lang in ("en", "zh"))
    return values(found, "birthday"), [(issue.code, str(issue.severity)) for issue in found.issues]


@pytest.mark.parametrize(
    ("day", "meant"),
    [
        ((1399, 12, 30), "2021-03-20"),
        ((1400, 1, 1), "2021-03-21"),
        ((1357, 11, 22), "1979-02-11"),
        ((1279, 1, 1), "1900-03-21"),
        ((1400, 12, 30), None),
    ],
)
def test_persian_days_are_those_of_the_astronomical_calendar(
    day: tuple[int, int, int], meant: str | None
) -> None:
    assert gregorian(Calendar.PERSIAN, *day) == meant


def test_a_named_era_needs_no_proof() -> None:
    assert with_era("民國79年5月17日") == "1990-05-17"
    assert birthdays("昭和60年1月2日", "1990-05-17") == (
        ["1985-01-02", "1990-05-17"],
        [("calendar-converted", "note")],
    )


@pytest.mark.parametrize(
    ("cells", "meant"),
    [
        (("2533-05-17", "2540/1/2"), ["1990-05-17", "1997-01-02"]),
        (("17/05/2533", "2/1/2540"), ["1990-05-17", "1997-01-02"]),
        (("17 พ.ค. 2533", "2 มกราคม 2540"), ["1990-05-17", "1997-01-02"]),
        (("1369/02/27", "1368-02-31"), ["1990-05-17", "1989-05-21"]),
        (("۱۳۶۹/۰۲/۲۷", "۱۳۶۸/۰۲/۳۱"), ["1990-05-17", "1989-05-21"]),
        (("079/05/17", "101/3/4"), ["1990-05-17", "2012-03-04"]),
        (("0790517", "1010304"), ["1990-05-17", "2012-03-04"]),
    ],
)
def test_a_whole_column_proves_its_calendar(cells: tuple[str, ...], meant: list[str]) -> None:
    assert birthdays(*cells) == (meant, [("calendar-converted", "note")] * 2)


def test_a_year_of_another_calendar_among_ours_is_refused() -> None:
    found, issues = birthdays("2533-05-17", "1990-05-17", "1369-02-27")
    assert found == [None, "1990-05-17", None]
    assert issues == [("implausible-date", "error")] * 2
    assert birthdays("2533-05-17")[0] == [None]


def test_a_mapping_names_the_calendar() -> None:
    rule = 'calendar = "buddhist"'
    assert field(f'from = "X"\n{rule}', "birthday", "2533-05-17") == ["1990-05-17"]
    assert field(f'from = "X"\n{rule}\nformats = ["dd/MM/yyyy"]', "birthday", "17/05/2533") == ["1990-05-17"]


def test_birthdays_lie_between_1900_and_today() -> None:
    cells = ("1899-12-31", "1900-01-01", date.today().isoformat(), "2099-01-01")
    found, issues = birthdays(*cells)
    assert found == [None, *cells[1:3], None]
    assert issues == [("implausible-date", "error")] * 2
    assert birthdays(*cells, rule="any_day = true") == (list(cells), [])


def test_days_for_no_date_are_left_out_with_a_note() -> None:
    found, issues = birthdays("1990-05-17", "0001-01-01", "9999-12-31", "1604-05-17", "0000-00-00", "0/0/00")
    assert found == ["1990-05-17", *[None] * 5]
    assert {severity for _, severity in issues} == {str(Severity.NOTE)}
    assert birthdays("1990-05-17", "0000-00-00 00:00:00")[1] == [("word-for-nothing", "note")]


def test_zeros_in_a_column_of_unreadable_dates_are_no_word_for_nothing() -> None:
    assert birthdays("0000-00-00", "1990", "May 1990", "1985-05")[0][0] == "0000-00-00"


def test_a_day_to_come_is_none_of_a_column_of_another_calendar() -> None:
    found, issues = birthdays("1405-01-01", "1/1/1300", "2090-01-01")
    assert found[:2] == ["2026-03-21", "1921-03-21"]
    assert ("implausible-date", "error") in issues


def test_a_day_of_the_republic_with_its_name_proves_the_others_of_the_column() -> None:
    found = birthdays("民國79年5月7日", "80/12/25", "農曆八月十五")
    assert found[0][:2] == ["1990-05-07", "1991-12-25"]
    assert found[1][:2] == [("calendar-converted", "note")] * 2


@pytest.mark.parametrize("cell", ["7.05.1990 r.", "07.05.1990 г.", "7 мая 1990 года", "07.05.1990 р."])
def test_what_stands_behind_the_year_does_not_count(cell: str) -> None:
    assert birthdays(cell, "25.12.1991")[0][0] == "1990-05-07"


@pytest.mark.parametrize("cell", ["2014. 05. 07.", "2014.05.07.", "2014. 5. 7.", "7.5.2014."])
def test_a_point_behind_the_last_part_does_not_count(cell: str) -> None:
    assert birthdays(cell, "25.12.1991")[0][0] == "2014-05-07"
