"""Recognize what totals count: 24人, 40 Kunden, and rows that hold nothing else, such as 62 | Mitglieder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer.arrow import ByteSet, offsets_and_bytes
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
