"""Recognize example rows: “Jane Example, delete this row”, 示例. They look like customers, phone and all."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from importer.patterns import late_pattern

_WORDS = (
    "example|beispiel|ejemplo|exemplo|exemple|esempio|voorbeeld|пример|przykład|örnek|ví dụ|ตัวอย่าง"
    "|示例|样例|範例|范例|記入例|サンプル|예시|مثال|דוגמה|sample row|sample customer|sample data"
)
"""What a row says of itself. Sample, Muster and Contoh are names, too."""
_ROW = "row|line|data|entry|customer|zeile|kunde|fila|linha|数据|行|客户"
_SAYS_SO = late_pattern(
    # The word alone, or behind a name of one or two words, in brackets, or before a Chinese name.
    rf"[\W_]*(?:{_WORDS})(?:[ -]?(?:{_ROW}))?[\W_]*|(?:[^\W\d][\w.]* ){{1,2}}(?:{_WORDS})"
    rf"|.*[(（\[【](?:{_WORDS})[)）\]】].*|(?:示例|样例|範例|范例)[^\W\d]{{1,4}}"
)
_OF_ROWS = (
    "delete this row|delete this line|delete this example|delete this entry|remove this row|remove this line"
    "|overwrite this row|overwrite this line|do not import this|zeile löschen|zeile bitte löschen"
    "|zeile entfernen|borrar esta fila|borre esta fila|eliminar esta fila|elimine esta fila|apagar esta linha"
    "|apague esta linha|excluir esta linha|exclua esta linha|remover esta linha|supprimer cette ligne"
    "|supprimez cette ligne"
    "|eliminare questa riga|cancellare questa riga|verwijder deze rij|verwijder deze regel|удалить строку"
    "|удалите эту строку|удалите строку|usuń ten wiersz|bu satırı sil|hapus baris ini|xóa dòng này|ลบแถวนี้"
    "|删除此行|删除本行|删除该行|この行は削除|この行を削除|행을 삭제"
)
"""What a cell asks for, whatever else stands in it."""
_ALONE = (
    "delete|delete this|delete me|remove|remove this|overwrite|do not import|don't import|löschen"
    "|bitte löschen|nicht importieren|eliminar|borrar|no importar|apagar|excluir|não importar|supprimer"
    "|ne pas importer|non importare|niet importeren|удалить|удалите|не импортировать|请删除|請刪除|导入前删除"
    "|请勿导入|勿导入|削除してください"
)
"""What asks for it if nothing else stands there but a word for an example."""
_ASKS = late_pattern(
    rf".*(?:{_OF_ROWS}).*"
    rf"|[\W_]*(?:(?:{_WORDS})[\W_]*)?(?:please )?(?:{_ALONE})(?: before (?:the )?import)?[\W_]*"
)
_MAY_SAY_SO = tuple(f"{_WORDS}|{_OF_ROWS}|{_ALONE}".split("|"))


def samples(columns: Sequence[pa.Array], end: int) -> list[int]:
    """Return which of the first `end` rows say that they are examples, or ask to be deleted, in a cell
    that no row further down repeats."""
    found: set[int] = set()
    for column in columns:
        for at, cell in enumerate(column.slice(0, end).to_pylist()):
            if at not in found and is_sample(cell) and pc.index(column.slice(end), cell).as_py() < 0:
                found.add(at)
    return sorted(found)


def is_sample(cell: str) -> bool:
    """Return whether a cell says that its row is an example, or asks to delete it."""
    text = re.sub(r"\s+", " ", cell[:200]).strip().casefold()
    if not any(map(text.__contains__, _MAY_SAY_SO)):
        return False
    return bool(_SAYS_SO.fullmatch(text) or _ASKS.fullmatch(text))
