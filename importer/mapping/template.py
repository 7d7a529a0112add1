"""Write the workbook to fill in. Its comments and cell rules say what the contract wants in each column."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet
from openpyxl.writer.excel import ExcelWriter

from importer import messages
from importer.contracts import Contract, Field, FieldKind
from importer.mapping import headers
from importer.mapping.base import CUSTOM_FIELD
from importer.mapping.filters import EXAMPLE_MARK
from importer.mapping.rules import MappingFile
from importer.private_files import create_new_file
from importer.workbook_zip import WorkbookZip

_TEXT, _DATE = "@", "yyyy-mm-dd"
_LAST_ROW = 1_048_576
_REQUIRED = PatternFill("solid", fgColor="FFF2CC")
_OPTIONAL = PatternFill("solid", fgColor="DDEBF7")
_FONT = "Calibri"
"""A font without a name is one with serifs in LibreOffice."""
_EXAMPLE_HEIGHT = 3 * 15.0
"""Points: three lines, which a spreadsheet program does not make room for by itself."""
_EXAMPLES = {
    "sms_phone": "8613812345678",
    "whats_app_phone": "8613812345678",
    "viber_phone": "8613812345678",
    "messenger": "100012345678901",
    "instagram": "17841400000000000",
    "zalo": "84912345678",
    "country": "China",
    "email": "san.zhang@example.com",
    "birthday": "1990-05-07",
    "tagStr": "vip,newsletter",
    "time_zone": "GMT+8",
    CUSTOM_FIELD: '{"customize_1_14": "aa"}',
}
_WIDTH, _WIDE = 18, 30


@dataclass(frozen=True, slots=True)
class TemplateColumn:
    """One column of the template and the field it feeds."""

    header: str
    field: Field
    key: str = ""
    """The custom field that the column feeds, as the mapping names it; else ""."""


def write(path: Path, contract: Contract, *, mapping: MappingFile | None = None, lang: str = "en") -> None:
    """Write an .xlsx with a header that the importer knows, and one example row that is never imported.

    The header holds the mapping's columns, if a mapping is given. Raises FileExistsError rather than
    replace a file, else OSError.
    """
    book = Workbook()
    sheet = book.active
    if not isinstance(sheet, Worksheet):
        raise TypeError("a new workbook has a worksheet")
    sheet.title = messages.sentence("template-sheet", {}, lang)
    columns = list(_of_mapping(mapping, contract) if mapping else _of_contract(contract, lang))
    for number, column in enumerate(columns, start=1):
        _head(sheet, number, column, lang)
        _guard(sheet, number, column, lang)
        _example(sheet, number, column, lang)
    sheet.freeze_panes = "A2"
    content = io.BytesIO()
    with WorkbookZip(content) as archive:
        ExcelWriter(book, archive).save()
    create_new_file(path, content.getvalue())


def label(field: Field, lang: str) -> str:
    """Return what a field's column is called in a template; the importer knows it without a mapping."""
    found = [alias for alias in headers.all_aliases() if alias.field == field.name and alias.sure]
    named = next((alias.label for alias in found if alias.language == lang), None)
    return named or next((alias.label for alias in found if alias.language == "en"), field.name)


def _of_contract(contract: Contract, lang: str) -> Iterator[TemplateColumn]:
    for field in contract.fields:
        if field.documented:
            yield TemplateColumn(label(field, lang) + (" *" if field.required else ""), field)


def _of_mapping(mapping: MappingFile, contract: Contract) -> Iterator[TemplateColumn]:
    """Yield every column that the mapping reads, with the first field of the contract that it feeds."""
    seen: set[str] = set()
    rules = [(name, rule, "") for name, rule in mapping.fields.items() if name in contract.names]
    rules += [(CUSTOM_FIELD, rule, key) for key, rule in mapping.custom.items()]
    for name, rule, key in rules:
        for column in rule.columns():
            if column not in seen and "*" not in column:
                seen.add(column)
                yield TemplateColumn(column, contract.field(name), key)


def _head(sheet: Worksheet, number: int, column: TemplateColumn, lang: str) -> None:
    cell = sheet.cell(1, number, column.header)
    cell.font = Font(name=_FONT, size=11, bold=True)
    cell.fill = _REQUIRED if column.field.required else _OPTIONAL
    cell.alignment = Alignment(vertical="center", wrap_text=True)
    cell.comment = Comment(_note(column, lang), "importer", width=260, height=110)
    wide = column.field.name in ("address", "remark", "email", CUSTOM_FIELD)
    dimension = sheet.column_dimensions[get_column_letter(number)]
    dimension.width = _WIDE if wide else _WIDTH
    dimension.number_format = _format(column)


def _note(column: TemplateColumn, lang: str) -> str:
    field = column.field
    parts = [column.key or messages.local_text(field.help, lang)]
    if field.required:
        parts.append(messages.sentence("template-required", {}, lang))
    if field.max_length:
        parts.append(messages.sentence("template-length", {"limit": field.max_length}, lang))
    return "\n".join(parts)


def _guard(sheet: Worksheet, number: int, column: TemplateColumn, lang: str) -> None:
    field = column.field
    letter = get_column_letter(number)
    if field.kind is FieldKind.GENDER:
        choices = messages.sentence("template-choices", {}, lang)
        check = DataValidation(type="list", formula1=f'"{choices}"', allow_blank=True)
    elif field.kind is FieldKind.DATE:
        check = DataValidation(type="date", operator="greaterThan", formula1="1", allow_blank=True)
        check.errorStyle = "warning"
    elif field.max_length and not column.key:
        limit = str(field.max_length)
        check = DataValidation(
            type="textLength", operator="lessThanOrEqual", formula1=limit, allow_blank=True
        )
    else:
        return
    check.error = _note(column, lang)[:255]
    check.showErrorMessage = True
    check.add(f"{letter}2:{letter}{_LAST_ROW}")
    sheet.add_data_validation(check)


def _example(sheet: Worksheet, number: int, column: TemplateColumn, lang: str) -> None:
    cell = sheet.cell(2, number)
    cell.number_format = _format(column)
    cell.font = Font(name=_FONT, size=11, italic=True, color="808080")
    cell.alignment = Alignment(vertical="top", wrap_text=True)
    name = column.field.name
    if name.endswith("_name"):
        cell.value = f"{EXAMPLE_MARK}: {messages.sentence('template-example', {}, lang)}"
        sheet.row_dimensions[2].height = _EXAMPLE_HEIGHT
    elif name == "gender":
        cell.value = messages.sentence("template-choices", {}, lang).split(",")[0]
    elif not column.key:
        cell.value = _EXAMPLES.get(name, "")


def _format(column: TemplateColumn) -> str:
    """Return the number format: text, so that Excel changes no phones, codes or 1-2; dates are dates."""
    return _DATE if column.field.kind is FieldKind.DATE else _TEXT
