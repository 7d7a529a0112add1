"""Recognize titles and totals of groups, such as North subtotal | 12 and 启蒙班小计, and what totals count:
24人, 62 | Mitglieder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer.arrow import ByteSet, offsets_and_bytes
from importer.mapping.base import among, in_fours
from importer.patterns import late_pattern

_WORDS = (
    *(
        "row",
        "rows",
        "record",
        "records",
        "entries",
        "customer",
        "customers",
        "client",
        "clients",
        "contacts",
    ),
    *(
        "member",
        "members",
        "person",
        "persons",
        "people",
        "pcs",
        "kunden",
        "kundinnen",
        "mitglied",
        "mitglieder",
    ),
    *(
        "personen",
        "kontakte",
        "datensätze",
        "einträge",
        "leden",
        "klanten",
        "cliente",
        "clientes",
        "contatos",
    ),
    *("contactos", "registros", "pessoas", "personas", "membros", "miembros", "socios", "sócios", "membres"),
    *(
        "pelanggan",
        "klien",
        "anggota",
        "orang",
        "khách",
        "khách hàng",
        "người",
        "müşteri",
        "kişi",
        "klientów",
    ),
    *(
        "klientów",
        "osób",
        "zákazníků",
        "osob",
        "kunder",
        "medlemmar",
        "asiakasta",
        "jäsentä",
        "ลูกค้า",
        "คน",
        "ราย",
    ),
    *("πελάτες", "clienți", "ügyfél", "клієнтів", "عميل", "לקוחות", "ग्राहक"),
    *("adhérents", "personnes", "soci", "clienti", "чел", "чел.", "человек", "клиентов", "записей"),
    *(
        "人",
        "个",
        "位",
        "名",
        "条",
        "行",
        "户",
        "张",
        "张卡",
        "会员",
        "客户",
        "顾客",
        "會員",
        "客戶",
        "顧客",
        "명",
        "건",
    ),
)
"""What a total counts, in lower case."""
COUNTED = "|".join(map(re.escape, _WORDS)) + "|[人个位名条行件元笔户张份次円](?:卡|客户|会员|顾客|记录)?"
"""An expression for what a total counts."""
NUMBER = late_pattern(
    r"(?:davon|of which|dont|de los cuales|其中|含|共)\s*\d+\s*\S{0,20}"
    rf"|[\d\s.,%$€£¥+-]*(?:{COUNTED})?",
    re.IGNORECASE,
)
"""A number, perhaps of something: 24人, 40 Kunden, davon 3 ausgetreten."""
_LONGEST_COUNT = 7
"""Digits."""
_DIGITS = ByteSet(b"0123456789").table
_WORD = late_pattern(r"[^\W\d_]{2}")
_TIMED = late_pattern(r"(?<!\d)(?:19|20)\d\d\s*[-–/]\s*(?:\d\d)?\d\d(?!\d)|\d{1,2}[:.]\d\d\b|[:：]\s*$")
"""What no name of a person has: two years, a time, a colon at its end."""
_LOOKED_AT = 200
"""So many cells tell what a column holds."""
_MOSTLY = 0.8


def titles(
    named: Sequence[tuple[int, pa.Array]], lengths: Sequence[np.ndarray], filled: np.ndarray, wide: np.ndarray
) -> list[int]:
    """Return the positions of rows of one cell that read as the title of a group: one that is merged over
    several columns (`wide`, a mask), or stands first, where other rows have a number or it has what no name
    has."""
    found = [at for at in np.flatnonzero((filled == 1) & wide).tolist() if _has_word(_only(named, at))]
    first, length = named[0][1], lengths[0]
    alone = np.flatnonzero((filled == 1) & ~wide & (length > 0)).tolist()
    if not alone:
        return found
    beside = np.flatnonzero((filled > 1) & (length > 0))[:_LOOKED_AT]
    numbers = sum(NUMBER.fullmatch(text) is not None for text in first.take(pa.array(beside)).to_pylist())
    numbered = len(beside) > 1 and numbers >= _MOSTLY * len(beside)
    texts = ((at, str(first[at].as_py())) for at in alone)
    found += [at for at, text in texts if _has_word(text) and (numbered or _TIMED.search(text))]
    return sorted(found)


def _only(named: Sequence[tuple[int, pa.Array]], at: int) -> str:
    return "".join(str(column[at].as_py()) for _, column in named)


def _has_word(text: str) -> bool:
    return _WORD.search(text) is not None


def counts(
    named: Sequence[tuple[int, pa.Array]], lengths: Sequence[np.ndarray], filled: np.ndarray
) -> list[int]:
    """Return the positions of rows that hold a number and what it counts: 62 | Mitglieder. `lengths` are
    those of each column's cells, `filled` how many a row has."""
    left = np.flatnonzero(filled == 2)
    numbers = left[:0]
    found: list[int] = []
    for (_, column), length in zip(named, lengths, strict=True):
        if not (left.size or numbers.size):
            break
        offsets, data = offsets_and_bytes(column)
        second = numbers[length[numbers] > 1]
        begins = offsets[second]
        second = second[_beginnings()[data[begins], data[begins + 1]]]
        if len(second):
            hits = pc.is_in(column.take(pa.array(second)), value_set=_forms(column.type))
            found += second[hits.to_numpy(zero_copy_only=False)].tolist()
        here = left[length[left] > 0]
        left = left[length[left] == 0]
        here = here[_DIGITS[data[offsets[here]]] & (length[here] <= _LONGEST_COUNT)]
        numbers = np.concatenate((numbers, here))
    return [at for at in sorted(found) if _is_number_first(named, at)]


@cache
def _beginnings() -> np.ndarray:
    """Return for the first and the second byte of a text whether one of the words may begin so."""
    table = np.zeros((256, 256), dtype=bool)
    for form in _forms(pa.string()).to_pylist():
        table[tuple(form.encode()[:2])] = True
    return table


@cache
def _forms(kind: pa.DataType) -> pa.Array:
    """Return the words in the cases that people write them in."""
    return pa.array([form for word in _WORDS for form in (word, word.title(), word.upper())], kind)


def _is_number_first(named: Sequence[tuple[int, pa.Array]], at: int) -> bool:
    first = next(filter(None, (str(column[at].as_py()) for _, column in named)), "")
    return first.isdecimal()


_BEHIND_WORDS = (
    *("total", "totals", "subtotal", "sub-total", "sub total", "sum", "summe", "gesamt", "insgesamt"),
    *(
        "zwischensumme",
        "sous-total",
        "sous total",
        "totaux",
        "totale",
        "subtotale",
        "somma",
        "totaal",
        "subtotaal",
    ),
    *("suma", "sumas", "soma", "totais", "totales", "razem", "suma częściowa", "łącznie", "ogółem", "celkem"),
    *(
        "součet",
        "mezisoučet",
        "spolu",
        "összesen",
        "mindösszesen",
        "részösszeg",
        "ukupno",
        "summa",
        "delsumma",
        "delsum",
        "totalt",
    ),
    *("i alt", "yhteensä", "välisumma", "toplam", "toplamı", "итого", "всего", "итог", "подытог", "разом"),
    *("усього", "всього", "підсумок", "σύνολο", "jumlah", "tổng", "tổng cộng", "tổng số", "cộng"),
    *(
        "المجموع",
        "الإجمالي",
        "مجموع",
        "إجمالي",
        "اجمالي",
        "جمع",
        "جمع کل",
        'סה"כ',
        "סה״כ",
        "סך הכל",
        "รวม",
        "कुल",
    ),
)
"""Labels of totals that stand behind the name of a group and a blank or a mark: North total."""
_GLUED_WORDS = (
    *(
        "小计",
        "合计",
        "总计",
        "共计",
        "累计",
        "小計",
        "合計",
        "總計",
        "総計",
        "累計",
        "소계",
        "합계",
        "총계",
        "รวม",
    ),
    *(
        "合 计",
        "总 计",
        "小 计",
        "合　计",
        "总　计",
        "小　计",
        "合 計",
        "總 計",
        "小 計",
        "総 計",
        "합 계",
        "소 계",
    ),
)
"""Those that may stand right behind it: 启蒙班小计."""
_BEFORE_WORDS = (
    *("total", "totals", "subtotal", "sub-total", "sub total", "grand total", "summe", "gesamt", "insgesamt"),
    *("zwischensumme", "gesamtsumme", "sous-total", "sous total", "total général", "totale", "subtotale"),
    *(
        "totaal",
        "subtotaal",
        "razem",
        "łącznie",
        "ogółem",
        "celkem",
        "mezisoučet",
        "összesen",
        "mindösszesen",
        "részösszeg",
        "ukupno",
    ),
    *(
        "delsumma",
        "delsum",
        "totalt",
        "i alt",
        "yhteensä",
        "välisumma",
        "toplam",
        "ara toplam",
        "genel toplam",
    ),
    *(
        "итого",
        "всего",
        "итог",
        "подытог",
        "разом",
        "усього",
        "всього",
        "підсумок",
        "σύνολο",
        "jumlah",
        "tổng",
        "cộng",
        "summa",
        "γενικό σύνολο",
    ),
    *("المجموع", "الإجمالي", "مجموع", "إجمالي", "اجمالي", "جمع", 'סה"כ', "סה״כ", "סך הכל", "รวม", "कुल"),
)
"""Those that the name of a group may follow. Soma and Suma are names of people, too."""
_FOUR = 4
"""Bytes."""
_FEW = 4
"""Filled cells. In such a row the label is looked for in each of them."""
_COUNTER = "計"
"""It may stand right behind the name of a group, too: B組計. Its three bytes are looked for alone."""
_ENDS_IN_COUNTER = np.uint32(int.from_bytes(_COUNTER.encode(), "big") | 0x202020)
_THREE_BYTES = np.uint32(0x00FFFFFF)
_MARKS_BEHIND = ("", ":", "：")
_DATE = late_pattern(r".*\d{1,4}[-/.年]\d{1,2}[-/.月]\d{1,4}.*")


def _either(words: Sequence[str]) -> str:
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


_COUNT_OF = r"\d[\d.,]*\s*[^\W\d]{0,20}(?:[ '][^\W\d]{1,20})?"
"""A number, perhaps of something, whatever its name: beside the label of a total nothing else is meant."""
_TAIL = rf"\s*[:：=–-]?\s*[(（]?\s*(?:{_COUNT_OF}|[\d\s.,]*(?:{COUNTED})?)[)）.]?\s*"
_NUMBER_BESIDE = late_pattern(_COUNT_OF)
_LABEL = late_pattern(rf"\W*(?:{_either((*_BEHIND_WORDS, *_GLUED_WORDS))}){_TAIL}\W*", re.IGNORECASE)
_GROUP = r".{0,60}?"
_GROUP_LABEL = late_pattern(
    rf"\W*(?:\S{_GROUP}[\s:：,(（–—-]+(?:{_either(_BEHIND_WORDS)})"
    rf"|\S{_GROUP}(?:{_either((*_GLUED_WORDS, _COUNTER))})"
    rf"|(?:{_either((*_BEFORE_WORDS, *_GLUED_WORDS))})[\s:：,(（–—-]{_GROUP}"
    rf"|รวม\S{{0,30}}?(?: {_GROUP})?){_TAIL}\W*",
    re.IGNORECASE,
)


def may_be_subtotals(column: pa.Array, at: np.ndarray) -> np.ndarray:
    """Return those of the positions whose filled cell begins or ends like the label of a total."""
    offsets, data = offsets_and_bytes(column)
    at = at[offsets[at + 1] - offsets[at] >= _FOUR]
    heads, tails = _edges()
    tail = in_fours(data, offsets[at + 1] - _FOUR)
    found: np.ndarray = at[
        among(in_fours(data, offsets[at]), heads)
        | among(tail, tails)
        | ((tail & _THREE_BYTES) == _ENDS_IN_COUNTER)
    ]
    return found


def few_filled(filled: np.ndarray) -> np.ndarray:
    """Return a mask of the rows in which a total's label may stand in any filled cell, by how many are."""
    found: np.ndarray = (filled > 1) & (filled <= _FEW)
    return found


def is_subtotal(cells: Sequence[str]) -> bool:
    """Return whether a row is the total of a group: a label with the group's name, in one cell or in two, and
    beside it nothing but numbers."""
    filled = [cell for cell in cells if cell.strip()]
    words = [cell for cell in filled if not _is_number(cell) or _DATE.fullmatch(cell)]
    numbers = any(any(map(str.isdigit, cell)) for cell in filled if cell not in words)
    match words:
        case [label]:
            counted = numbers or any(map(str.isdigit, label)) or len(filled) == 1
            return counted and bool(_LABEL.fullmatch(label) or _GROUP_LABEL.fullmatch(label))
        case [_, label]:
            return numbers and bool(_LABEL.fullmatch(label))
    return False


def _is_number(cell: str) -> bool:
    return bool(NUMBER.fullmatch(cell) or _NUMBER_BESIDE.fullmatch(cell.strip()))


@cache
def _edges() -> tuple[np.ndarray, np.ndarray]:
    """Return how labels of totals begin and how they end, four bytes each, sorted."""
    before = _forms_of((*_BEFORE_WORDS, *_GLUED_WORDS, *_BEHIND_WORDS))
    behind = _forms_of((*_BEHIND_WORDS, *_GLUED_WORDS))
    heads = [raw[:_FOUR] for form in before if len(raw := f"{form} ".encode()) >= _FOUR]
    tails = [
        raw[-_FOUR:]
        for form in behind
        for mark in _MARKS_BEHIND
        if len(raw := f" {form}{mark}".encode()) >= _FOUR
    ]
    return _sorted_fours(heads), _sorted_fours(tails)


def _forms_of(words: Sequence[str]) -> set[str]:
    return {form for word in words for form in (word, word.title(), word.capitalize(), word.upper())}


def _sorted_fours(texts: Sequence[bytes]) -> np.ndarray:
    data = np.frombuffer(b"".join(texts), dtype=np.uint8)
    return np.unique(in_fours(data, np.arange(0, len(data), _FOUR)))
