"""Render the cells of a workbook as text: what a person sees in them, as far as the value tells.

Numbers as Excel shows them in its edit line: whole ones up to 15 digits in full, others with 15 significant
digits (Excel specifications and limits: number precision). Dates as yyyy-MM-dd, with a time of day as
yyyy-MM-dd HH:MM:SS, as in both of Excel's date systems (support.microsoft.com, “Date systems in Excel”).
Imports nothing but light parts of the standard library, since the calamine worker needs it at once.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from typing import Final

LAST_ROW = 1 << 20
"""Rows that a sheet can have (Excel specifications and limits)."""
WHOLE_LIMIT = 10.0**15
"""The least whole number with more digits than a spreadsheet program keeps."""
Value = str | float | int | bool | dt.datetime | dt.date | dt.time | dt.timedelta
_DAY_SECONDS = 86_400
_LAST_SERIAL = 2_958_466
"""The day after 9999-12-31."""
_BETWEEN_EPOCHS = 1462
"""Days between the first days of the two date systems."""
_EPOCH_1900, _EPOCH_1904 = dt.datetime(1899, 12, 30), dt.datetime(1904, 1, 1)
_FALSE_LEAP_DAY = 60
"""Excel's 1900-02-29, which never was. Serial numbers before it count from one day later."""


def value_text(value: Value) -> str:
    """Return a cell value as text."""
    return _RENDERERS[type(value)](value)


def number_text(value: float) -> str:
    """Return a number with at most 15 significant digits, as Excel writes it."""
    if -WHOLE_LIMIT < value < WHOLE_LIMIT:
        whole = int(value)
        return str(whole) if whole == value else f"{value:.15g}".replace("e", "E")
    if not math.isfinite(value):
        return "#NUM!"
    mantissa, exponent = f"{value:.14E}".split("E")
    return f"{mantissa.rstrip('0').rstrip('.')}E{exponent}"


def date_text(serial: float, *, epoch_1904: bool) -> str:
    """Return a serial number in a date format as a day, a day with a time, or (below 1) a time."""
    last = _LAST_SERIAL - _BETWEEN_EPOCHS if epoch_1904 else _LAST_SERIAL
    if not 0 <= serial < last:
        return number_text(serial)
    seconds = round(serial * _DAY_SECONDS)
    if seconds >= last * _DAY_SECONDS:
        return number_text(serial)
    if seconds < _DAY_SECONDS and not epoch_1904:
        return _clock(seconds)
    if epoch_1904:
        return _date_time(_EPOCH_1904 + dt.timedelta(seconds=seconds))
    days, rest = divmod(seconds, _DAY_SECONDS)
    if days == _FALSE_LEAP_DAY:
        return "1900-02-29" + (f" {_clock(rest)}" if rest else "")
    return _date_time(_EPOCH_1900 + dt.timedelta(seconds=seconds, days=1 if days < _FALSE_LEAP_DAY else 0))


def duration_text(serial: float) -> str:
    """Return a serial number in a format such as [h]:mm as hours, minutes and seconds.

    A number beyond all dates, such as a phone in that column, stays as it is.
    """
    if not abs(serial) < _LAST_SERIAL:
        return number_text(serial)
    return _duration(dt.timedelta(seconds=round(serial * _DAY_SECONDS)))


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _date_time(value: dt.datetime) -> str:
    value = _whole_second(value)
    if not (value.hour or value.minute or value.second):
        return value.date().isoformat()
    return value.isoformat(" ", "seconds")


def _whole_second(value: dt.datetime) -> dt.datetime:
    """Round to a second: a serial number is a fraction of a day, and 05:06:07 may be a millisecond off."""
    if value.microsecond >= 500_000 and value < dt.datetime.max.replace(microsecond=0):
        value += dt.timedelta(seconds=1)
    return value.replace(microsecond=0, tzinfo=None)


def _duration(value: dt.timedelta) -> str:
    seconds = round(value.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _time(value: dt.time) -> str:
    return _whole_second(dt.datetime.combine(dt.date(2000, 1, 1), value)).strftime("%H:%M:%S")


_RENDERERS: dict[type, Callable[..., str]] = {
    str: str,
    float: number_text,
    int: lambda value: number_text(float(value)),
    bool: lambda value: "TRUE" if value else "FALSE",
    dt.datetime: _date_time,
    dt.date: dt.date.isoformat,
    dt.time: _time,
    dt.timedelta: _duration,
}


ERROR_TEXTS: Final = {
    0: "#NULL!",
    7: "#DIV/0!",
    15: "#VALUE!",
    23: "#REF!",
    29: "#NAME?",
    36: "#NUM!",
    42: "#N/A",
}
