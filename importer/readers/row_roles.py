"""Recognize rows that hold no customer: a header that is repeated, hints below the header, totals, comments,
and the lines of pages and prints.

A row with a contact of its own (an e-mail, or as many digits as a phone has) is never taken for one of these,
but for an example that says it is one. What is recognized is skipped with its reason, not left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer.arrow import ByteSet, offsets_and_bytes
from importer.models import Skip
from importer.patterns import late_pattern
from importer.readers.counts import COUNTED, NUMBER, counts, few_filled, is_subtotal, may_be_subtotals, titles
from importer.readers.sample_rows import is_sample, samples

if TYPE_CHECKING:
    from importer.readers.header import Layout

ASIDES = frozenset({"repeated-header", "hint-row", "sample-row", "footer-row", "comment-row", "title-row"})
"""The codes of rows that hold no customer."""
HINT_ROWS = 5
"""So many rows below the header may be hints."""
_MOST_FILLED = 0.75
"""The largest share of the cells of a total or a page's line that may hold something."""
_ALWAYS_FILLED = 2
"""So many cells of a total may be filled in any table: the word for it, and the number."""
_MOST_WORDS = 0.5
"""The largest share that may hold something else than a number."""
_COMPARED = 2
"""So many cells of a header are looked for in whole columns; rows that have one are compared in full."""
_LOOKED_AT = 200
"""So many characters of a cell are looked at."""
_CONTACT = late_pattern(r"[^\s@]+@[^\s@]+\.[^\s@]+|(?:\d[ ()/-]{0,2}){9,}\d")
_SHORT_PHONE = late_pattern(r"(?:\d[ ()/-]?){6,}\d")
_YEAR = late_pattern(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_EXAMPLE = late_pattern(
    r"(?:e\.?\s?g\.?|example|ex\.|p\. ?ex\.|z\. ?b\.|ej\.|例如?|示例|样例|如)\s*[:：,]?", re.IGNORECASE
)
_DATE_MASK = r"(?:[ymdhsjatgдмгчс]{1,4}|年|月|日)(?:[-/. :_]?(?:[ymdhsjatgдмгчс]{1,4}|年|月|日))+"
_HINT = late_pattern(
    r"""[(（\[【<].*[)）\]】>]
    |.*\b(?:required|optional|mandatory|max(?:imum)?\.?\s+\d+|characters?|format|obligatori[oa]|opcional
      |pflichtfeld|optionnel|obligatoire|facultatif|facoltativo|obbligatorio|wajib|opsional)\b.*
    |(?:please\s+)?(?:enter|choose|select|fill|type)\s.*|do\s+not\s.*|must\s.*|only\s.*
    |(?:free\s+)?text|string|(?:var|n|nvar)?char(?:\s*\(\d+\))?|varchar2?(?:\s*\(\d+\))?|numbers?|numeric|integer|int
    |bigint|decimal|float|boolean|bool|date|datetime|timestamp|digits(?:\s+only)?|texto|zahl|datum|fecha|nombre
    |n[uú]mero|строка|число|дата|текст
    |.*(?:必填|选填|必須|任意|可选|可選|字以内|字符|格式|请输入|請輸入|请填|請填|обязательно|bắt\ buộc).*
    |文本|文字|数字|數字|日期|整数|数值|字符串|文本型|数字型|日期型
    |(?:male|female|m|f|男|女|yes|no|y|n|是|否|true|false|0|1)(?:\s*[/|,、]\s*|\s+or\s+)
      (?:male|female|m|f|男|女|yes|no|y|n|是|否|true|false|0|1)
    |[-=_*~.—─+|\ ]{3,}""",
    re.IGNORECASE | re.VERBOSE,
)  # fmt: skip
_MASK = late_pattern(_DATE_MASK, re.IGNORECASE)
_RULE = r"[-=_*~—─+|]{3,}"
_FOOTER = (
    r"(?is)^\s*[*【\[(]{0,3}\s*(?:"
    r"(?:grand[ -]?|sub[ -]?)?total(?:e|es|s|en|t|summe|sumt)?(?:[ :：=(].{0,60})?"
    r"|(?:sum|average|count|mean|rows?|records?|suma|somma|soma|razem|celkem|toplam|summa|jumlah)"
    r"\s*[:：=]?\s*[\d., ]*"
    r"|(?:gesamt(?:summe|betrag)?|anzahl|summe|zwischensumme|totaal|subtotaal|összesen|ukupno"
    r"|yhteensä|i alt|tổng(?: cộng)?"
    r"|итого|всего|разом|(?:本[页頁月周年期次日])?(?:合计|总计|小计|共计|累计|新增|合計|總計|小計|累計)"
    r"|(?:总|總)?人[数數](?:合计|总计|合計|總計)?|(?:会员|客户|顾客|會員|客戶|顧客)[总總]?[数數]|總數|总数|総計|합계|총계|소계"
    r"|المجموع|الإجمالي|جمع کل|סה\"כ|סך הכל|รวม|ยอดรวม|कुल)(?:[ :：=(0-9].{0,60})?"
    r"|\(?\d[\d.,]* (?:rows?|records?|entries|customers?|contacts?)\b.{0,40}"
    rf"|\d[\d.,]* (?:{COUNTED})"
    r"|(?:page|seite|p[aá]gina|pagina|страница|стр\.|trang|strona) ?:? ?\d+.{0,20}"
    r"|第 ?\d+ ?[页頁].{0,20}|共 ?\d+ ?[页頁条條人行].{0,20}"
    r"|(?:generated|exported|created|printed|downloaded|prepared|checked|approved|verified|reviewed"
    r"|report date|run date|as of)\s?(?:by[ :]|on[ :]|at |from |[:：]|\d).{0,80}"
    r"|(?:disediakan oleh|dibuat oleh|dicetak|elaborado por|realizado por|preparado por|établi par|rédigé par"
    r"|zpracoval|vypracoval|sporządził|sastavio|készítette|составил|склав|người lập|lập bởi|gez\."
    r"|gedruckt|erstellt|exportiert|stand|imprim[eé]|export[eé]|impreso|impresso|stampato|gerado|generado"
    r"|распечатано|создано|выгружено)(?: am| le| el| em| il)?[ :：].{0,80}"
    r"|(?:制表|打印|导出|打印时间|打印日期|导出时间|导出日期|制表人|制表时间|审核|审核人|列印日期|備註|备注|出力日)\s?[:：].{0,80}"
    r"|end of (?:file|report|list|data).{0,20}|-+ ?end ?-+|以下空白|copyright .*|©.*|confidential.{0,60}"
    r"|" + _RULE + r")\s*[*】\])]{0,3}\s*$"
)
_WIDE_TABLE = 3
"""Columns. In a table of fewer a row of one cell may be a customer."""
_REMARK = late_pattern(
    r"""\s*(?:[*※†‡•]+\s*[^\W\d].*
    |[(（\[]?(?:notes?|n\.?b\.?|notas?|obs|observa[cç](?:[aã]o|[oõ]es|i[oó]n|iones)|remarks?|comments?|source
      |disclaimer
      |anmerkung(?:en)?|hinweise?|bemerkung(?:en)?|quelle|achtung|remarques?|attention|avis|importante?|aviso|fuente
      |fonte|attenzione|nota\ bene|примечани[ея]|внимание|источник|uwag[ai]|poznámka|ghi\ chú|catatan
      |keterangan|dipnot
      |หมายเหตุ|ملاحظ(?:ة|ات)|비고|備考|注意?|备注|備註|说明|說明|提示|数据来源|資料來源|附注|附註)[)）\]]?\s*[:：.。-].*
    |.{80,})""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_FOOTER_BEGINNINGS = (
    *(
        "累计",
        "累計",
        "新增",
        "总人",
        "總人",
        "人数",
        "人數",
        "会员",
        "客户",
        "顾客",
        "會員",
        "客戶",
        "顧客",
    ),
    *(f"本{span}" for span in "页頁月周年期次日"),
    *("grand", "sub", "total", "sum", "average", "count", "mean", "row", "record", "soma", "somma", "razem"),
    *(
        "celkem",
        "toplam",
        "jumlah",
        "anzahl",
        "gesamt",
        "zwischensumme",
        "totaal",
        "összesen",
        "ukupno",
        "yhteensä",
    ),
    *(
        "i alt",
        "tổng",
        "итого",
        "всего",
        "разом",
        "合计",
        "总计",
        "小计",
        "共计",
        "合計",
        "總計",
        "小計",
        "總數",
    ),
    *(
        "总数",
        "総計",
        "합계",
        "총계",
        "소계",
        "المجموع",
        "الإجمالي",
        "جمع کل",
        "סה",
        "סך",
        "รวม",
        "ยอดรวม",
        "कुल",
    ),
    *("page", "seite", "página", "pagina", "страница", "стр.", "trang", "strona", "第", "共", "generated"),
    *(
        "prepared",
        "checked",
        "approved",
        "verified",
        "reviewed",
        "disediakan",
        "dibuat",
        "dicetak",
        "elaborado",
    ),
    *("realizado", "preparado", "établi", "rédigé", "zpracoval", "vypracoval", "sporządził", "sastavio"),
    *("készítette", "составил", "склав", "người lập", "lập bởi", "gez."),
    *("exported", "created", "printed", "downloaded", "report", "run date", "as of", "gedruckt", "erstellt"),
    *("exportiert", "stand", "imprim", "export", "impres", "stampato", "gerado", "generado", "распечатано"),
    *(
        "создано",
        "выгружено",
        "制表",
        "打印",
        "导出",
        "审核",
        "列印日期",
        "備註",
        "备注",
        "出力日",
        "end of",
        "-",
    ),
    *("以下空白", "copyright", "©", "confidential", "=", "_", "~", "—", "─", "+", "|"),
)
"""How a footer begins, in lower case, behind what may stand before it: the pattern is slow to compile."""
_AN = ord("a") << 8 | ord("n")
_BEFORE_FOOTER = " \t\n\r\f*【[("
_BEFORE_COMMENT = ByteSet(b" \t\n\r\f#/-").table
_PERHAPS_A_NAME = late_pattern(r"[^\W\d]+", re.IGNORECASE)
"""A single word, such as Count: it is a total only where no other word stands in its row."""
_COMMENT = r"(?s)^\s*(?:#|//|--)\s*[^\s#].*"


def asides(
    columns: Sequence[pa.Array], rows: np.ndarray, layout: Layout, wide: Sequence[int] = ()
) -> list[Skip]:
    """Return the rows among these that hold no customer, by the reason for which they are skipped.

    `columns` are those that have a name; `rows` are the numbers of the rows, ascending; `wide` the numbers of
    rows with a cell that is merged over several columns.
    """
    places = [at for at, name in enumerate(layout.names) if name is not None]
    named = list(zip(places, columns, strict=True))
    if not named or not len(rows):
        return []
    taken = np.zeros(len(rows), dtype=bool)
    found = []
    lengths = [np.diff(offsets_and_bytes(column)[0]) for _, column in named]
    filled = np.zeros(len(rows), dtype=np.int32)
    for length in lengths:
        filled += length > 0
    footers, comments = _lines_aside(named, lengths, filled)
    for code, where in (
        ("repeated-header", _repeated_headers(named, layout)),
        ("hint-row", _hints(named, rows, layout)),
        ("sample-row", samples(columns, _below_header(rows, layout))),
        ("footer-row", footers),
        ("comment-row", comments),
        ("footer-row", _remarks(named, filled) if len(named) >= _WIDE_TABLE else []),
        ("footer-row", counts(named, lengths, filled) if len(named) >= _WIDE_TABLE else []),
        ("title-row", _titles(named, lengths, filled, np.isin(rows, wide))),
    ):
        new = np.array([at for at in where if not taken[at]], dtype=np.int64)
        if len(new):
            taken[new] = True
            found.append(Skip(rows[new], code))
    return found


def may_be_aside(cells: Sequence[str]) -> bool:
    """Return whether a row that was recognized as no customer may still be none: it has no contact, except in
    an example."""
    if any(map(is_sample, cells)):
        return True
    return not any(_CONTACT.search(cell) and not _is_hint(cell) for cell in cells)


def _repeated_headers(named: Sequence[tuple[int, pa.Array]], layout: Layout) -> list[int]:
    """Return the positions of rows that read as the header, or as a line above it, reads."""
    found: set[int] = set()
    for cells in layout.top_cells:
        wanted = {at: cells[at] if at < len(cells) else "" for at, _ in named}
        looked_for = [at for at, cell in wanted.items() if cell][:_COMPARED]
        for at in looked_for:
            column = next(column for index, column in named if index == at)
            for row in _places(column, cells[at]):
                if _reads_as(_cells(named, row), list(wanted.values())):
                    found.add(row)
    return sorted(found)


def _places(column: pa.Array, name: str) -> list[int]:
    """Return where a cell is this name, as it is or as a spreadsheet's functions change its case."""
    forms = sorted({name, name.strip(), name.upper(), name.lower(), name.title()} - {""})
    sizes, first, last = zip(*((len(raw), raw[0], raw[-1]) for raw in map(str.encode, forms)), strict=True)
    offsets, data = offsets_and_bytes(column)
    lengths = np.diff(offsets)
    at = np.flatnonzero(np.logical_or.reduce([lengths == size for size in set(sizes)]))
    at = at[ByteSet(bytes(first)).table[data[offsets[at]]]]
    at = at[ByteSet(bytes(last)).table[data[offsets[at + 1] - 1]]]
    if not at.size:
        return []
    hits = pc.is_in(column.take(pa.array(at)), value_set=pa.array(forms, type=column.type))
    return [int(row) for row in at[hits.to_numpy(zero_copy_only=False)]]


def _reads_as(cells: Sequence[str], wanted: Sequence[str]) -> bool:
    """Return whether a row is the other one, perhaps with some cells left empty, but with two at least."""
    pairs = [
        (cell.strip().casefold(), name.strip().casefold()) for cell, name in zip(cells, wanted, strict=True)
    ]
    same = sum(bool(cell) and cell == name for cell, name in pairs)
    other = sum(bool(cell) and cell != name for cell, name in pairs)
    return not other and same >= min(2, sum(bool(name) for _, name in pairs))


def _hints(named: Sequence[tuple[int, pa.Array]], rows: np.ndarray, layout: Layout) -> list[int]:
    """Return the positions of the rows right below the header that say how to fill in the table."""
    found = []
    for at in range(_below_header(rows, layout)):
        filled = [cell.strip() for cell in _cells(named, at) if cell.strip()]
        if not filled:
            continue
        hints = sum(map(_is_hint, filled))
        others = [cell for cell in filled if not _is_hint(cell)]
        if 2 * hints < len(filled) or any(map(_CONTACT.search, others)):
            break
        found.append(at)
    return found


def _below_header(rows: np.ndarray, layout: Layout) -> int:
    """Return how many of the rows stand right below the header."""
    if layout.header_row is None:
        return 0
    return int(np.searchsorted(rows, layout.header_row + HINT_ROWS, side="right"))


def _is_hint(cell: str) -> bool:
    if _EXAMPLE.match(cell):
        return True
    return bool(_MASK.fullmatch(cell) or _HINT.fullmatch(cell)) and not _CONTACT.search(cell)


def _lines_aside(
    named: Sequence[tuple[int, pa.Array]], lengths: Sequence[np.ndarray], filled: np.ndarray
) -> tuple[list[int], list[int]]:
    """Return the positions of rows of few cells whose first filled one reads as a footer, or as a comment,
    wherever they stand. `lengths` are those of each column's cells, `filled` how many a row has."""
    left = np.flatnonzero((filled > 0) & (filled <= max(_MOST_FILLED * len(named), _ALWAYS_FILLED)))
    footers: list[int] = []
    comments: list[int] = []
    totals: set[int] = set()
    few = few_filled(filled)
    any_few = bool(few.any())
    for (_, column), length in zip(named, lengths, strict=True):
        if not (len(left) or any_few):
            break
        here = left[length[left] > 0]
        left = left[length[left] == 0]
        offsets, data = offsets_and_bytes(column)
        begins = offsets[here]
        pairs = data[begins].astype(np.int64) << 8 | np.take(data, begins + 1, mode="clip")
        # Anna and Anton are as frequent as Anzahl is rare.
        name = (pairs | 0x2020 == _AN) & (np.take(data, begins + 2, mode="clip") | 0x20 != ord("z"))
        # In rows of few cells the name of the group may stand before the label.
        asked = few & (length > 0)
        asked[here] = True
        totals.update(may_be_subtotals(column, np.flatnonzero(asked)).tolist())
        footers += _matching(column, here[_footer_pairs()[pairs] & ~name], _FOOTER, begins_like_footer)
        comments += _matching(column, here[_BEFORE_COMMENT[data[begins]]], _COMMENT)
    kept = (
        [at for at in sorted(some) if _holds_no_customer(_cells(named, at))] for some in (footers, comments)
    )
    footers, comments = next(kept), next(kept)
    subtotals = [at for at in totals if _is_subtotal(_cells(named, at))]
    return sorted({*footers, *subtotals}), comments


def _matching(
    column: pa.Array, at: np.ndarray, pattern: str, first: Callable[[str], bool] = bool
) -> list[int]:
    """Return those of the positions whose text passes the first test and then fits the pattern."""
    if len(at):
        at = at[[first(text) for text in column.take(pa.array(at)).to_pylist()]]
    if not len(at):
        return []
    hits = pc.match_substring_regex(column.take(pa.array(at)), pattern)
    return [int(row) for row in at[hits.to_numpy(zero_copy_only=False)]]


def begins_like_footer(text: str) -> bool:
    """Return whether a text may be a footer by its first word, or by a number with more behind it."""
    bare = text.lstrip(_BEFORE_FOOTER).casefold()
    if bare[:1].isdecimal():
        return " " in bare
    return not bare or bare.startswith(_FOOTER_BEGINNINGS)


@cache
def _footer_pairs() -> np.ndarray:
    """Return for each pair of bytes (as a number) whether a footer may begin with it, as a mask."""
    found = np.zeros(1 << 16, dtype=bool)
    for word in _FOOTER_BEGINNINGS:
        for form in (word, word.upper(), word.title(), word[:1] + word[1:].upper()):
            raw = form.encode()
            found[slice(raw[0] << 8, raw[0] + 1 << 8) if len(raw) < 2 else raw[0] << 8 | raw[1]] = True
    for first in b"0123456789" + bytes(mark.encode()[0] for mark in _BEFORE_FOOTER):
        found[first << 8 : first + 1 << 8] = True
    return found


def _remarks(named: Sequence[tuple[int, pa.Array]], filled: np.ndarray) -> list[int]:
    """Return the positions of rows of a wide table with one cell only: a remark, or the total of a group."""
    alone = np.flatnonzero(filled == 1).tolist()
    texts = (_cells(named, at) for at in alone)
    return [
        at
        for at, cells in zip(alone, texts, strict=True)
        if _is_remark("".join(cells)) or _is_subtotal(cells)
    ]


def _titles(
    named: Sequence[tuple[int, pa.Array]], lengths: Sequence[np.ndarray], filled: np.ndarray, wide: np.ndarray
) -> list[int]:
    found = titles(named, lengths, filled, wide) if len(named) >= _WIDE_TABLE else []
    told = {at: _YEAR.sub(" – ", " | ".join(_cells(named, at))) for at in found}
    return [at for at, text in told.items() if not (_CONTACT.search(text) or _SHORT_PHONE.search(text))]


def _is_remark(text: str) -> bool:
    return _REMARK.fullmatch(text) is not None and _CONTACT.search(text) is None


def _holds_no_customer(cells: Sequence[str]) -> bool:
    words = [cell.strip() for cell in cells if NUMBER.fullmatch(cell) is None]
    most = 1 if words and _PERHAPS_A_NAME.fullmatch(words[0]) else max(_MOST_WORDS * len(cells), 1)
    return len(words) <= most and not any(map(_CONTACT.search, cells))


def _is_subtotal(cells: Sequence[str]) -> bool:
    return is_subtotal(cells) and not any(map(_CONTACT.search, cells))


def _cells(named: Sequence[tuple[int, pa.Array]], at: int) -> list[str]:
    """Return a row's cells, of which the beginning is enough."""
    return [str(column[at].as_py())[:_LOOKED_AT] for _, column in named]
