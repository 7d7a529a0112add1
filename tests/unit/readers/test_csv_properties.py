"""What always holds when delimited text is read."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from importer.errors import InputError
from importer.models import Issue
from importer.readers import ReadOptions, csv_source, decoding, open_source
from importer.readers.csv_parser import tokenize
from importer.readers.quoting import Quoting, find_quoting

NAMES = ("first_name", "last_name", "remark")
CALM = settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
Rows = dict[int, list[str]]
LONE_QUOTES = re.compile(r'"[,\r\n]([^"]|"")*[,\r\n]"(?!")|"[,\r\n]"(?!")')
"""Quotation marks that may each stand alone in a cell, and so be text."""


@contextmanager
def small_blocks(size: int) -> Iterator[None]:
    """Lets blocks end in every place a text has, at the price of speed."""
    with (
        mock.patch.object(decoding, "PIECE", size),
        mock.patch.multiple(decoding, _FIRST_WINDOW=size, _LEAST_WINDOW=size, _MOST_WINDOW=4 * size),
    ):
        yield


def read(raw: bytes, **choices: object) -> tuple[Rows, list[Issue], int]:
    """Rows by number, issues, and the number of the last row, blank ones counted."""
    rows: Rows = {}
    issues: list[Issue] = []
    options = ReadOptions(is_known=frozenset(NAMES).__contains__, **choices)  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "customers.csv")
        path.write_bytes(raw)
        with open_source(path, options) as source:
            for chunk in source.chunks():
                issues.extend(chunk.issues)
                for number, cells in zip(chunk.frame.index, chunk.frame.to_numpy().tolist(), strict=True):
                    assert int(number) not in rows
                    rows[int(number)] = cells
            return rows, issues, (source.header_row or 0) + source.rows_read


def written(table: list[list[str]], delimiter: str, end: str, *, quote_all: bool) -> str:
    def cell(text: str) -> str:
        if quote_all or any(mark in text for mark in f'"\r\n{delimiter}'):
            return '"' + text.replace('"', '""') + '"'
        return text

    return "".join(delimiter.join(map(cell, cells)) + end for cells in [list(NAMES), *table])


ALPHABETS = {
    "utf-8": "aZ 9,;|\t\"'\n\r\\éß张李😀",
    "utf-8-sig": 'aZ 9,;|\t"\n\r张',
    "utf-16": 'aZ 9,;|\t"\n\ré张😀',
    "gb18030": 'aZ 9,;|\t"\n\r张李王é😀',
    "big5": 'aZ 9,;|\t"\n\r陳林黃功許蓋',
    "shift_jis": 'aZ 9,;|\t"\n\r山表ソ能ア',
    "euc_kr": 'aZ 9,;|\t"\n\r김이박',
    "cp1250": 'aZ 9,;"\n\rłŚžő',
    "cp1251": 'aZ 9,;"\n\rЖдя',
    "cp1252": 'aZ 9,;"\n\ré–€ß',
    "cp1254": 'aZ 9,;"\n\rışğ',
    "cp1258": 'aZ 9,;"\n\râơ\u0301',
    "latin-1": 'aZ 9,;"\n\réß',
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, list[list[str]]]:
    encoding = draw(st.sampled_from(sorted(ALPHABETS)))
    cell = st.text(ALPHABETS[encoding], max_size=6)
    return encoding, draw(st.lists(st.lists(cell, min_size=3, max_size=3), max_size=12))


@CALM
@given(
    tables(),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.sampled_from([16, 64, 1 << 20]),
)
def test_any_table_in_any_dialect_and_encoding_reads_back(
    encoded: tuple[str, list[list[str]]], delimiter: str, end: str, quote_all: bool, block: int
) -> None:
    encoding, table = encoded
    text = written(table, delimiter, end, quote_all=quote_all)
    # A table drawn by lot may look as if a program had put all its lines or cells in quotes once more.
    assume(find_quoting(text.encode(), final=True) is Quoting.PLAIN)
    assume(not LONE_QUOTES.search(text.replace(delimiter, ",")))
    raw = text.encode(encoding)
    marked = encoding in ("utf-8", "utf-8-sig", "utf-16")
    with small_blocks(block):
        rows, issues, last = read(raw, encoding=None if marked else encoding)
    expected = {at + 2: cells for at, cells in enumerate(table) if any(cell.strip() for cell in cells)}
    assert rows == expected
    # Letters drawn by lot may look like text that was read wrongly; that is only a warning.
    assert not [issue for issue in issues if issue.code != "garbled-text"]
    assert last == len(table) + 1


ROUGH = st.text('ab"", ;\n\r\t', max_size=60)


@CALM
@given(ROUGH, st.sampled_from([8, 32, 1 << 20]))
def test_the_fast_way_and_the_careful_way_read_alike(text: str, block: int) -> None:
    raw = ("first_name,last_name,remark\n" + text).encode()
    whole = read(raw, delimiter=",")
    with small_blocks(block):
        assert read(raw, delimiter=",") == whole
    with mock.patch.object(csv_source, "parse_with_arrow", return_value=None), small_blocks(block):
        assert read(raw, delimiter=",") == whole


COLUMN = st.one_of(
    ROUGH,
    st.lists(
        st.lists(st.sampled_from(["", "a", " ", '"b, c"', '""', '=""', '"d""e"', "张"]), max_size=4)
    ).map(lambda rows: "\n".join(map(",".join, rows))),
)


@CALM
@given(COLUMN, st.sampled_from([8, 32, 1 << 20]))
def test_a_column_that_is_read_alone_reads_as_beside_the_others(text: str, block: int) -> None:
    raw = ("first_name,last_name,remark\n" + text).encode()
    options = ReadOptions(is_known=frozenset(NAMES).__contains__, delimiter=",", chunk_rows=3)
    with tempfile.TemporaryDirectory() as folder, small_blocks(block):
        path = Path(folder, "customers.csv")
        path.write_bytes(raw)
        with open_source(path, options) as source:
            chunks = list(source.chunks())
            for name in source.header:
                parts = list(source.column(name))
                assert [part.to_dict() for part in parts] == [chunk.frame[name].to_dict() for chunk in chunks]


def plain_records(text: str, delimiter: str) -> Iterator[str]:
    """The rows a person would count: an independent, plain reading, character by character."""
    at = 0
    while at < len(text):
        end = _record_end(text, at, delimiter)
        yield text[at:end]
        at = end


def count_records(text: str, delimiter: str) -> int:
    return sum(1 for _ in plain_records(text, delimiter))


def _line_end(text: str, at: int) -> int:
    while at < len(text) and text[at] not in "\r\n":
        at += 1
    if text[at : at + 2] == "\r\n":
        return at + 2
    return min(at + 1, len(text))


def _record_end(text: str, at: int, delimiter: str) -> int:
    while True:
        start = at
        while at < len(text) and text[at] in " \t" and text[at] != delimiter:
            at += 1
        if at < len(text) and text[at] == '"':
            close = _closing(text, at + 1)
            if close is None:
                return _line_end(text, at)
            after = close + 1
            while after < len(text) and text[after] in " \t" and text[after] != delimiter:
                after += 1
            ended = after == len(text) or text[after] in "\r\n" or text[after] == delimiter
            if not ended and any(mark in "\r\n" for mark in text[at:close]):
                return _line_end(text, at)
            at = after if ended else start if start != at else close + 1
        while at < len(text) and text[at] not in "\r\n" and text[at] != delimiter:
            at += 1
        if at == len(text) or text[at] != delimiter:
            return _line_end(text, at)
        at += 1


def _closing(text: str, at: int) -> int | None:
    while at < len(text):
        if text[at] == '"':
            if text[at + 1 : at + 2] != '"':
                return at
            at += 1
        at += 1
    return None


@CALM
@given(ROUGH)
def test_records_are_counted_as_a_plain_reading_counts_them(text: str) -> None:
    assume(not LONE_QUOTES.search(text))
    assert len(tokenize(text.encode(), b",", final=True).cells) == count_records(text, ",")


BASE = written(
    [["José", f"Nº {number}", 'a, "b"\nc'] for number in range(8)], ",", "\r\n", quote_all=False
).encode()


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    raw = bytearray(BASE)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw)))
        match draw(st.sampled_from(["flip", "cut", "insert", "drop"])):
            case "flip":
                raw[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case "cut":
                del raw[at:]
            case "insert":
                raw[at:at] = draw(st.binary(min_size=1, max_size=3))
            case "drop":
                del raw[at : at + draw(st.integers(1, 5))]
    return bytes(raw)


@CALM
@given(mutations())
def test_damaged_bytes_give_a_clean_reading_or_a_clean_error(raw: bytes) -> None:
    try:
        rows, issues, last = read(raw, encoding="utf-8", delimiter=",")
    except InputError:
        return
    text = raw.decode("utf-8", "replace").removeprefix("\ufeff")
    assert last == count_records(text, ",")
    assert set(rows) <= set(range(2, last + 1))
    for number, record in enumerate(plain_records(text, ","), 1):
        if number > min(rows, default=last) and number not in rows:
            assert not record.strip(' ",\t\r\n\0'), "only blank rows are left out"
    assert {issue.row for issue in issues} <= set(rows)
    assert all(len(cells) == len(next(iter(rows.values()))) for cells in rows.values())


@CALM
@given(mutations())
def test_damaged_bytes_are_no_riddle_without_options_either(raw: bytes) -> None:
    try:
        rows, issues, last = read(raw)
    except InputError:
        return
    assert all(1 <= number <= last for number in rows)
    assert {issue.row for issue in issues} <= set(rows)


@pytest.mark.parametrize(
    "text", ['"', '"\n"', 'a,"b\n"c",d', '" "x', ' "a" b,c', '""', '"a"b"c",d', "a\r\r\nb"]
)
def test_known_hard_cases_are_counted_alike(text: str) -> None:
    assert len(tokenize(text.encode(), b",", final=True).cells) == count_records(text, ",")
