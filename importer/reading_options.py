"""The options that say where a table comes from and how it is read. Each is declared once, here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from importer.option_types import HeaderRowValue, Keep, OptionGroup, TextValue, declare

_READING: Mapping[str, Any] = {"group": OptionGroup.READING, "keep": Keep.READING, "repeat": True}


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """Where a table comes from, if not from a file, and how it is read."""

    sheet: str | None = declare(
        None,
        TextValue(),
        "Which sheet of a workbook (default: the first with data).",
        "读取哪个工作表（默认：第一个有数据的）。",
        metavar="NAME|all",
        job=True,
        report=True,
        **_READING,
    )
    header_row: int | str | None = declare(
        None,
        HeaderRowValue(),
        "Where the header stands, if it is not found.",
        "表头所在的行，用于无法自动识别时。",
        job=True,
        **_READING,
    )
    encoding: str | None = declare(
        None,
        TextValue(),
        "Encoding of a text file, if it is not found.",
        "文本文件的编码，用于无法自动识别时。",
        metavar="NAME",
        job=True,
        report=True,
        **_READING,
    )
    delimiter: str | None = declare(
        None,
        TextValue(),
        "Delimiter of a text file, if it is not found; `tab` is one.",
        "文本文件的分隔符，用于无法自动识别时；可写 `tab`。",
        metavar="CHAR",
        job=True,
        **_READING,
    )
    corrections: str | None = declare(
        None,
        TextValue(),
        "Cells to be read otherwise than they stand in the file, as the page in the browser keeps them.",
        "更正文件：其中的单元格代替原文件中的内容，由浏览器页面保存。",
        metavar="FILE",
        **_READING,
    )
    password_command: str | None = declare(
        None,
        TextValue(),
        "A command that prints the password of a workbook or zip archive on its first line.",
        "在第一行输出工作簿或压缩包密码的命令。",
        metavar="COMMAND",
        job=True,
        **_READING,
    )
    query: str | None = declare(
        None,
        TextValue(),
        "An SQL query whose result is imported, instead of a file; it only reads.",
        "代替文件的 SQL 查询，导入其结果；只读取数据。",
        group=OptionGroup.SOURCE,
        metavar="SQL",
        job=True,
        keep=Keep.SETTINGS,
        repeat=True,
    )
    database: str | None = declare(
        None,
        TextValue(),
        "The database of --query: [source.NAME] of importer.toml.",
        "--query 所用的数据库：importer.toml 的 [source.NAME]。",
        group=OptionGroup.SOURCE,
        metavar="NAME",
        job=True,
        keep=Keep.SETTINGS,
        report=True,
        repeat=True,
    )
