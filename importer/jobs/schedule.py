"""When a job runs: crontab schedules, and the job's own block in the user's crontab.

Times are those of the machine's own zone, as cron takes them. On Windows the line for the task scheduler is
printed instead. Neither carries a secret.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from importer.errors import SettingsError, UsageError

_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_FIELDS = ("minute", "hour", "day", "month", "weekday")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FAR = 366 * 28
"""Days within which every real date comes round."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The times that a crontab line means."""

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    any_day: bool
    any_weekday: bool

    def next(self, after: datetime) -> datetime | None:
        """The first time after the given one, in the machine's zone; None for a date that never comes."""
        local = after.astimezone().replace(second=0, microsecond=0, tzinfo=None) + timedelta(minutes=1)
        day = local.date()
        for _ in range(_FAR):
            if day.month in self.months and self._fits(day.day, (day.weekday() + 1) % 7):
                for hour in sorted(self.hours):
                    for minute in sorted(self.minutes):
                        moment = datetime(day.year, day.month, day.day, hour, minute)
                        if moment >= local:
                            return moment.astimezone()
            day += timedelta(days=1)
        return None

    def _fits(self, day: int, weekday: int) -> bool:
        """crontab(5): with both day fields restricted, either is enough."""
        if self.any_day or self.any_weekday:
            return day in self.days and weekday in self.weekdays
        return day in self.days or weekday in self.weekdays


def parse_schedule(text: str) -> Schedule:
    """A crontab schedule, `0 3 * * *` or `@daily`. Raises ValueError that says what is wrong with it."""
    line = _NICKNAMES.get(text.strip().lower(), text.strip())
    fields = line.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(f'a schedule has five fields (minute hour day month weekday, "0 3 * * *"): {text!r}')
    sets = [_field(number, field) for number, field in enumerate(fields)]
    weekdays = frozenset(day % 7 for day in sets[4])
    return Schedule(
        text=line,
        minutes=sets[0],
        hours=sets[1],
        days=sets[2],
        months=sets[3],
        weekdays=weekdays,
        any_day=fields[2].startswith("*"),
        any_weekday=fields[4].startswith("*"),
    )


def zone_name() -> str:
    """The machine's own time zone: `Asia/Shanghai` where the system says, else the abbreviation."""
    named = os.environ.get("TZ", "").removeprefix(":")
    if named:
        return named
    parts = Path("/etc/localtime").resolve().parts
    if "zoneinfo" in parts:
        return "/".join(parts[parts.index("zoneinfo") + 1 :])
    return time.tzname[0]


def _field(number: int, text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        low, high = _RANGES[number]
        if span != "*":
            first, dash, last = span.partition("-")
            low = _number(number, first)
            high = _number(number, last) if dash else (high if slash else low)
        if low > high or (slash and (not step.isdigit() or int(step) < 1)):
            raise ValueError(f"{_FIELDS[number]} cannot be {text!r}")
        found.update(range(low, high + 1, int(step) if slash else 1))
    return frozenset(found)


def _number(number: int, text: str) -> int:
    names = {3: _MONTHS, 4: _DAYS}.get(number, ())
    low, high = _RANGES[number]
    if text.lower()[:3] in names and text.isalpha():
        return names.index(text.lower()[:3]) + low
    if not text.isdigit() or not low <= int(text) <= high:
        raise ValueError(f"{_FIELDS[number]} cannot be {text!r}: it goes from {low} to {high}")
    return int(text)


_BEGIN = "# nxlink-importer job {name}: begin"
_END = "# nxlink-importer job {name}: end"
_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class CrontabEntry:
    """What is to be run, and when."""

    job: str
    schedule: Schedule
    zone: str
    settings: Path
    env_file: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    """No secret: where the state folder lies."""
    program: str = sys.executable

    def words(self) -> list[str]:
        words = [self.program, "-m", "importer", "job", "run", self.job, "--settings", str(self.settings)]
        return [*words, "--env-file", str(self.env_file)] if self.env_file else words

    def line(self) -> str:
        """The line of a crontab. A % would begin the command's standard input there."""
        command = " ".join(shlex.quote(word) for word in self.words())
        settings = "".join(f"{name}={shlex.quote(value)} " for name, value in self.environment.items())
        return f"{self.schedule.text} {settings}{command}".replace("%", "\\%")

    def block(self) -> list[str]:
        return [
            f"{_BEGIN.format(name=self.job)} (times are those of {self.zone})",
            self.line(),
            _END.format(name=self.job),
        ]

    def windows_line(self) -> str:
        """The command that makes the task. Raises UsageError `schedule-not-for-windows`."""
        command = subprocess.list2cmdline(self.words()).replace('"', '\\"')
        when = _windows_schedule(self.schedule)
        return f'schtasks /Create /F /TN "nxlink-importer {self.job}" /TR "{command}" {when}'


def windows_removal(job: str) -> str:
    """The command that takes the task out again."""
    return f'schtasks /Delete /F /TN "nxlink-importer {job}"'


def install_crontab(entry: CrontabEntry) -> None:
    """Writes the job's block into the user's crontab, in place of an earlier one. Raises SettingsError."""
    lines, _ = without_job(_read(entry.job), entry.job)
    _write([*lines, *entry.block()], entry.job)


def uninstall_crontab(job: str) -> None:
    """Takes the job's block out. Raises SettingsError `no-crontab`, UsageError `job-not-installed`."""
    lines, found = without_job(_read(job), job)
    if not found:
        raise UsageError("job-not-installed", job=job)
    _write(lines, job)


def installed_schedule(job: str) -> str:
    """The schedule with which the job is installed, empty if it is not, or there is no crontab."""
    try:
        lines = _read(job)
    except SettingsError:
        return ""
    for number, line in enumerate(lines[:-1]):
        if line.startswith(_BEGIN.format(name=job)):
            return _schedule_of(lines[number + 1])
    return ""


def without_job(lines: list[str], job: str) -> tuple[list[str], list[str]]:
    """The lines without the job's block, and the block. A begin without its end is taken alone with the
    line below it."""
    begin, end = _BEGIN.format(name=job), _END.format(name=job)
    start = next((number for number, line in enumerate(lines) if line.startswith(begin)), None)
    if start is None:
        return lines, []
    stop = next((number for number in range(start, len(lines)) if lines[number] == end), start + 1)
    return lines[:start] + lines[stop + 1 :], lines[start : stop + 1]


def _read(job: str) -> list[str]:
    done = _crontab(["-l"], job)
    if done.returncode:
        if "no crontab" in done.stderr.lower():
            return []
        raise SettingsError("no-crontab", job=job, reason=done.stderr.strip() or done.returncode)
    return done.stdout.splitlines()


def _write(lines: list[str], job: str) -> None:
    # A crontab that was made for this job alone goes with it.
    content = "".join(f"{line}\n" for line in lines)
    done = _crontab(["-"], job, content) if lines else _crontab(["-r"], job)
    if done.returncode:
        raise SettingsError("no-crontab", job=job, reason=done.stderr.strip() or done.returncode)


def _crontab(arguments: list[str], job: str, content: str | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - crontab is where the system has it
            ["crontab", *arguments],  # noqa: S607
            input=content,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            env={**os.environ, "LC_ALL": "C"},
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise SettingsError("no-crontab", job=job, reason=type(error).__name__) from error


def _schedule_of(line: str) -> str:
    found = re.match(r"(@\w+|(?:\S+\s+){4}\S+)\s", line)
    return found[1] if found else ""


def _windows_schedule(schedule: Schedule) -> str:
    """The shapes that schtasks knows; crontab has more."""
    minute, hour, day, month, weekday = schedule.text.split()
    every = re.fullmatch(r"\*/([0-9]+)", minute)
    if month == "*" and day == weekday == hour == "*" and (every or minute == "*"):
        return f"/SC MINUTE /MO {every[1] if every else 1}"
    hourly = re.fullmatch(r"\*(?:/([0-9]+))?", hour)
    if month == "*" and day == weekday == "*" and hourly and minute.isdigit():
        return f"/SC HOURLY /MO {hourly[1] or 1} /ST 00:{int(minute):02}"
    if month == "*" and minute.isdigit() and hour.isdigit():
        at = f"/ST {int(hour):02}:{int(minute):02}"
        if day == weekday == "*":
            return f"/SC DAILY {at}"
        if day == "*":
            names = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
            return f"/SC WEEKLY /D {','.join(names[each] for each in sorted(schedule.weekdays))} {at}"
        if weekday == "*" and day.isdigit():
            return f"/SC MONTHLY /D {int(day)} {at}"
    raise UsageError("schedule-not-for-windows", schedule=schedule.text)
