"""What is told from bytes is what regular expressions and the calendar say."""

from __future__ import annotations

import datetime as dt
import re

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from importer import arrow
from importer.arrow import ByteSet, TextColumn

EMAIL = re.compile(r"[^@ \t\n\f\r,;]+@[^@ \t\n\f\r,;]+\.[^@ \t\n\f\r,;.]+")
cells = st.one_of(
    st.none(),
    st.text("a@.é, ;1", max_size=8),
    st.text("0123456789x", max_size=17),
    st.dates().map(str),
    st.text("0123456789-", min_size=10, max_size=10),
    st.from_regex(r"[0-9]{3}[0-9]-[01][0-9]-[0-3][0-9]", fullmatch=True),
)
texts = st.lists(cells, max_size=12)


def column_of(values: list[str | None]) -> TextColumn:
    """A column that is a piece of a longer one, as those of chunks are."""
    return TextColumn(arrow.array(["before", *values, "after@x.org"]).slice(1, len(values)))


def is_day(text: str) -> bool:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return False
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True


@given(texts)
def test_filled_and_odd_texts_are_found(values: list[str | None]) -> None:
    found = column_of(values)
    assert found.filled.tolist() == [bool(text) for text in values]

    def odd(good: re.Pattern[str]) -> list[int]:
        return [place for place, text in enumerate(values) if text and not good.fullmatch(text)]

    assert found.unlike_email(b" \t\n\f\r,;").tolist() == odd(EMAIL)
    assert found.unlike_digits(5, 15).tolist() == odd(re.compile("[0-9]{5,15}"))
    assert found.longer_than(8).tolist() == [
        p for p, text in enumerate(values) if len((text or "").encode()) > 8
    ]
    assert found.with_bytes(ByteSet(b"1")).tolist() == [
        p for p, text in enumerate(values) if "1" in (text or "")
    ]


@given(texts)
def test_only_days_of_the_calendar_pass(values: list[str | None]) -> None:
    wrong = [place for place, text in enumerate(values) if text and not is_day(text)]
    assert column_of(values).unlike_days().tolist() == wrong


def test_a_missing_value_is_never_odd_whatever_lies_beneath_it() -> None:
    column = arrow.array(["x", "12345"])
    _, offsets, data = column.buffers()
    masked = pa.Array.from_buffers(arrow.TEXT, 2, [pa.py_buffer(b"\x02"), offsets, data])
    found = TextColumn(masked)
    assert masked.to_pylist() == [None, "12345"]
    assert not found.unlike_digits(5, 15).size
    assert not found.with_bytes(ByteSet(b"x")).size


@given(st.lists(st.sampled_from(["", "1", "2", "x", "y"]), max_size=9), st.data())
def test_texts_are_read_where_wanted_and_kept_where_that_fails(
    values: list[str], data: st.DataObject
) -> None:
    wanted = data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))

    def read(text: str) -> str | None:
        return f"{int(text) + 1}" if text.isdigit() else None

    where = np.array(wanted, dtype=bool)
    found, unread = arrow.read_texts(arrow.array(values), read, where)
    chosen = [bool(value) and want for value, want in zip(values, wanted, strict=True)]
    assert unread.tolist() == [one and not v.isdigit() for v, one in zip(values, chosen, strict=True)]
    assert found.to_pylist() == [
        str(read(value)) if one and value.isdigit() else value
        for value, one in zip(values, chosen, strict=True)
    ]
    everywhere = arrow.read_texts(arrow.array(values), read, np.ones(len(values), dtype=bool))
    plain = arrow.read_texts(arrow.array(values), read)
    assert plain[0].to_pylist() == everywhere[0].to_pylist()
    assert plain[1].tolist() == everywhere[1].tolist()
