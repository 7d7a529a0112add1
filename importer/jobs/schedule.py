"""When a job runs: the five fields of a crontab line, as cron reads them.

Times are those of the machine's own zone, as cron takes them.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

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


def parse(text: str) -> Schedule:
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
