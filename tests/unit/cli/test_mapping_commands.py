"""`importer mapping` and `importer template` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import openpyxl
import pytest

from importer import mapping
from importer.cli import app, mapping_prompt
from importer.exit_codes import ExitCode
from importer.mapping.person_names import NameRule

ROWS = """Nombre,Apellidos,Móvil,Nacimiento,Empresa
Ana,Pérez,+34 612 345 678,25/12/1990,X
Luis,Gil,612,5/7/1990,Y
"""


@pytest.fixture
def sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "clientes.csv"
    path.write_text(ROWS, "utf-8")
    return path


def call(capsys: pytest.CaptureFixture[str], *words: object, code: ExitCode = ExitCode.DONE) -> str:
    assert app.invoke([str(word) for word in words]) == code
    found = capsys.readouterr()
    assert "Traceback" not in found.err
    return found.out if code is ExitCode.DONE else found.err


def test_list_names_every_ready_made_mapping(capsys: pytest.CaptureFixture[str]) -> None:
    names = [found.name for found in mapping.ready()]
    out = call(capsys, "mapping", "list")
    assert [line.split()[0] for line in out.splitlines()[1:]] == names
    listed = json.loads(call(capsys, "mapping", "list", "--json"))
    assert [one["name"] for one in listed] == names
    by_name = [one["name"] for one in listed if not one["recognised"]]
    assert by_name
    assert [line.split()[0] for line in out.splitlines() if line.rstrip().endswith(" no")] == by_name


def test_show_prints_a_mapping_with_its_comments(capsys: pytest.CaptureFixture[str]) -> None:
    out = call(capsys, "mapping", "show", "hubspot")
    assert out == mapping.ready_text("hubspot")
    assert "mapping-not-found" in call(capsys, "mapping", "show", "hupspot", code=ExitCode.INPUT)


def test_a_suggestion_is_written_once_and_then_left_alone(
    sheet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = call(capsys, "mapping", "suggest", sheet)
    assert "4 of 5 columns" in call(capsys, "mapping", "suggest", sheet, "-o", "m.toml")
    assert Path("m.toml").read_text("utf-8") == printed
    edited = printed + "# mine\n"
    Path("m.toml").write_text(edited, "utf-8")
    assert "was not changed" in call(capsys, "mapping", "suggest", sheet, "-o", "m.toml")
    assert Path("m.toml").read_text("utf-8") == edited


def test_a_file_that_does_not_fit_is_not_overwritten(sheet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("m.toml").write_text('[fields.first_name]\nfrom = "X"', "utf-8")
    assert "mapping-exists" in call(capsys, "mapping", "suggest", sheet, "-o", "m.toml", code=ExitCode.INPUT)
    assert "mapping-cannot-write" in call(
        capsys, "mapping", "suggest", sheet, "-o", "no/m.toml", code=ExitCode.INPUT
    )


def test_check_shows_what_is_unused_and_the_rows_before_and_after(
    sheet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call(capsys, "mapping", "suggest", sheet, "-o", "m.toml")
    assert "valid mapping" in call(capsys, "mapping", "check", "m.toml")
    out = call(capsys, "mapping", "check", "m.toml", sheet)
    assert "“Empresa”" in out
    lines = [line.split() for line in out.splitlines()]
    assert ["2", "birthday", "25/12/1990", "→", "1990-12-25"] in lines
    assert ["3", "birthday", "5/7/1990", "→", "1990-07-05"] in lines
    assert ["2", "sms_phone", "+34", "612", "345", "678", "→", "34612345678"] in lines


def test_check_tells_the_place_of_a_mistake_and_a_missing_header(
    sheet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("m.toml").write_text('[fields.first_name]\nfrom = "Nombre"\ncolour = 1\n', "utf-8")
    assert "m.toml, line 3" in call(capsys, "mapping", "check", "m.toml", code=ExitCode.INPUT)
    Path("m.toml").write_text('[fields.first_name]\nfrom = ["Nombres", "Alias"]\n', "utf-8")
    assert app.invoke(["mapping", "check", "m.toml", str(sheet)]) == ExitCode.INPUT
    found = capsys.readouterr()
    assert "“Nombres”, “Alias”" in found.out
    assert "“Nombre”" in found.err


def test_messages_can_be_chinese(sheet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "根据表头生成" in call(capsys, "mapping", "suggest", sheet, "--lang", "zh")


def test_a_template_is_written_where_nothing_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "customers.xlsx" in call(capsys, "template")
    assert openpyxl.load_workbook("customers.xlsx").active["A1"].value == "First Name *"
    assert "template-exists" in call(capsys, "template", code=ExitCode.INPUT)
    assert "template-cannot-write" in call(capsys, "template", "-o", "no/x.xlsx", code=ExitCode.INPUT)
    out = call(capsys, "template", "--lang", "zh", "-o", "zh.xlsx", "--contract", "plat")
    assert "示例行" in out
    assert "importer run zh.xlsx --contract plat" in out
    assert openpyxl.load_workbook("zh.xlsx").active["A1"].value == "姓名 *"
    assert "--mapping wati" in call(capsys, "template", "--mapping", "wati", "-o", "w.xlsx")


def test_a_filled_template_is_valid_without_a_word_about_mapping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    call(capsys, "template", "-o", "t.xlsx")
    book = openpyxl.load_workbook("t.xlsx")
    book.active.append(["Ann", "Lee", "14155550000"])
    book.save("t.xlsx")
    assert app.invoke(["validate", "t.xlsx", "--report-dir", "out"]) == ExitCode.DONE
    found = capsys.readouterr()
    assert "mapping" not in (found.out + found.err).lower()
    counts = json.loads(Path("out/summary.json").read_text("utf-8"))["counts"]
    assert (counts["valid"], counts["skipped"]) == (1, 1)


def test_a_file_of_unknown_columns_gets_the_command_to_copy_and_a_proposal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("alike.csv").write_text("first nam,surename,Foo\nAnn,Lee,1\n", "utf-8")
    Path("half.csv").write_text("Forename,Email,Phone\nAnn,a@example.com,14155550000\n", "utf-8")
    for name in ("alike.csv", "half.csv"):
        assert app.invoke(["run", name, "--sandbox"]) == ExitCode.INPUT
        assert f"importer mapping suggest {name} -o mapping.toml" in capsys.readouterr().err
    assert 'from = "surename"' in call(capsys, "mapping", "suggest", "alike.csv")


UNKNOWN = """kd_nr,alpha,beta,kontakt1,kontakt2,xdat
1,Ann,Lee,ann@example.com,,1990-01-02
2,Bo,Row,bo@example.com,,1985-03-04
"""


def test_suggest_takes_any_table_that_inspect_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("unknown.csv").write_text(UNKNOWN, "utf-8")
    assert "mapping suggest unknown.csv -o mapping.toml" in call(
        capsys, "validate", "unknown.csv", code=ExitCode.INPUT
    )
    call(capsys, "mapping", "suggest", "unknown.csv", "-o", "m.toml")
    assert json.loads(call(capsys, "inspect", "unknown.csv", "--json"))["header_row"] == 1
    # As it is, the proposal lacks names: every command that takes it says so.
    for words in (("validate", "unknown.csv", "--mapping", "m.toml"), ("mapping", "check", "m.toml")):
        told = call(capsys, *words, code=ExitCode.INPUT)
        assert "first_name, last_name" in told
    told = call(capsys, "mapping", "check", "m.toml", "unknown.csv", code=ExitCode.INPUT)
    assert "first_name, last_name" in told


def test_one_column_that_the_mapping_names_is_enough_to_find_the_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("unknown.csv").write_text("Export of today\n" + UNKNOWN, "utf-8")
    rules = '[fields.first_name]\nfrom = "alpha"\n[fields.last_name]\ndefault = "–"\n'
    Path("m.toml").write_text(rules, "utf-8")
    call(capsys, "validate", "unknown.csv", "--mapping", "m.toml", "--report-dir", "out")
    counts = json.loads(Path("out/summary.json").read_text("utf-8"))["counts"]
    assert counts["valid"] == 2


def test_a_mapping_file_that_is_not_there_is_named_without_a_list(
    sheet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = call(capsys, "validate", sheet, "--mapping", "missing.toml", code=ExitCode.INPUT)
    assert "missing.toml" in told
    assert "mapping-no-file" in told
    assert "hubspot" not in told


def sheets_of(path: Path) -> Path:
    book = openpyxl.Workbook()
    info = book.active
    info["A1"], info["A2"] = "About this workbook", "Made for you"
    for title, phone in (("North", "Mobile"), ("South", "Phone")):
        one = book.create_sheet(title)
        one.append(["First Name", "Last Name", phone])
        one.append(["Ann", title, "+1 415 555 0001"])
    book.save(path)
    return path


def test_all_sheets_are_read_although_they_call_a_field_differently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = sheets_of(tmp_path / "all.xlsx")
    call(capsys, "validate", path, "--sheet", "all", "--report-dir", "out")
    summary = json.loads(Path("out/summary.json").read_text("utf-8"))
    assert summary["counts"]["valid"] == 2
    assert any("“Sheet”" in note for note in summary["notes"])
    found = json.loads(call(capsys, "inspect", path, "--sheet", "all", "--json"))
    assert {one["name"]: one["field"] for one in found["columns"]} == {
        "First Name": "first_name",
        "Last Name": "last_name",
        "Mobile": "sms_phone",
        "Phone": "sms_phone",
    }
    assert found["columns"][3]["samples"] == ["+1 415 555 0001"]
    call(capsys, "mapping", "suggest", path, "--sheet", "all", "-o", "m.toml")
    call(capsys, "validate", path, "--sheet", "all", "--mapping", "m.toml", "--report-dir", "again")


def test_a_column_of_full_names_is_shown_as_both_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("full.csv").write_text("Full Name,Email\nAnn Lee,ann@example.com\n", "utf-8")
    assert "first_name + last_name" in call(capsys, "inspect", "full.csv")
    assert json.loads(call(capsys, "inspect", "full.csv", "--json"))["columns"][0]["field"] == "first_name"


@pytest.mark.parametrize(
    ("cells", "rule", "shown"),
    [
        (("Schulze, Anna", "Kurt Schulze"), NameRule.LAST_WORD, "Kurt Schulze → “Kurt | Schulze”"),
        (("Kurt Schulze",), NameRule.FAMILY_FIRST, "Kurt Schulze → “Schulze | Kurt”"),
        (("芳", "王芳"), NameRule.CHINESE, "王芳 → “王 | 芳”"),
    ],
)
def test_a_proposal_shows_how_a_name_would_be_split(
    cells: tuple[str, ...], rule: NameRule, shown: str
) -> None:
    assert mapping_prompt._split_name(cells, rule) == shown
