"""The workbook to fill in: told and guarded by the contract, and known to the importer."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from importer import contracts, mapping, messages
from importer.mapping import template
from importer.messages import LANGUAGES
from tests.support.mapping import PLAT, SEA, chunk, values


def made(tmp_path: Path, contract: contracts.Contract = SEA, **more: object) -> Worksheet:
    path = tmp_path / "template.xlsx"
    template.write(path, contract, **more)  # type: ignore[arg-type]
    sheet = openpyxl.load_workbook(path).active
    assert isinstance(sheet, Worksheet)
    return sheet


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("contract", [SEA, PLAT], ids=lambda contract: contract.name)
def test_its_header_needs_no_mapping_and_no_word_about_it(
    tmp_path: Path, contract: contracts.Contract, lang: str
) -> None:
    header = [str(cell.value) for cell in made(tmp_path, contract, lang=lang)[1]]
    choice = mapping.choose(header, contract)
    assert (choice.left_out, choice.notes) == ((), ())
    mapper = mapping.bind(choice.mapping, header, contract)
    assert list(mapper.columns) == [field.name for field in contract.fields if field.documented]
    assert mapper.unused == ()


def test_its_example_row_is_skipped_and_a_filled_one_is_not(tmp_path: Path) -> None:
    sheet = made(tmp_path)
    header, example = ([str(cell.value or "") for cell in sheet[row]] for row in (1, 2))
    person = dict(zip(header, example, strict=True)) | {"First Name *": "Ann", "Last Name *": "Lee"}
    cells = {name: [old, person[name]] for name, old in zip(header, example, strict=True)}
    mapper = mapping.bind(mapping.choose(header, SEA).mapping, header, SEA)
    found = mapper.map(chunk(cells))
    assert [(skip.code, skip.rows.tolist()) for skip in found.skips] == [("example-row", [2])]
    assert not found.issues
    assert values(found, "gender")[1] == "1"
    assert values(found, "birthday")[1] == "1990-05-07"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_notes_marks_formats_and_checks_come_from_the_contract(tmp_path: Path, lang: str) -> None:
    sheet = made(tmp_path, lang=lang)
    fields = [field for field in SEA.fields if field.documented]
    checks = {str(check.sqref)[0]: check for check in sheet.data_validations.dataValidation}
    for cell, field in zip(sheet[1], fields, strict=True):
        letter = cell.column_letter
        assert messages.local_text(field.help, lang) in cell.comment.text
        assert str(cell.value).endswith("*") is field.required
        wanted = "yyyy-mm-dd" if field.name == "birthday" else "@"
        assert sheet.column_dimensions[letter].number_format == wanted
        assert sheet[f"{letter}2"].number_format == wanted
        if field.max_length:
            assert str(field.max_length) in cell.comment.text
            assert checks[letter].formula1 == str(field.max_length)
        if field.name == "gender":
            assert checks[letter].type == "list"
    assert sheet.freeze_panes == "A2"


def test_a_template_of_a_mapping_has_the_mapping_s_columns(tmp_path: Path) -> None:
    own = mapping.load_text(
        'name_rule = "last-word"\n[fields.first_name]\nsplit = "Name"\n[fields.last_name]\nsplit = "Name"\n'
        '[fields.whats_app_phone]\nfrom = "Phone"\ncountry_code = "Code"\n'
        '[custom.customize_1_1]\nfrom = "Level"'
    )
    sheet = made(tmp_path, mapping=own)
    header, example = ([str(cell.value or "") for cell in sheet[row]] for row in (1, 2))
    assert header == ["Name", "Phone", "Code", "Level"]
    cells = {name: [text] for name, text in zip(header, example, strict=True)}
    found = mapping.bind(own, header, SEA).map(chunk(cells))
    assert [skip.code for skip in found.skips] == ["example-row"]
