"""Schedule jobs: read crontab schedules, and edit a job's block in the user's crontab.

Times are in the machine's own zone, as cron reads them. On Windows the command for the task scheduler is
printed instead. Neither holds a secret.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from cronsim import CronSim, CronSimError

from importer.config import FILE_NAME
from importer.errors import SettingsError, UsageError
from importer.models import Note
from importer.reasons import command_reason

_FIELDS = {
    "minute": (0, 59),
    "hour": (0, 23),
    "day-of-month": (1, 31),
    "month": (1, 12),
    "day-of-week": (0, 7),
}
"""Fields of a crontab line, under cronsim's names, with their ranges."""
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


@dataclass(frozen=True, slots=True)
class Schedule:
    """The times that a crontab line means, made by `parse_schedule`."""

    text: str
    """Five fields."""
    weekdays: frozenset[int]
    """0 is Sunday."""

    def next(self, after: datetime) -> datetime | None:
        """The first time after the given one, in the machine's zone; None for a date that never comes."""
        local = after.astimezone().replace(tzinfo=None)
        moment = next(CronSim(self.text, local), None)
        return moment.astimezone() if moment else None


class ScheduleFault(ValueError):  # noqa: N818 - a person wrote it
    """What is no schedule, and why."""

    def __init__(self, why: Note) -> None:
        super().__init__(why.sentence())
        self.why = why


def parse_schedule(text: str) -> Schedule:
    """Read a crontab schedule, `0 3 * * *` or `@daily`. Raises ScheduleFault."""
    line = _NICKNAMES.get(text.strip().lower(), text.strip(" \t"))
    if any(not character.isprintable() and character != "\t" for character in line):
        raise ScheduleFault(Note("reason-schedule-line", (("text", text),)))
    values = line.split()
    line = " ".join(values)
    if len(values) != len(_FIELDS):
        raise ScheduleFault(Note("reason-schedule-fields", (("text", text),)))
    try:
        found = CronSim(line, datetime(2000, 1, 1))
    except CronSimError as error:
        _refuse(str(error).removeprefix("Bad "), values)
    # What cronsim knows beyond crontab(5): L, LW, 5L and MON#1. No cron would run such a line.
    if any(day < 0 for day in found.days):
        _refuse("day-of-month", values)
    weekdays = [day for day in found.weekdays if isinstance(day, int)]
    if len(weekdays) < len(found.weekdays):
        _refuse("day-of-week", values)
    return Schedule(line, frozenset(day % 7 for day in weekdays))


def _refuse(name: str, values: Sequence[str]) -> NoReturn:
    value = values[list(_FIELDS).index(name)]
    low, high = _FIELDS[name]
    found = (("name", name), ("value", value), ("low", low), ("high", high))
    raise ScheduleFault(Note("reason-schedule-value", found))


def zone_name() -> str:
    """The machine's own time zone: `Asia/Shanghai` where the system says, else the abbreviation."""
    named = os.environ.get("TZ", "").removeprefix(":")
    if named:
        return named
    parts = Path("/etc/localtime").resolve().parts
    if "zoneinfo" in parts:
        return "/".join(parts[parts.index("zoneinfo") + 1 :])
    return time.tzname[0]


_BEGIN = "# nxlink-importer job {name}: begin"
_END = "# nxlink-importer job {name}: end"
_BLOCK = re.compile(_BEGIN.format(name="(.+)"))
_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class CrontabEntry:
    """One job in a crontab: its command and its schedule."""

    job: str
    schedule: Schedule
    zone: str
    settings: Path
    env_file: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables before the command, such as the state folder; never a secret."""
    program: str = sys.executable

    def __post_init__(self) -> None:
        """Refuse what would begin another line of the crontab. Raises UsageError `not-for-crontab`."""
        values = {
            "NAME": self.job,
            "--schedule": self.schedule.text,
            "TZ": self.zone,
            FILE_NAME: str(self.settings),
            "--env-file": str(self.env_file or ""),
            "python": self.program,
            **self.environment,
        }
        for what, text in values.items():
            refuse_control_characters(what, text)

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
        """The command that creates the task.

        Raises UsageError `schedule-not-for-windows`; `not-for-crontab` for what cmd.exe takes otherwise.
        """
        for word in self.words():
            refuse_special_characters(word)
        command = subprocess.list2cmdline(self.words()).replace('"', '\\"')
        when = _windows_schedule(self.schedule)
        return f'schtasks /Create /F /TN "nxlink-importer {self.job}" /TR "{command}" {when}'


def refuse_control_characters(what: str, text: str) -> None:
    """Raise UsageError `not-for-crontab` if the text holds a control character or any kind of line break."""
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in text):
        raise UsageError("not-for-crontab", what=what, found=ascii(text))


def refuse_special_characters(text: str) -> None:
    """Raise UsageError `not-for-crontab` for what ends a text in quotation marks, or does something in it.

    cmd.exe has no way to write these so that schtasks gets them.
    """
    if any(character in '"%!&|<>^' for character in text):
        raise UsageError("not-for-crontab", what="cmd.exe", found=ascii(text))


def windows_variables(environment: Mapping[str, str]) -> list[str]:
    """The commands that keep variables for the tasks of this user. Raises UsageError as `windows_line`."""
    for value in environment.values():
        refuse_special_characters(value)
    return [f'setx {name} "{value}"' for name, value in environment.items()]


def windows_removal(job: str) -> str:
    """The command that removes the task. Raises UsageError as `CrontabEntry.windows_line`."""
    refuse_special_characters(job)
    return f'schtasks /Delete /F /TN "nxlink-importer {job}"'


def install_crontab(entry: CrontabEntry) -> None:
    """Write the job's block into the user's crontab, in place of an earlier one. Raises SettingsError."""
    lines, _ = without_job(_read(entry.job), entry.job)
    _write([*lines, *entry.block()], entry.job)


def uninstall_crontab(job: str) -> None:
    """Remove the job's block. Raises SettingsError `no-crontab`, UsageError `job-not-installed`."""
    lines, found = without_job(_read(job), job)
    if not found:
        raise UsageError("job-not-installed", job=job)
    _write(lines, job)


def installed_schedules() -> Mapping[str, str]:
    """Read the schedules of all installed jobs from the crontab, by the job's name; empty without one."""
    try:
        lines = _read("–")
    except SettingsError:
        return {}
    found = {}
    for number, line in enumerate(lines[:-1]):
        begun = _BLOCK.match(line)
        if begun:
            found[begun[1]] = _schedule_of(lines[number + 1])
    return found


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
        if "no crontab" in _text(done.stderr).lower():
            return []
        raise SettingsError("no-crontab", job=job, reason=_text(done.stderr).strip() or done.returncode)
    # For cron a line feed ends a line, and nothing else does: what str.splitlines takes for an end besides
    # (CR, form feed, U+0085, U+2028) would make a command of the rest of a comment.
    return _text(done.stdout).removesuffix("\n").split("\n") if done.stdout else []


def _write(lines: list[str], job: str) -> None:
    # A crontab that was made for this job alone goes with it.
    content = "".join(f"{line}\n" for line in lines)
    done = _crontab(["-"], job, content) if lines else _crontab(["-r"], job)
    if done.returncode:
        raise SettingsError("no-crontab", job=job, reason=_text(done.stderr).strip() or done.returncode)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _crontab(
    arguments: list[str], job: str, content: str | None = None
) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(  # noqa: S603 - crontab is where the system has it
            ["crontab", *arguments],  # noqa: S607
            input=None if content is None else content.encode("utf-8", "surrogateescape"),
            capture_output=True,
            env={**os.environ, "LC_ALL": "C"},
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise SettingsError("no-crontab", job=job, reason=command_reason(error)) from error


def _schedule_of(line: str) -> str:
    found = re.match(r"(@\w+|(?:\S+\s+){4}\S+)\s", line)
    return found[1] if found else ""


def _windows_schedule(schedule: Schedule) -> str:
    """The options of schtasks for a schedule. It knows fewer forms than a crontab."""
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
            days = ",".join(_DAYS[each] for each in sorted(schedule.weekdays))
            return f"/SC WEEKLY /D {days} {at}"
        if weekday == "*" and day.isdigit():
            return f"/SC MONTHLY /D {int(day)} {at}"
    raise UsageError("schedule-not-for-windows", schedule=schedule.text)
