"""Tables in memory, Parquet and JSON Lines are imported row by row like any file."""

from __future__ import annotations

import datetime as dt
import html
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from importer import RunOptions, import_table, validate_file
from importer.errors import InputError, MappingError
from importer.models import Status
from importer.sandbox import Sandbox
from importer.sources import spool
from tests.support.commands import Command, results

FRAME = pd.DataFrame({
    "Phone": [8613800000001, 8613800000002, None],
    "First Name": ["Ann", "Bo", "Cy"],
    "Last Name": ["Lee", "Lee", "Lee"],
    "Birthday": [dt.datetime(1990, 5, 7), None, dt.datetime(1991, 1, 2)],
    "Tags": [["vip", "new"], None, []],
})  # fmt: skip


def test_a_data_frame_is_imported(box: Sandbox, work: Path) -> None:
    found = import_table(
        FRAME, name="crm", connection=box.connection, options=RunOptions(report_dir=Path("out"))
    )
    assert (found.rows, found.counts[Status.IMPORTED], found.source) == (3, 3, "crm")
    stored = {customer.fields["first_name"]: customer.fields for customer in box.customers()}
    assert stored["Ann"]["sms_phone"] == "8613800000001"
    assert stored["Ann"]["birthday"] == "1990-05-07"
    assert "vip,new" in stored["Ann"].values()
    assert [row["_row"] for row in results(Path("out"))] == ["1", "2", "3"]


def test_a_run_of_a_table_is_taken_up_and_reported(box: Sandbox, settings: object, importer: Command) -> None:
    box.misbehave("code code=1005")
    found = import_table(FRAME)
    assert found.counts[Status.IMPORTED] == 0
    box.misbehave()
    assert importer("resume").code == 0
    assert len(box.customers()) == 3
    assert importer("report", found.run_id, "--report-dir", "again").code == 0
    assert {row["_status"] for row in results(Path("again"))} == {"imported"}


def test_what_is_proposed_after_a_check_of_a_table_reads_what_was_checked(
    box: Sandbox, settings: object, importer: Command
) -> None:
    checked = import_table(FRAME, name="crm", options=RunOptions(dry_run=True))
    page = html.unescape((Path(checked.report_dir) / "report.html").read_text())
    (command,) = re.findall('class="command">(.*)</code>', page)
    command = re.sub("<[^>]*>", "", command).removeprefix("importer ")
    assert importer(*shlex.split(command)).code == 0
    assert len(box.customers()) == 3


@pytest.mark.parametrize(
    "table",
    [
        pa.Table.from_pandas(FRAME, preserve_index=False),
        pa.Table.from_pandas(FRAME, preserve_index=False).to_reader(1),
        FRAME.set_index("Phone"),
        FRAME.astype({"First Name": "category"}).set_index(["Phone", "First Name"]),
        FRAME.assign(Phone=pd.Series(["8613800000001", 8613800000002, None], dtype=object)),
    ],
    ids=["arrow", "reader", "index", "levels", "mixed"],
)
def test_any_kind_of_table_holds_the_same(table: pd.DataFrame, work: Path) -> None:
    options = RunOptions(dry_run=True, report_dir=Path("out"))
    assert import_table(table, options=options).counts[Status.VALID] == 3
    first = results(Path("out"))[0]
    cells = (first["Phone"], first["First Name"], first["Birthday"], first["Tags"])
    assert cells == ("8613800000001", "Ann", "1990-05-07", "vip,new")


def of_polars(frame: pd.DataFrame) -> Any:
    import polars as pl

    table = pl.from_pandas(frame.drop(columns=["Birthday", "Tags"]))
    days = pl.Series("Birthday", [dt.date(1990, 5, 7), None, dt.date(1991, 1, 2)])
    tags = pl.Series("Tags", [["vip", "new"], None, []])
    # As people make them to save memory; and columns of types that no mapping knows.
    names = table["First Name"].cast(pl.Categorical)
    more = {"at": pl.lit(dt.time(3)), "spent": pl.lit("1.5").cast(pl.Decimal(10, 2)), "none": pl.lit(None)}
    return table.with_columns(names, days, tags, **more)


def of_duckdb(frame: pd.DataFrame) -> Any:
    import duckdb

    phones = zip(frame["Phone"], frame["First Name"], strict=True)
    rows = ", ".join(f"({phone if phone == phone else 'null'}, '{name}')" for phone, name in phones)
    words = "date '1990-05-07', ['vip', 'new'], 12.5::decimal(9, 2), {'street': 'x'}, interval 1 day"
    query = f"select phone::bigint, name, 'Lee', {words} from (values {rows}) as c(phone, name)"
    names = ["Phone", "First Name", "Last Name", "Birthday", "Tags", "spent", "home", "every"]
    return (
        duckdb.connect()
        .sql(query)
        .project(", ".join(f'#{at} as "{name}"' for at, name in enumerate(names, 1)))
    )


@pytest.mark.extras
@pytest.mark.parametrize("made", [of_polars, of_duckdb])
def test_tables_of_other_libraries_come_through_arrow(
    made: Callable[[pd.DataFrame], Any], box: Sandbox, work: Path
) -> None:
    found = import_table(made(FRAME), connection=box.connection, options=RunOptions(report_dir=Path("out")))
    assert (found.rows, found.counts[Status.IMPORTED]) == (3, 3)
    stored = {customer.fields["first_name"]: customer.fields for customer in box.customers()}
    assert stored["Ann"]["sms_phone"] == "8613800000001"
    assert stored["Ann"]["birthday"] == "1990-05-07"
    assert "vip,new" in stored["Ann"].values()
    assert "sms_phone" not in stored["Cy"]


def test_what_is_no_table_is_refused(work: Path) -> None:
    with pytest.raises(InputError) as caught:
        import_table([1, 2])  # type: ignore[arg-type]
    assert caught.value.code == "not-a-table-object"


@pytest.mark.extras
def test_what_is_no_table_of_polars_or_cannot_be_taken_over_is_told(work: Path) -> None:
    import polars as pl

    table = of_polars(FRAME)
    wide = table.with_columns(pl.lit(5).cast(pl.Int128).alias("wide"))
    for given, code in (
        (table.lazy(), "not-a-table-object"),
        (table["Phone"], "not-a-table-object"),
        (wide, "table-type-unknown"),
    ):
        with pytest.raises(InputError) as caught:
            import_table(given)
        assert caught.value.code == code


def test_a_table_that_fits_no_mapping_leaves_no_copy(work: Path) -> None:
    with pytest.raises(InputError):
        import_table(pd.DataFrame({}), options=RunOptions(dry_run=True))
    assert not [path for path in spool.spool_folder().rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["customers.parquet", "customers.jsonl"])
def test_files_of_programs_are_imported(importer: Command, box: Sandbox, settings: object, name: str) -> None:
    frame = FRAME.assign(Birthday=FRAME["Birthday"].dt.strftime("%Y-%m-%d"))
    if name.endswith("jsonl"):
        frame.to_json(name, orient="records", lines=True)
    else:
        frame.to_parquet(name)
    assert importer("inspect", name, "--json").json["header_row"] is None
    ended = importer("run", name, "--report-dir", "out", "--excel-report")
    assert ended.code == 0, ended.err
    assert len(box.customers()) == 3
    assert {row["_status"] for row in results(Path("out"))} == {"imported"}


def test_a_line_that_is_no_object_is_an_invalid_row(
    importer: Command, box: Sandbox, settings: object
) -> None:
    line = '{"Phone": "86138000000%02d", "First Name": "Ann", "Last Name": "Lee"}\n'
    Path("c.jsonl").write_text(line % 1 + "{broken\n" + line % 3)
    ended = importer("run", "c.jsonl", "--report-dir", "out")
    assert ended.code == 1
    assert [(row["_row"], row["_status"]) for row in results(Path("out"))] == [
        ("1", "imported"), ("2", "invalid"), ("3", "imported"),
    ]  # fmt: skip
    assert "bad-json-line" in ended.out
    assert "required" not in ended.out  # of a line without an object nothing else is said


def test_an_open_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_bytes(b"first_name,last_name\n\xff\xfe,Lee\n")
    closed = (tmp_path / "c.csv").open("rb")
    closed.close()
    with (
        (tmp_path / "new.csv").open("wb") as for_writing,
        (tmp_path / "c.csv").open(encoding="utf-8") as of_other_encoding,
    ):
        for file, word in ((closed, "closed"), (for_writing, "reading"), (of_other_encoding, "encoding")):
            with pytest.raises(InputError) as caught:
                validate_file(file)
            assert caught.value.code == "file-unreadable"
            assert word in str(caught.value)
    assert not list(spool.spool_folder().rglob("*.csv"))


def test_a_table_whose_columns_mean_nothing_names_no_file_that_is_not_there() -> None:
    with pytest.raises(MappingError) as caught:
        import_table(pd.DataFrame([[1, 2, 3, 4]]), name="int", options=RunOptions(dry_run=True))
    assert "mapping suggest FILE -o" in str(caught.value)
