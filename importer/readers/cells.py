"""Cells of a workbook as text: what a person sees in them, as far as the value tells.

Numbers as Excel shows them in its edit line: whole ones up to 15 digits in full, others with 15 significant
digits (Excel specifications and limits: number precision). Dates as yyyy-MM-dd, with a time of day as
yyyy-MM-dd HH:MM:SS.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer.columns import TEXT

WHOLE_LIMIT = 10.0**15
"""From here on a whole number has more digits than a spreadsheet program keeps."""
Value = str | float | int | bool | dt.datetime | dt.date | dt.time | dt.timedelta


def to_text(values: Sequence[Value]) -> pa.Array:
    """A column of cell values as text (`large_string`)."""
    kinds = set(map(type, values))
    if kinds <= {str}:
        return pa.array(values, type=TEXT)
    if kinds == {float}:
        return _numbers(np.array(values, dtype=np.float64))
    if kinds == {str, float}:
        return _texts_and_numbers(values)
    return pa.array([value_text(value) for value in values], type=TEXT)


def value_text(value: Value) -> str:
    """One cell value as text."""
    return _RENDERERS[type(value)](value)


def number_text(value: float) -> str:
    """A number with at most 15 significant digits, as Excel writes it."""
    if value.is_integer() and abs(value) < WHOLE_LIMIT:
        return str(int(value))
    if abs(value) >= WHOLE_LIMIT:
        mantissa, exponent = f"{value:.14E}".split("E")
        return f"{mantissa.rstrip('0').rstrip('.')}E{exponent}"
    return f"{value:.15g}".replace("e", "E")


def _texts_and_numbers(values: Sequence[Value]) -> pa.Array:
    numeric = np.fromiter((type(value) is float for value in values), dtype=bool, count=len(values))
    numbers = _numbers(np.array([value for value in values if type(value) is float], dtype=np.float64))
    texts = pa.array(["" if type(value) is float else value for value in values], type=TEXT)
    return pc.replace_with_mask(texts, pa.array(numeric), numbers)


def _numbers(values: np.ndarray) -> pa.Array:
    whole = (np.abs(values) < WHOLE_LIMIT) & (np.floor(values) == values)
    if whole.all():
        return pa.array(values.astype(np.int64)).cast(TEXT)
    texts = pa.array(np.where(whole, values, 0).astype(np.int64)).cast(TEXT)
    others = pa.array([number_text(float(value)) for value in values[~whole]], type=TEXT)
    return pc.replace_with_mask(texts, pa.array(~whole), others)


def _date_time(value: dt.datetime) -> str:
    value = _whole_second(value)
    if value.time() == dt.time():
        return value.strftime("%Y-%m-%d") if value.year >= 1000 else value.date().isoformat()
    return f"{value.date().isoformat()} {value.time().isoformat('seconds')}"


def _whole_second(value: dt.datetime) -> dt.datetime:
    """Serial numbers hold times as fractions, so that 05:06:07 may come out a millisecond off."""
    if value.microsecond >= 500_000 and value < dt.datetime.max.replace(microsecond=0):
        value += dt.timedelta(seconds=1)
    return value.replace(microsecond=0)


def _duration(value: dt.timedelta) -> str:
    seconds = round(value.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


_RENDERERS: dict[type, Callable[..., str]] = {
    str: str,
    float: number_text,
    int: lambda value: number_text(float(value)),
    bool: lambda value: "TRUE" if value else "FALSE",
    dt.datetime: _date_time,
    dt.date: dt.date.isoformat,
    dt.time: lambda value: value.isoformat("seconds"),
    dt.timedelta: _duration,
}
