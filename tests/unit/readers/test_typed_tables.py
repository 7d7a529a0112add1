"""Parquet, Arrow and JSON Lines are read as they say themselves, without a guess."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import zipfile
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.errors import InputError
from importer.models import Severity
from importer.readers import ReadOptions, Source, open_source
from importer.readers.typed_values import texts


def rows_of(source: Source) -> dict[int, dict[str, str]]:
    return {
        int(row): dict(zip(chunk.frame.columns, cells, strict=True))
        for chunk in source.chunks()
        for row, cells in zip(chunk.frame.index, chunk.frame.itertuples(index=False, name=None), strict=True)
    }


TABLE = pa.table({
    "Phone": pa.array([8613800000001, 8613800000002, None], pa.int64()),
    "First Name": ["Ann", "Total", "  "],
    "Birthday": pa.array([dt.date(1990, 5, 7), None, None], pa.date32()),
})  # fmt: skip
WANTED = {
    1: {"Phone": "8613800000001", "First Name": "Ann", "Birthday": "1990-05-07"},
    2: {"Phone": "8613800000002", "First Name": "Total", "Birthday": ""},
}


def save(table: pa.Table, path: Path, kind: str) -> Path:
    if kind == "parquet":
        pq.write_table(table, path, row_group_size=2)
    elif kind == "file":
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=2)
    else:
        with pa.ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=2)
    return path


@pytest.mark.parametrize("kind", ["parquet", "file", "stream"])
@pytest.mark.parametrize("packed", ["", "gz", "zip"])
def test_a_typed_table_is_read_whatever_its_name_says(tmp_path: Path, kind: str, packed: str) -> None:
    path = save(TABLE, tmp_path / "customers.xlsx", kind)
    if packed == "gz":
        path.write_bytes(gzip.compress(path.read_bytes()))
    elif packed:
        with zipfile.ZipFile(tmp_path / "z", "w") as archive:
            archive.write(path, "exports/customers.dat")
        path = tmp_path / "z"
    with open_source(path) as source:
        assert source.header == ("Phone", "First Name", "Birthday")
        assert (source.format, source.header_row) == ("parquet" if kind == "parquet" else "arrow", None)
        assert rows_of(source) == WANTED
        assert rows_of(source) == WANTED
        assert source.rows_read == 3


def test_a_table_needs_no_known_names_and_has_no_totals(tmp_path: Path) -> None:
    path = save(pa.table({"a": ["Total: 7", "a", "b"], "b": ["", "b", "#"]}), tmp_path / "x", "parquet")
    with open_source(path, ReadOptions(chunk_rows=2)) as source:
        chunks = list(source.chunks())
    assert [chunk.frame["a"].to_list() for chunk in chunks] == [["Total: 7", "a"], ["b"]]
    assert [list(chunk.skips) for chunk in chunks] == [[], []]


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        (pa.array(["007", " x ", None]), ["007", " x ", ""]),
        (pa.array([8613800000001.0, None, float("nan")]), ["8613800000001", "", ""]),
        (pa.array([1.5, 2.0]), ["1.5", "2"]),
        (pa.array([0.1, 16777216.0], pa.float32()), ["0.1", "16777216"]),
        (pa.array([1e15, float("inf")]), ["1E+15", "#NUM!"]),
        (pa.array([2**63 - 1]), ["9223372036854775807"]),
        (pa.array([True, False, None]), ["TRUE", "FALSE", ""]),
        (pa.array([Decimal("13800000000.00"), Decimal("1.50")]), ["13800000000", "1.50"]),
        (pa.array([Decimal("1E+3")]), ["1000"]),
        (
            pa.array([dt.datetime(1990, 5, 7), dt.datetime(1990, 5, 7, 1, 2, 3, 456)]),
            ["1990-05-07", "1990-05-07 01:02:03"],
        ),
        (
            pa.array([dt.datetime(1990, 5, 6, 16)], pa.timestamp("us", "Asia/Shanghai")),
            ["1990-05-06T16:00:00Z"],
        ),
        (pa.array([dt.date(1800, 1, 2)], pa.date64()), ["1800-01-02"]),
        (pa.array([dt.time(1, 2, 3)], pa.time32("s")), ["01:02:03"]),
        (pa.array([dt.time(1, 2, 3)], pa.time64("ns")), ["01:02:03"]),
        (pa.array(["a", "b", None]).dictionary_encode(), ["a", "b", ""]),
        (pa.DictionaryArray.from_arrays([0, 1], pa.array(["a", None], pa.string_view())), ["a", ""]),
        (pa.RunEndEncodedArray.from_arrays([2, 3], ["a", "b"]), ["a", "a", "b"]),
        (pa.array([["vip", "new"], None], pa.list_view(pa.string_view())), ["vip,new", ""]),
        (pa.array([UUID(int=7).bytes, None], pa.uuid()), [str(UUID(int=7)), ""]),
        (pa.array([["vip", "new"], [], None]), ["vip,new", "", ""]),
        (pa.array([["a,b", "c"]]), ['["a,b", "c"]']),
        (pa.array([b"Ann", b"\xff"]), ["Ann", "\ufffd"]),
        (pa.nulls(2), ["", ""]),
        (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), ['[["a", 1]]']),
    ],
)  # fmt: skip
def test_values_are_written_as_a_person_would(column: pa.Array, wanted: list[str]) -> None:
    assert texts(column).to_pylist() == wanted


@given(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))))
def test_no_whole_number_loses_a_digit(numbers: list[int | None]) -> None:
    wanted = ["" if number is None else str(number) for number in numbers]
    assert texts(pa.array(numbers, pa.int64())).to_pylist() == wanted


def test_a_table_of_pandas_is_read(tmp_path: Path) -> None:
    frame = pd.DataFrame({"Phone": [8613800000001, None], "Tags": pd.Categorical(["vip", "new"])})
    frame.to_parquet(tmp_path / "x.parquet")
    with open_source(tmp_path / "x.parquet") as source:
        assert rows_of(source) == {
            1: {"Phone": "8613800000001", "Tags": "vip"},
            2: {"Phone": "", "Tags": "new"},
        }


def test_fields_in_fields_are_columns_of_their_own(tmp_path: Path) -> None:
    table = pa.table({"name": pa.array([{"first": "Ann", "last": {"x": 1}}, None])})
    with open_source(save(table, tmp_path / "x", "parquet")) as source:
        assert source.header == ("name.first", "name.last.x")
        assert rows_of(source)[1] == {"name.first": "Ann", "name.last.x": "1"}


def test_names_that_come_twice_are_told(tmp_path: Path) -> None:
    table = pa.table([pa.array(["a"]), pa.array(["b"])], names=["x", "x"])
    with open_source(save(table, tmp_path / "x", "file")) as source:
        assert source.header == ("x", "x (2)")
        assert [note.code for note in source.notes] == ["duplicate-header"]


@pytest.mark.parametrize("kind", ["parquet", "file", "stream"])
def test_a_damaged_table_is_told(tmp_path: Path, kind: str) -> None:
    whole = save(TABLE, tmp_path / "whole", kind).read_bytes()
    found = set()
    for end in range(8, len(whole) - 1, 7):
        (tmp_path / "part").write_bytes(whole[:end])
        try:
            with open_source(tmp_path / "part") as source:
                rows_of(source)
            found.add("")
        except InputError as error:
            found.add(error.code)
    assert "table-damaged" in found
    assert found <= {"table-damaged"} | ({""} if kind == "stream" else set())


def test_a_table_without_columns_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_source(save(pa.table({}), tmp_path / "x", "parquet"))
    assert caught.value.code == "no-columns"


LINES = "\n".join([
    '\ufeff{"Phone": 8613800000001, "name": {"first": "Ann"}, "tags": ["vip", "new"]}',
    "",
    '{"Phone": "007", "spent": 12.50, "count": 3.0, "ok": true, "none": null, "big": 12345678901234567890}',
    '{"Phone": 1',
    "[1, 2]",
    '{"Phone": 1, "Phone": 2}',
    '{"Phone": NaN}',
])  # fmt: skip


def test_json_lines_keep_every_digit_and_every_line(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(LINES, "utf-8")
    with open_source(path) as source:
        assert source.header == ("Phone", "name.first", "tags", "spent", "count", "ok", "none", "big")
        assert source.format == "jsonl"
        found = rows_of(source)
        issues = [issue for chunk in source.chunks() for issue in chunk.issues]
    assert {name: cell for name, cell in found[1].items() if cell} == {
        "Phone": "8613800000001", "name.first": "Ann", "tags": "vip,new",
    }  # fmt: skip
    assert {name: cell for name, cell in found[3].items() if cell} == {
        "Phone": "007", "spent": "12.50", "count": "3", "ok": "TRUE", "big": "12345678901234567890",
    }  # fmt: skip
    assert list(found) == [1, 3, 4, 5, 6, 7]
    assert [(issue.row, issue.code, issue.severity) for issue in issues] == [
        (4, "bad-json-line", Severity.ERROR),
        (5, "bad-json-line", Severity.ERROR),
        (6, "repeated-key", Severity.WARNING),
        (7, "bad-json-line", Severity.ERROR),
    ]
    assert found[6]["Phone"] == "2"


def test_bytes_that_are_no_utf_8_keep_their_line(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b'{"Phone": "1"}\n{"Phone": "\xff"}\n')
    with open_source(tmp_path / "x") as source:
        issues = [issue for chunk in source.chunks() for issue in chunk.issues]
    assert [(issue.row, issue.code) for issue in issues] == [(2, "bad-encoding")]


@pytest.mark.parametrize(
    "text",
    ['[{"Phone": 1}]', '{"customers": [{"Phone": 1}], "total": 1}', '{\n  "Phone": 1\n}\n', "{broken}\n"],
)
def test_other_json_is_no_table(tmp_path: Path, text: str) -> None:
    (tmp_path / "x").write_text(text)
    with pytest.raises(InputError):
        open_source(tmp_path / "x")


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importer.readers.json_lines._LONGEST_LINE", 64)
    (tmp_path / "x").write_text('{"Phone": 1}\n{"Phone": "' + "1" * 100)
    with pytest.raises(InputError) as caught:
        open_source(tmp_path / "x")
    assert caught.value.code == "record-too-long"


@given(
    st.lists(
        st.dictionaries(
            st.text(alphabet="abcä.", min_size=1, max_size=3),
            st.text(alphabet="x1 é", max_size=4),
            min_size=1,
        ),
        min_size=1,
        max_size=20,
    )
)
def test_each_line_is_a_row_with_its_texts(
    tmp_path_factory: pytest.TempPathFactory, objects: list[dict[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("lines") / "x"
    path.write_text("".join(json.dumps(one) + "\n" for one in objects), "utf-8")
    with open_source(path, ReadOptions(chunk_rows=3)) as source:
        found = rows_of(source)
        keys = list(dict.fromkeys(key for one in objects for key in one))
        names = dict(zip(keys, source.header, strict=True))
    for number, one in enumerate(objects, 1):
        if any(text.strip() for text in one.values()):
            assert {names[key]: text for key, text in one.items()} == {
                name: cell for name, cell in found[number].items() if name in {names[key] for key in one}
            }
