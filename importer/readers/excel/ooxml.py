"""Read the parts of .xlsx and .xlsm files besides the cells: sheets, styles, shared strings (ECMA-376 part
1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from posixpath import dirname, join, normpath

from importer.errors import InputError
from importer.readers.archive import Archive, XmlHandlers, parse_xml
from importer.readers.excel.number_formats import CellStyle, DigitMask, cell_style
from importer.readers.excel.xlsx_head import BLANK_EDGE

MOST_STRINGS = 20_000_000
MOST_SHEETS = 5_000
"""Each is scanned; several may name the same part."""
_MOST_STRING_BYTES, _COPIES_OF_STRINGS = 1 << 28, 3
"""The most bytes of shared strings that get memory, and how often calamine holds each."""
_HIDDEN_STATES = ("hidden", "veryHidden")
"""The states in which a sheet is not shown (ECMA-376 part 1, 18.18.68); any other text is no state."""
_OFF = ("0", "false", "off")
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")


@dataclass(frozen=True, slots=True)
class SheetPart:
    """A sheet's name and where its cells lie in the archive."""

    name: str
    visible: bool
    part: str


@dataclass(frozen=True, slots=True)
class OoxmlPackage:
    """A workbook's parts."""

    sheets: tuple[SheetPart, ...]
    date_1904: bool
    styles: tuple[CellStyle, ...]
    strings_part: str | None
    """None if the archive has no shared strings."""
    struck: frozenset[int] = frozenset()
    """The styles, by index, whose font is struck through."""

    def masks(self) -> dict[int, DigitMask]:
        """Return the styles that show leading zeros, by index."""
        return {at: style.mask for at, style in enumerate(self.styles) if style.mask is not None}


def open_package(archive: Archive, name: str) -> OoxmlPackage:
    """Return the parts of a workbook. Raises InputError; `name` is the file's."""
    root = relations(archive, "_rels/.rels", name)
    main = next((target for kind, target in root.values() if kind == "officeDocument"), "xl/workbook.xml")
    book = _Workbook()
    if archive.find(main) is None:
        raise InputError("not-a-workbook", name=name)
    parse_xml(archive.pieces(main), book, name)
    folder = dirname(main)
    related = relations(archive, join(folder, "_rels", f"{main.rpartition('/')[2]}.rels"), name, folder)
    sheets = []
    for title, state, relation in book.sheets:
        kind, part = related.get(relation, ("", ""))
        if kind == "worksheet" and archive.find(part):
            sheets.append(SheetPart(title, state not in _HIDDEN_STATES, part))
    if len(sheets) > MOST_SHEETS:
        raise InputError("too-many-sheets", name=name, sheets=len(sheets), most=MOST_SHEETS)
    styles = _part(archive, related, "styles", join(folder, "styles.xml"))
    reader = _Styles()
    if styles:
        parse_xml(archive.pieces(styles), reader, name)
    strings = _part(archive, related, "sharedStrings", join(folder, "sharedStrings.xml"))
    return OoxmlPackage(
        tuple(sheets), book.date_1904, tuple(map(reader.style, reader.formats)), strings, reader.struck()
    )


def strings_memory(archive: Archive, package: OoxmlPackage) -> int:
    """Return how many bytes calamine needs for the shared strings."""
    return min(archive.size(package.strings_part or ""), _MOST_STRING_BYTES) * _COPIES_OF_STRINGS


def has_blank_edges(archive: Archive, package: OoxmlPackage) -> bool:
    """Return whether parts of rich texts begin or end with undeclared blanks, which calamine loses."""
    if package.strings_part is None:
        return False
    rest = b""
    rich = blank = False
    for piece in archive.pieces(package.strings_part):
        text = rest + piece
        rich = rich or b"<r>" in text or b":r>" in text
        blank = blank or BLANK_EDGE.search(text) is not None
        if rich and blank:
            return True
        rest = text[-16:]
    return False


def shared_strings(archive: Archive, part: str | None, name: str) -> list[str]:
    """Return all shared strings, without phonetic hints. Raises InputError; `name` is the file's."""
    reader = _Strings(name)
    if part:
        parse_xml(archive.pieces(part), reader, name)
    return reader.strings


def _part(archive: Archive, related: Mapping[str, tuple[str, str]], kind: str, usual: str) -> str | None:
    named = next((target for found, target in related.values() if found == kind), usual)
    return archive.find(named) or archive.find(usual)


def relations(archive: Archive, part: str, name: str, folder: str = "") -> dict[str, tuple[str, str]]:
    """Return relationship id → (kind, target): `rId1` → (`worksheet`, `xl/worksheets/sheet1.xml`)."""
    reader = _Relations()
    if archive.find(part):
        parse_xml(archive.pieces(part), reader, name)
    found = {}
    for key, kind, target in reader.found:
        target = target.replace("\\", "/")
        path = target.lstrip("/") if target.startswith("/") else normpath(join(folder, target))
        if archive.find(path) is None and archive.find(target.lstrip("/")):
            path = target.lstrip("/")
        found[key] = (kind.rpartition("/")[2], path)
    return found


class _Relations(XmlHandlers):
    def __init__(self) -> None:
        self.found: list[tuple[str, str, str]] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "Relationship":
            self.found.append(
                (attributes.get("Id", ""), attributes.get("Type", ""), attributes.get("Target", ""))
            )


class _Workbook(XmlHandlers):
    def __init__(self) -> None:
        self.sheets: list[tuple[str, str, str]] = []
        self.date_1904 = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "sheet":
            self.sheets.append(
                (attributes.get("name", ""), attributes.get("state", "visible"), attributes.get("id", ""))
            )
        elif name == "workbookPr":
            self.date_1904 = attributes.get("date1904", "0") in ("1", "true", "on")


@dataclass(slots=True)
class _Styles(XmlHandlers):
    codes: dict[int, str] = field(default_factory=dict)
    formats: list[int] = field(default_factory=list)
    fonts: list[int] = field(default_factory=list)
    """The font of each format."""
    inside: bool = False
    _font: int | None = None
    """The font that is read, of those of cells."""
    _struck_fonts: set[int] = field(default_factory=set)

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "numFmt":
            self.codes[_integer(attributes.get("numFmtId"))] = attributes.get("formatCode", "")
        elif name == "cellXfs":
            self.inside = True
        elif name == "xf" and self.inside:
            self.formats.append(_integer(attributes.get("numFmtId")))
            self.fonts.append(_integer(attributes.get("fontId")))
        elif name == "fonts":
            self._font = -1
        elif name == "font" and self._font is not None:
            self._font += 1
        elif name == "strike" and self._font is not None and attributes.get("val", "1") not in _OFF:
            self._struck_fonts.add(self._font)

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self.inside = False
        elif name == "fonts":
            self._font = None

    def struck(self) -> frozenset[int]:
        return frozenset(at for at, font in enumerate(self.fonts) if font in self._struck_fonts)

    def style(self, format_id: int) -> CellStyle:
        code = self.codes.get(format_id)
        return cell_style(format_id, code)


class _Strings(XmlHandlers):
    def __init__(self, name: str) -> None:
        self.strings: list[str] = []
        self._name = name
        self._parts: list[str] = []
        self._in_text = False
        self._phonetic = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "t":
            self._in_text = not self._phonetic
        elif name == "rPh":
            self._phonetic = True

    def text(self, text: str) -> None:
        if self._in_text:
            self._parts.append(text)

    def end(self, name: str) -> None:
        if name == "t":
            self._in_text = False
        elif name == "rPh":
            self._phonetic = False
        elif name == "si":
            self.strings.append(unescape("".join(self._parts)))
            self._parts.clear()
            if len(self.strings) > MOST_STRINGS:
                raise InputError("workbook-too-large", name=self._name)


def unescape(text: str) -> str:
    """Return the text with `_x000D_` and its like replaced (ECMA-376 part 1, 22.9.2.19).

    Halves of characters, which no text can hold, stay as they are written.
    """
    if "_x" not in text:
        return text
    return _ESCAPED.sub(_unescaped, text)


def _unescaped(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return match[0] if "\ud800" <= character <= "\udfff" else character


def _integer(text: str | None) -> int:
    try:
        return int(text or 0)
    except ValueError:
        return 0
