"""Make the workbook around the rows of rejects.xlsx: styles, widths, header notes, frozen header, filter.

Every run writes it, so it is made as text: importing openpyxl takes longer than the rest of a small
file. Excel's limits on cells and columns stand here. Sources: ECMA-376 part 1, 18.2 (workbook), 18.3
(sheet), 18.7 (notes), 18.8 (styles); part 4, 19 (VML, the boxes of the notes); Excel specifications and
limits. The order of styles is that of `ReportCellStyle`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import IntEnum

from importer import messages
from importer.arrow import column_letter
from importer.dataclass import dataclass
from importer.reports.model import OWN_COLUMNS, ReportPlan
from importer.reports.ownership import report_identity
from importer.reports.rows import CellNote

MAX_CELL_LENGTH = 32_767
"""UTF-16 units in a cell of a workbook (Excel specifications and limits)."""


SHEET_PART = "xl/worksheets/sheet1.xml"
CORE_PART = "docProps/core.xml"

COLUMN_WIDTHS = {
    "_row": 7,
    "_sheet": 12,
    "_status": 11,
    "_batch": 8,
    "_attempts": 9,
    "_code": 10,
    "_message": 90,
    "_trace_id": 10,
    "_issues": 16,
    "_run": 10,
}
FIELD_WIDTHS = {"email": 32, "address": 36, "remark": 36, "birthday": 12, "gender": 10}
"""In characters, where cells are usually longer or shorter than others."""
_CJK = 0x2E80
_DECLARED = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_OOXML = "http://schemas.openxmlformats.org"
_MAIN = f"{_OOXML}/spreadsheetml/2006/main"
_OF_OFFICE = f"{_OOXML}/officeDocument/2006/relationships"
_TYPES = "application/vnd.openxmlformats-officedocument"


@dataclass(frozen=True, slots=True)
class XlsxTemplate:
    """A workbook without its rows: the parts that depend on their number are made when it is known."""

    before: str
    names: int
    """How many columns there are."""
    notes: tuple[tuple[int, str], ...]
    """The comments on the header: (column from 0, text)."""
    lang: str
    sheet: str
    identity: str
    """Says that the importer wrote the workbook, and for which run."""

    def after(self, rows: int) -> str:
        """The sheet's XML after `rows` rows. The filter reaches to the last of them."""
        last = column_letter(self.names - 1)
        return (
            f'</sheetData><autoFilter ref="A1:{last}{rows + 1}"/>'
            '<pageMargins left="0.75" right="0.75" top="1" bottom="1" header="0.5" footer="0.5"/>'
            f'<legacyDrawing xmlns:r="{_OF_OFFICE}" r:id="rId2"/></worksheet>'
        )

    def parts(self, rows: int, cell_notes: Sequence[CellNote] = ()) -> Iterator[tuple[str, str]]:
        """Yield name and XML of all parts but the sheet, for a workbook of `rows` rows.

        `cell_notes` are comments on cells; their rows count from the header, which is 0.
        """
        last = column_letter(self.names - 1)
        yield "[Content_Types].xml", _content_types()
        yield "_rels/.rels", _package_relations()
        yield CORE_PART, _core_properties(self.identity)
        yield "xl/workbook.xml", _workbook(self.sheet, f"$A$1:${last}${rows + 1}")
        sheet, styles = ("worksheet", "worksheets/sheet1.xml"), ("styles", "styles.xml")
        yield "xl/_rels/workbook.xml.rels", _relations(sheet, styles)
        yield "xl/styles.xml", _styles()
        texts, boxes = ("comments", "../comments1.xml"), ("vmlDrawing", "../drawings/notes1.vml")
        yield "xl/worksheets/_rels/sheet1.xml.rels", _relations(texts, boxes)
        heads = [CellNote(0, place, text) for place, text in self.notes]
        cells = [note._replace(text=xml_text(note.text, self.lang)) for note in cell_notes]
        notes = sorted((*heads, *cells))
        yield "xl/comments1.xml", _comments(notes)
        yield "xl/drawings/notes1.vml", _boxes(notes)


def build_template(plan: ReportPlan, names: Sequence[str], sheet: str) -> XlsxTemplate:
    """Make an empty workbook whose sheet has columns of these names, the importer's own included."""
    fields = plan.fields_of_columns()
    texts = ((place, _note(name, fields.get(name, ""), plan.lang)) for place, name in enumerate(names))
    notes = tuple((place, xml_text(text, plan.lang)) for place, text in texts if text)
    wide = "".join(
        f'<col min="{place}" max="{place}" width="{width:g}" customWidth="1"/>'
        for place, width in enumerate(
            (COLUMN_WIDTHS.get(name) or column_width(name, fields.get(name, "")) for name in names), 1
        )
    )
    before = (
        f'{_DECLARED}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
        '<pane xSplit="1" ySplit="1" topLeftCell="B2" activePane="bottomRight" state="frozen"/>'
        '<selection pane="topRight"/><selection pane="bottomLeft"/>'
        '<selection pane="bottomRight" activeCell="A1" sqref="A1"/></sheetView></sheetViews>'
        f'<sheetFormatPr baseColWidth="8" defaultRowHeight="15"/><cols>{wide}</cols><sheetData>'
    )
    return XlsxTemplate(before, len(names), notes, plan.lang, sheet, report_identity(plan.run_id))


def column_width(name: str, field: str = "") -> float:
    """The width of a column of this name, in characters: room for its header, and for what `field` holds."""
    wide = sum(2 if ord(character) >= _CJK else 1 for character in name)
    return float(min(max(wide + 3, FIELD_WIDTHS.get(field, 16)), 40))


def _note(name: str, field: str, lang: str) -> str:
    if name in OWN_COLUMNS:
        return messages.sentence(f"column{name.replace('_', '-')}", {}, lang)
    if field:
        return messages.sentence("column-goes-to", {"field": field}, lang)
    return ""


def _content_types() -> str:
    defaults = (
        ("rels", "application/vnd.openxmlformats-package.relationships+xml"),
        ("xml", "application/xml"),
        ("vml", f"{_TYPES}.vmlDrawing"),
    )
    parts = (
        ("xl/workbook.xml", "sheet.main"),
        (SHEET_PART, "worksheet"),
        ("xl/styles.xml", "styles"),
        ("xl/comments1.xml", "comments"),
    )
    known = "".join(f'<Default Extension="{ending}" ContentType="{kind}"/>' for ending, kind in defaults)
    named = "".join(
        f'<Override PartName="/{part}" ContentType="{_TYPES}.spreadsheetml.{kind}+xml"/>'
        for part, kind in parts
    )
    core = "application/vnd.openxmlformats-package.core-properties+xml"
    named += f'<Override PartName="/{CORE_PART}" ContentType="{core}"/>'
    return f'{_DECLARED}<Types xmlns="{_OOXML}/package/2006/content-types">{known}{named}</Types>'


def _package_relations() -> str:
    """The relations of the whole file. That of the core properties has a namespace of its own."""
    space = f"{_OOXML}/package/2006/relationships"
    core = f"{space}/metadata/core-properties"
    return (
        f'{_DECLARED}<Relationships xmlns="{space}">'
        f'<Relationship Id="rId1" Type="{_OF_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
        f'<Relationship Id="rId2" Type="{core}" Target="{CORE_PART}"/></Relationships>'
    )


def _core_properties(identity: str) -> str:
    return (
        f'{_DECLARED}<cp:coreProperties xmlns:cp="{_OOXML}/package/2006/metadata/core-properties" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:creator>importer</dc:creator>'
        f"<dc:identifier>{identity}</dc:identifier></cp:coreProperties>"
    )


def _relations(*found: tuple[str, str]) -> str:
    """The relations of a part as rId1, rId2, …: (kind, target)."""
    inner = "".join(
        f'<Relationship Id="rId{number}" Type="{_OF_OFFICE}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(found, start=1)
    )
    space = f"{_OOXML}/package/2006/relationships"
    return f'{_DECLARED}<Relationships xmlns="{space}">{inner}</Relationships>'


def _workbook(sheet: str, filtered: str) -> str:
    return (
        f'{_DECLARED}<workbook xmlns="{_MAIN}" xmlns:r="{_OF_OFFICE}">'
        "<bookViews><workbookView/></bookViews>"
        f'<sheets><sheet name="{sheet}" sheetId="1" r:id="rId1"/></sheets>'
        '<definedNames><definedName name="_xlnm._FilterDatabase" localSheetId="0" hidden="1">'
        f"'{sheet}'!{filtered}</definedName></definedNames></workbook>"
    )


def _styles() -> str:
    """The styles: the default, then those of `ReportCellStyle`: text, aligned to the top, on a colour."""
    fills = "".join(
        f'<fill><patternFill patternType="solid"><fgColor rgb="{rgb}"/></patternFill></fill>'
        for rgb in (HEAD_RGB, WRONG_RGB, DOUBTFUL_RGB, NOTED_RGB)
    )
    # The numbers of fonts and fills below. The first two fills are always none and gray125.
    styles = "".join(
        f'<xf numFmtId="49" fontId="{font}" fillId="{fill}" borderId="0" xfId="0" applyNumberFormat="1" '
        f'applyFont="1" applyFill="1" applyAlignment="1"><alignment vertical="top"{wrap}/></xf>'
        for font, fill, wrap in (
            (0, 0, ""),
            (1, 2, ""),
            (0, 3, ""),
            (0, 4, ""),
            (0, 5, ""),
            (0, 0, ' wrapText="1"'),
        )
    )
    plain = '<name val="Calibri"/><family val="2"/>'
    return (
        f'{_DECLARED}<styleSheet xmlns="{_MAIN}"><fonts count="2"><font><sz val="11"/>{plain}</font>'
        f'<font><b/><sz val="11"/><color rgb="FFFFFFFF"/>{plain}</font></fonts>'
        '<fills count="6"><fill><patternFill patternType="none"/></fill>'
        f'<fill><patternFill patternType="gray125"/></fill>{fills}</fills>'
        '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
        '<cellXfs count="7"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
        f"{styles}</cellXfs>"
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
    )


def _comments(notes: Sequence[CellNote]) -> str:
    inner = "".join(
        f'<comment ref="{column_letter(note.column)}{note.row + 1}" authorId="0">'
        f'<text><t xml:space="preserve">{note.text}</t></text></comment>'
        for note in notes
    )
    return (
        f'{_DECLARED}<comments xmlns="{_MAIN}"><authors><author>importer</author></authors>'
        f"<commentList>{inner}</commentList></comments>"
    )


def _boxes(notes: Sequence[CellNote]) -> str:
    """A hidden yellow box for each comment: without it, programs show no comment."""
    inner = "".join(
        f'<v:shape id="_x0000_s{number}" type="#_x0000_t202" fillcolor="#ffffe1" o:insetmode="auto" '
        'style="position:absolute;margin-left:59.25pt;margin-top:1.5pt;width:320px;height:90px;z-index:1;'
        'visibility:hidden"><v:fill color2="#ffffe1"/><v:shadow color="black" obscured="t"/>'
        '<v:path o:connecttype="none"/><v:textbox style="mso-direction-alt:auto">'
        '<div style="text-align:left"/></v:textbox><x:ClientData ObjectType="Note"><x:MoveWithCells/>'
        "<x:SizeWithCells/><x:AutoFill>False</x:AutoFill>"
        f"<x:Row>{note.row}</x:Row><x:Column>{note.column}</x:Column></x:ClientData></v:shape>"
        for number, note in enumerate(notes, start=1026)
    )
    space = "urn:schemas-microsoft-com"
    return (
        f'<xml xmlns:v="{space}:vml" xmlns:o="{space}:office:office" xmlns:x="{space}:office:excel">'
        '<o:shapelayout v:ext="edit"><o:idmap v:ext="edit" data="1"/></o:shapelayout>'
        '<v:shapetype id="_x0000_t202" coordsize="21600,21600" o:spt="202" path="m,l,21600r21600,l21600,xe">'
        '<v:stroke joinstyle="miter"/><v:path gradientshapeok="t" o:connecttype="rect"/></v:shapetype>'
        f"{inner}</xml>"
    )


MAX_COLUMNS = 16_384
_UNUSUAL = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
WRONG_RGB = "FFF9D0CB"
DOUBTFUL_RGB = "FFFBE6BF"
NOTED_RGB = "FFDCE9FA"
HEAD_RGB = "FF334155"


class ReportCellStyle(IntEnum):
    """The style of a cell by its number in the workbook (see `_styles`). All have the number format Text."""

    PLAIN = 1
    HEAD = 2
    WRONG = 3
    DOUBTFUL = 4
    NOTED = 5
    WRAPPED = 6
    """Long texts, on as many lines as they need."""


def fit_cell(value: str, lang: str) -> str:
    """A cell as a workbook can hold it.

    Characters that XML cannot hold become `_xHHHH_`. A cell longer than Excel takes is cut and says so at
    its end.
    """
    units = len(value.encode("utf-16-le")) // 2
    if units > MAX_CELL_LENGTH:
        note = messages.sentence("cell-cut", {"length": units}, lang)
        room = (MAX_CELL_LENGTH - len(note)) * 2
        value = value.encode("utf-16-le")[:room].decode("utf-16-le", "ignore") + note
    return _UNUSUAL.sub(lambda found: f"_x{ord(found[0]):04X}_", value)


def xml_text(value: str, lang: str) -> str:
    """A cell as a workbook can hold it, as XML text."""
    return fit_cell(value, lang).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
