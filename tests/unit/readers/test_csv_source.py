"""Delimited text: what a row is, which number it has, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from importer.errors import InputError
from importer.models import Issue
from importer.readers import ReadOptions, open_source

KNOWN = frozenset({"first_name", "last_name", "sms_phone", "remark"})
OPTIONS = ReadOptions(is_known=KNOWN.__contains__)
HEADER = "first_name,last_name,remark\n"


def read(path: Path, options: ReadOptions = OPTIONS) -> tuple[dict[int, list[str]], list[Issue]]:
    rows: dict[int, list[str]] = {}
    issues: list[Issue] = []
    with open_source(path, options) as source:
        for chunk in source.chunks():
            for number, cells in zip(chunk.frame.index, chunk.frame.to_numpy().tolist(), strict=True):
                rows[int(number)] = cells
            issues.extend(chunk.issues)
    return rows, issues


def write(folder: Path, text: str | bytes, name: str = "customers.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_rows_have_the_numbers_their_owner_sees(tmp_path: Path) -> None:
    text = HEADER + 'Ann,Bo,"two\nlines"\n\n,,\nCy,Do,x\n'
    rows, issues = read(write(tmp_path, text))
    assert rows == {2: ["Ann", "Bo", "two\nlines"], 5: ["Cy", "Do", "x"]}
    assert not issues


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_and_line_ends_are_found(tmp_path: Path, end: str, delimiter: str) -> None:
    lines = ["first_name,last_name,remark", "Ann,Bo,x", "Cy,Do,y"]
    text = end.join(lines).replace(",", delimiter)
    rows, issues = read(write(tmp_path, text))
    assert rows == {2: ["Ann", "Bo", "x"], 3: ["Cy", "Do", "y"]}
    assert not issues


def test_mixed_line_ends_are_all_line_ends(tmp_path: Path) -> None:
    rows, _ = read(write(tmp_path, HEADER + "Ann,Bo,1\r\nCy,Do,2\rEv,Fy,3\nGi,Ha,4"))
    assert list(rows) == [2, 3, 4, 5]


def test_excels_sep_line_is_no_row(tmp_path: Path) -> None:
    with open_source(write(tmp_path, "sep=;\r\nfirst_name;last_name\r\nAnn;Bo\r\n"), OPTIONS) as source:
        assert source.header_row == 1
        assert source.delimiter == ";"
        (chunk,) = source.chunks()
    assert list(chunk.frame.index) == [2]


def test_a_byte_order_mark_is_not_part_of_the_first_name(tmp_path: Path) -> None:
    with open_source(write(tmp_path, b"\xef\xbb\xbf" + HEADER.encode()), OPTIONS) as source:
        assert source.header == ("first_name", "last_name", "remark")
        assert list(source.chunks()) == []


def test_blanks_around_quotes_are_not_part_of_the_cell(tmp_path: Path) -> None:
    rows, issues = read(write(tmp_path, HEADER + 'Ann, "Bo, jr" ,x\n'))
    assert rows[2] == ["Ann", "Bo, jr", "x"]
    assert not issues


def test_an_unclosed_quote_costs_its_own_row_only(tmp_path: Path) -> None:
    rows, issues = read(write(tmp_path, HEADER + 'Ann,"Bo,x\nCy,"Do",y\nEv,Fy,z\n'))
    assert list(rows) == [2, 3, 4]
    assert rows[3] == ["Cy", "Do", "y"]
    assert [(issue.row, issue.code) for issue in issues] == [(2, "unclosed-quote")]


@pytest.mark.parametrize("careful", [False, True])
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        # “As above” in two rows one below the other, at the end of the line and within it.
        ('Cy,Do,"\nEd,Fo,"\nGi,Ho,y\n', [["Cy", "Do", '"'], ["Ed", "Fo", '"'], ["Gi", "Ho", "y"]]),
        ('Ann,Bo,x\nCy,",y\nEd,",z\n', [["Ann", "Bo", "x"], ["Cy", '"', "y"], ["Ed", '"', "z"]]),
        ('Ann,Bo,x\nCy,",y\nEd,Fo,z\n', [["Ann", "Bo", "x"], ["Cy", '"', "y"], ["Ed", "Fo", "z"]]),
        ('Ann,Bo,x\nCy,","\nEd,Fo,z\n', [["Ann", "Bo", "x"], ["Cy", '"', '"'], ["Ed", "Fo", "z"]]),
        ('Cy,Do,"\n",Fo,z\nGi,Ho,y\n', [["Cy", "Do", '"'], ['"', "Fo", "z"], ["Gi", "Ho", "y"]]),
        # What a program has written means what it says.
        ('Ann,Bo,",Street 1,\n,Town,"\nEd,Fo,z\n', [["Ann", "Bo", ",Street 1,\n,Town,"], ["Ed", "Fo", "z"]]),
        ('Ann,Bo,",,Town,"\nEd,Fo,z\n', [["Ann", "Bo", ",,Town,"], ["Ed", "Fo", "z"]]),
        ('Ann,Bo,"\n"\nEd,Fo,z\n', [["Ann", "Bo", "\n"], ["Ed", "Fo", "z"]]),
        ('Ann,Bo,"\nTown\n"\nEd,Fo,z\n', [["Ann", "Bo", "\nTown\n"], ["Ed", "Fo", "z"]]),
    ],
)  # fmt: skip
def test_a_mark_that_stands_alone_in_its_cell_is_text(
    tmp_path: Path, lines: str, expected: list[list[str]], careful: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if careful:
        monkeypatch.setattr("importer.readers.csv_source.parse_with_arrow", lambda *_, **__: None)
    rows, issues = read(write(tmp_path, HEADER + lines))
    assert list(rows.values()) == expected
    assert not issues


def test_a_quote_open_to_the_end_does_not_swallow_the_file(tmp_path: Path) -> None:
    rows, issues = read(write(tmp_path, HEADER + 'Ann,Bo,"x\n' + "Cy,Do,y\n" * 9000))
    assert len(rows) == 9001
    assert [(issue.row, issue.code) for issue in issues] == [(2, "unclosed-quote")]


def test_cells_longer_than_excels_limit_mean_an_unclosed_quote(tmp_path: Path) -> None:
    at_limit = f'Ann,Bo,"{"x" * 16383}\n{"y" * 16383}"\n'
    over = f'Cy,Do,"{"x" * 16384}\n{"y" * 16383}"\n'
    rows, issues = read(write(tmp_path, HEADER + at_limit + over))
    assert len(rows[2][2]) == 32767
    assert [(issue.row, issue.code) for issue in issues] == [(3, "unclosed-quote"), (4, "missing-cells")]


def test_rows_of_another_width_keep_their_place(tmp_path: Path) -> None:
    lines = ["Ann,Bo,x"] * 20
    lines[3] = "Cy,Do"
    lines[5] = "Ev,Fy,z,beyond"
    lines[7] = "Gi,Ha,z,, "
    rows, issues = read(write(tmp_path, HEADER + "\n".join(lines)))
    assert list(rows) == list(range(2, 22))
    assert rows[5] == ["Cy", "Do", ""]
    assert rows[7] == ["Ev", "Fy", "z"]
    assert [(issue.row, issue.code, issue.found) for issue in issues] == [
        (5, "missing-cells", None),
        (7, "extra-cells", "beyond"),
    ]


def test_control_characters_are_told(tmp_path: Path) -> None:
    rows, issues = read(write(tmp_path, HEADER + "Ann,B\0o,x\nCy,Do,y\x7f\n"))
    assert list(rows) == [2, 3]
    assert [(issue.row, issue.column, issue.expected) for issue in issues] == [
        (2, "last_name", "U+0000"),
        (3, "remark", "U+007F"),
    ]


def test_lines_above_the_header_are_skipped_and_told(tmp_path: Path) -> None:
    with open_source(write(tmp_path, "Customers of May\n\n" + HEADER + "Ann,Bo,x\n"), OPTIONS) as source:
        assert source.header_row == 3
        assert [note.code for note in source.notes] == ["rows-above-header", "row-above-header"]
        assert source.notes[1].sentence() == "row 1, above the header: Customers of May"
        assert source.notes[1].quotes
        (chunk,) = source.chunks()
    assert list(chunk.frame.index) == [4]


def test_without_a_recognised_header_nothing_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--header-row"):
        open_source(write(tmp_path, "Ann,Bo\nCy,Do\n"), OPTIONS)


def test_a_table_without_header_has_lettered_columns(tmp_path: Path) -> None:
    options = ReadOptions(is_known=KNOWN.__contains__, header_row="none")
    with open_source(write(tmp_path, "Ann,Bo\nCy,Do\n"), options) as source:
        assert source.header == ("A", "B")
        (chunk,) = source.chunks()
    assert list(chunk.frame.index) == [1, 2]


def test_doubled_and_empty_names_are_made_unique_and_told(tmp_path: Path) -> None:
    text = "first_name,last_name,Phone,,Phone,\nAnn,Bo,1,2,3,\n"
    with open_source(write(tmp_path, text), OPTIONS) as source:
        assert source.header == ("first_name", "last_name", "Phone", "column D", "Phone (2)")
        assert [note.code for note in source.notes] == ["duplicate-header", "empty-header"]


def test_chunks_can_be_read_again(tmp_path: Path) -> None:
    options = ReadOptions(is_known=KNOWN.__contains__, chunk_rows=7)
    with open_source(write(tmp_path, HEADER + "Ann,Bo,x\n" * 20), options) as source:
        first, second = list(source.chunks()), list(source.chunks())
    assert [len(chunk.frame) for chunk in first] == [7, 7, 6]
    assert all(one.frame.equals(other.frame) for one, other in zip(first, second, strict=True))


def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "Ann,Bo,x\n")
    with open_source(path, OPTIONS) as source:
        with path.open("a") as file:
            file.write("Cy,Do,y\n")
        with pytest.raises(InputError) as caught:
            list(source.chunks())
    assert caught.value.code == "file-changed"


@pytest.mark.parametrize(
    ("content", "code"),
    [(None, "no-file"), (b"", "empty-file"), (b"\n\n , \n", "empty-file")],
)
def test_what_is_no_table_is_told_in_a_sentence(tmp_path: Path, content: bytes | None, code: str) -> None:
    path = tmp_path / "customers.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        open_source(path, OPTIONS)
    assert caught.value.code == code
    assert str(path) in caught.value.sentence()


def test_a_delimiter_at_the_end_of_each_row_is_no_cell(tmp_path: Path) -> None:
    rows, issues = read(write(tmp_path, HEADER + "Ann,Bo,x,\n" * 5 + "Cy,Do,y\nEv,Fy,z,beyond\nGi,Ha,w,,\n"))
    assert rows[2] == ["Ann", "Bo", "x"]
    assert rows[7] == ["Cy", "Do", "y"]
    assert [(issue.row, issue.code, issue.found) for issue in issues] == [(8, "extra-cells", "beyond")]


def test_a_table_far_below_the_top_is_not_called_empty(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_source(write(tmp_path, "\n" * 30 + HEADER), OPTIONS)
    assert caught.value.code == "no-header"
    assert caught.value.sentence()


@pytest.mark.parametrize("chunk_rows", [5000, 8192, 12288, 16384, 60000])
def test_how_long_a_row_may_be_does_not_depend_on_the_size_of_chunks(tmp_path: Path, chunk_rows: int) -> None:
    path = write(tmp_path, HEADER + "Ann,Bo,x\n" * 3 + "Cy,Do," + "y" * 60_000_000 + "\nEv,Fy,z\n")
    rows, _ = read(path, ReadOptions(is_known=KNOWN.__contains__, chunk_rows=chunk_rows))
    assert list(rows) == [2, 3, 4, 5, 6]


def test_a_chunk_is_about_as_long_as_it_may_be(tmp_path: Path) -> None:
    text = HEADER + "".join(f"Ann{'n' * (number % 7)},Bo,met at the fair\n" for number in range(40_000))
    with open_source(
        write(tmp_path, text), ReadOptions(is_known=KNOWN.__contains__, chunk_rows=5000)
    ) as source:
        sizes = [len(chunk.frame) for chunk in source.chunks()]
    assert sum(sizes) == 40_000
    assert max(sizes) <= 5000
    # The first block (three chunks) only tells how long rows are; the last chunk is what is left.
    assert all(size > 4500 for size in sizes[3:-1])
