"""Schedules as cron reads them, and what becomes of them in a crontab and on Windows."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.errors import UsageError
from importer.jobs import schedule


def _next(text: str, after: str) -> str:
    found = schedule.parse_schedule(text).next(datetime.fromisoformat(after).astimezone())
    return f"{found:%Y-%m-%d %H:%M}" if found else ""


@pytest.mark.parametrize(
    ("text", "after", "due"),
    [
        ("0 3 * * *", "2026-11-20 02:59", "2026-11-20 03:00"),
        ("0 3 * * *", "2026-11-20 03:00", "2026-11-21 03:00"),
        ("*/15 * * * *", "2026-11-20 03:01", "2026-11-20 03:15"),
        ("5,35 8-10/2 * * *", "2026-11-20 08:36", "2026-11-20 10:05"),
        ("0 0 1 * *", "2026-11-20 00:00", "2026-12-01 00:00"),
        ("30 2 * * mon-fri", "2026-11-20 12:00", "2026-11-23 02:30"),
        ("30 2 * * 7", "2026-11-20 12:00", "2026-11-22 02:30"),
        ("0 0 13 * 5", "2026-11-14 12:00", "2026-11-20 00:00"),  # either day field is enough
        ("0 0 29 2 *", "2026-11-20 00:00", "2028-02-29 00:00"),
        ("@daily", "2026-11-20 12:00", "2026-11-21 00:00"),
        ("5/20 * * * *", "2026-11-20 12:06", "2026-11-20 12:25"),
        ("0 9 * JAN,Jul Mon", "2026-11-20 12:00", "2027-01-04 09:00"),
    ],
)
def test_the_next_time(text: str, after: str, due: str) -> None:
    assert _next(text, after) == due


@pytest.mark.parametrize(
    "text",
    [
        *("", "3", "* * * *", "60 * * * *", "* 24 * * *", "a * * * *", "5-1 * * * *", "*/0 * * * *"),
        *(
            "@often",
            "0 0 3 * * *",
            "0 0 L * *",
            "0 0 LW * *",
            "0 0 * * 5L",
            "0 0 * * MON#1",
            "0 0 * * monday",
        ),
        "0 0 31 feb *",  # a day that never comes
    ],
)
def test_what_cron_would_not_take_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be|five fields"):
        schedule.parse_schedule(text)


@given(st.integers(0, 59), st.integers(0, 23), st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)))
def test_a_daily_job_is_due_within_a_day_at_its_time(minute: int, hour: int, after: datetime) -> None:
    due = schedule.parse_schedule(f"{minute} {hour} * * *").next(after.astimezone())
    assert due is not None
    assert (due.hour, due.minute) == (hour, minute)
    assert timedelta() < due - after.astimezone() <= timedelta(days=1)


def _entry(text: str = "0 3 * * *", **more: object) -> schedule.CrontabEntry:
    settings = Path("/srv/my crm/importer.toml")
    return schedule.CrontabEntry("nightly", schedule.parse_schedule(text), "Asia/Shanghai", settings, **more)  # type: ignore[arg-type]


def test_the_line_is_quoted_for_the_shell_and_for_cron() -> None:
    entry = _entry(env_file=Path("/srv/100%/env"), environment={"NXLINK_STATE_DIR": "/a b"}, program="/py")
    assert entry.line() == (
        "0 3 * * * NXLINK_STATE_DIR='/a b' /py -m importer job run nightly"
        " --settings '/srv/my crm/importer.toml' --env-file /srv/100\\%/env"
    )
    assert "Asia/Shanghai" in entry.block()[0]


@given(
    st.lists(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=30), max_size=8), st.data()
)
def test_other_lines_stay_whatever_they_are(lines: list[str], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(lines)))
    block = _entry().block()
    left, taken = schedule.without_job([*lines[:place], *block, *lines[place:]], "nightly")
    assert (left, taken) == (lines, block)
    assert schedule.without_job(lines, "nightly") == (lines, [])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("*/10 * * * *", "/SC MINUTE /MO 10"),
        ("15 * * * *", "/SC HOURLY /MO 1 /ST 00:15"),
        ("0 3 * * *", "/SC DAILY /ST 03:00"),
        ("30 2 * * 1-5", "/SC WEEKLY /D MON,TUE,WED,THU,FRI /ST 02:30"),
        ("0 3 15 * *", "/SC MONTHLY /D 15 /ST 03:00"),
    ],
)
def test_the_line_for_windows(text: str, line: str) -> None:
    assert _entry(text).windows_line().endswith(line)


def test_a_schedule_that_windows_does_not_know_is_told() -> None:
    with pytest.raises(UsageError) as told:
        _entry("0 3,15 * 6 *").windows_line()
    assert told.value.code == "schedule-not-for-windows"


@pytest.mark.parametrize("text", ["0 3 *\n* *", "0 3 * * *\n* * * * * evil", "0 3 * *\x0b*", "0 3\x85* * *"])
def test_a_schedule_is_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="schedule"):
        schedule.parse_schedule(text)


def test_the_zone_is_the_one_that_the_system_names(monkeypatch: pytest.MonkeyPatch) -> None:
    for named in ("Asia/Shanghai", ":Asia/Shanghai"):
        monkeypatch.setenv("TZ", named)
        assert schedule.zone_name() == "Asia/Shanghai"
    monkeypatch.delenv("TZ")
    assert schedule.zone_name()


@pytest.mark.parametrize("character", '"%!&|<>^')
def test_nothing_ends_the_command_for_windows(character: str) -> None:
    spoilt = f"a{character} calc {character}"
    daily = schedule.parse_schedule("0 3 * * *")
    for job, folder in ((spoilt, "s"), ("nightly", spoilt)):
        entry = schedule.CrontabEntry(job, daily, "UTC", Path(f"/{folder}/importer.toml"))
        with pytest.raises(UsageError) as caught:
            entry.windows_line()
        assert caught.value.code == "not-for-crontab"
    for made in (
        lambda: schedule.windows_removal(spoilt),
        lambda: schedule.windows_variables({"NXLINK_JOURNAL": spoilt}),
    ):
        with pytest.raises(UsageError):
            made()
    assert schedule.windows_removal("nightly") == 'schtasks /Delete /F /TN "nxlink-importer nightly"'
    assert schedule.windows_variables({"NXLINK_JOURNAL": "D:/j.db"}) == ['setx NXLINK_JOURNAL "D:/j.db"']


@pytest.mark.parametrize("character", ["\n", "\r", "\x00", "\x0b", "\x1b", "\x85", "\u2028"])
@pytest.mark.parametrize("where", ["job", "zone", "settings", "env_file", "program", "environment"])
def test_nothing_begins_another_line_of_the_crontab(where: str, character: str) -> None:
    spoilt = f"a{character}* * * * * evil"
    values: dict[str, Any] = {"job": "nightly", "zone": "UTC", "settings": Path("/s/importer.toml")}
    values[where] = {
        "settings": Path(spoilt),
        "env_file": Path(spoilt),
        "environment": {"NXLINK_STATE_DIR": spoilt},
    }.get(where, spoilt)
    with pytest.raises(UsageError) as caught:
        schedule.CrontabEntry(schedule=schedule.parse_schedule("0 3 * * *"), **values)
    assert caught.value.code == "not-for-crontab"
    assert character not in caught.value.full_text()
