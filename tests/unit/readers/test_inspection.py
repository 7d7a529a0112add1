"""What `inspect` is told about a table."""

from __future__ import annotations

from pathlib import Path

from importer.readers import ReadOptions, open_source
from importer.readers.inspection import ValueKind, inspect, sample_frame

OPTIONS = ReadOptions(is_known=frozenset({"first_name", "sms_phone"}).__contains__, chunk_rows=4)
TEXT = """first_name,sms_phone,email,birthday,vip,points,remark,nothing
Ann,8613812345678,ann@example.com,1990-05-07,TRUE,12,hello,
Bo,+44 20 7946 0000,bo@example.com,7/5/1990,no,7.5,,

Cy,(020) 7946-0001,cy@example.com,1990年5月7日,是,-3,world,
,,,,,,,
Cy,(020) 7946-0001,cy@example.com,1990年5月7日,是,-3
Di,,,,,,,,beyond
"""


def test_the_first_rows_tell_each_columns_kind_and_samples(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text(TEXT, encoding="utf-8")
    with open_source(path, OPTIONS) as source:
        found = inspect(source)
    assert [column.kind for column in found.columns] == [
        ValueKind.TEXT,
        ValueKind.PHONE,
        ValueKind.EMAIL,
        ValueKind.DATE,
        ValueKind.BOOLEAN,
        ValueKind.NUMBER,
        ValueKind.TEXT,
        ValueKind.EMPTY,
    ]
    assert found.columns[0].samples == ("Ann", "Bo", "Cy")
    assert found.rows is None


def test_a_full_reading_counts_rows_blank_ones_and_ragged_ones(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text(TEXT, encoding="utf-8")
    with open_source(path, OPTIONS) as source:
        found = inspect(source, full=True)
    assert (found.rows, found.blank_rows, found.ragged_rows) == (5, 2, 2)
    assert [(issue.row, issue.code) for issue in found.issues] == [(7, "missing-cells"), (8, "extra-cells")]
    assert found.columns[6].filled == 0.4


def test_any_table_can_be_inspected(tmp_path: Path) -> None:
    path = tmp_path / "planets.csv"
    path.write_text("Planets\n\nname;moons\nMars;2\nVenus;0\n", encoding="utf-8")
    with open_source(path, ReadOptions(any_table=True)) as source:
        found = inspect(source, full=True)
        assert (source.delimiter, source.header_row) == (";", 3)
    assert [column.name for column in found.columns] == ["name", "moons"]
    assert found.rows == 2


def test_totals_say_nothing_of_what_a_column_is(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("first_name,sms_phone\nAnn,8613812345678\nTotal,1\nBo,8613812345679\n", encoding="utf-8")
    with open_source(path, OPTIONS) as source:
        sample = sample_frame(source)
    assert sample is not None
    assert sample["first_name"].tolist() == ["Ann", "Bo"]
