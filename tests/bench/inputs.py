"""Customers as spreadsheets hold them, made up from a seed: the same arguments always give the same bytes.

    python -m tests.bench.inputs FILE ROWS [SHARE [VARIANT]]

FILE ends in .csv or .xlsx; SHARE is that of damaged rows (0.05 unless given). VARIANT is `usual`, `filled`
(no empty cell, and a JSON object in each row), `listed` (no empty cell either, the API's names, persons
called as in short lists, each phone in two columns, tags, accounts), `national-phones` (Brazilian ones), or
`9000-columns`.

Some two hundred bytes a row: Chinese, Vietnamese, accented and plain names, commas inside quotes, quotes in
quotes, empty cells, phones in several spellings, dates in three.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

HEADER = (
    *("Customer ID", "First Name", "Last Name", "Mobile", "WhatsApp", "Country", "Email", "Address"),
    *("Birthday", "Tags", "Remark", "Time Zone", "Gender", "belong_seat_user"),
)
DAMAGE = 0.05
_SEED = 20261120
_BLOCK = 100_000
_TEXT = pa.large_string()

_FIRST = ["Ana", "José", "Nguyễn", "Budi", "Mei Ling", "伟", "芳", "娜", "秀英", "Renée", "Fatima", "Jürgen",
          "Zoë", "Łukasz", "Søren", "さくら", "민준", "John", "Mary-Jane", "Olena"]  # fmt: skip
_LAST = ["Souza", "Álvarez", "Thị Hà", "Santoso", "Tan", "王", "李", "张", "欧阳", "Dupont-O'Neill",
         "Al-Sayed",
         "Müller", "Brontë", "Wójcik", "Ødegård", "佐藤", "김", "Smith", "Watson", "Шевченко"]  # fmt: skip
_PLACES = [
    ("Brazil", "GMT-3", "5511", "Rua Augusta {}, São Paulo, SP"),
    ("Mexico", "GMT-6", "5255", "Av. Insurgentes Sur {}, Col. Nápoles, CDMX"),
    ("Vietnam", "GMT+7", "8490", "{} Lê Lợi, Quận 1, TP. Hồ Chí Minh"),
    ("Singapore", "GMT+8", "6591", "{} Orchard Road"),
    ("中国", "GMT+8", "8613", "上海市浦东新区世纪大道{}号，3楼"),
    ("France", "Europe/Paris", "3361", '{}, rue de l\'Abbé Grégoire, bâtiment "B"'),
    ("Indonesia", "GMT+7", "6281", "Jl. Sudirman No. {}, Jakarta"),
    ("Egypt", "Africa/Cairo", "2010", "{} Tahrir St., Cairo"),
]
_TAGS = ["", "vip", "newsletter", "vip,wholesale", "trial", "双十一,老客户", "fair 2026, met in person"]
_REMARKS = ["", "", "", "asked for a catalogue", "met at the fair, wants a call back", "微信：已添加",
            'prefers "express" delivery', "first line\nsecond line"]  # fmt: skip
_OWNERS = ["anna@corp.example", "li.wei@corp.example", "sales-team", ""]


def write(path: Path, rows: int, damage: float = DAMAGE, variant: str = "usual") -> None:
    """Writes a file of so many rows below the header; `damage` is the share that cannot be imported."""
    change = _VARIANTS[variant]
    header, _ = change(HEADER, [])
    blocks = (
        change(HEADER, block(start, min(_BLOCK, rows - start), damage))[1] for start in range(0, rows, _BLOCK)
    )
    if path.suffix == ".xlsx":
        _write_workbook(path, list(blocks))
        return
    with path.open("wb") as file:
        file.write(",".join(header).encode() + b"\r\n")
        for columns in blocks:
            lines = pc.binary_join_element_wise(*map(_quoted, columns), _scalar(","))
            lines = pc.binary_join_element_wise(lines, _scalar("\r\n"), _scalar(""))
            file.write(_bytes(lines))


def block(start: int, rows: int, damage: float) -> list[pa.Array]:
    """The columns of HEADER for the rows start, start + 1, …, as texts."""
    rng = np.random.default_rng((_SEED, start))
    number = pa.array(np.arange(start, start + rows))
    place = rng.integers(len(_PLACES), size=rows)
    ids = number.cast(_TEXT)
    digits = pc.utf8_lpad(ids, 8, "0")
    prefix = _picked([one[2] for one in _PLACES], place)
    phone = _join(prefix, digits)
    plus = _join(
        "+", pc.utf8_slice_codeunits(prefix, 0, 2), " ", pc.utf8_slice_codeunits(prefix, 2), "-", digits
    )
    phone = _mixed(rng, rows, (0.9, phone), (0.1, plus))
    days = rng.integers(365 * 18, 365 * 70, size=rows)
    born = pc.strftime(pa.array(days.astype("datetime64[D]") - np.timedelta64(365 * 20, "D")), "%Y-%m-%d")
    born = born.cast(_TEXT)
    street = [one[3].partition("{}") for one in _PLACES]
    house = pa.array(rng.integers(1, 2000, size=rows)).cast(_TEXT)
    columns = [
        _join("C-", pc.utf8_lpad(ids, 9, "0")),
        _any(rng, rows, _FIRST),
        _join(_any(rng, rows, _LAST), _any(rng, rows, ["", "", " Jr.", " de la Cruz"])),
        phone,
        _mixed(rng, rows, (0.6, phone), (0.4, "")),
        _picked([one[0] for one in _PLACES], place),
        _mixed(rng, rows, (0.85, _join("customer.", ids, "@mail", house, ".example.com")), (0.15, "")),
        _join(_picked([one[0] for one in street], place), house, _picked([one[2] for one in street], place)),
        _mixed(rng, rows, (0.7, born), (0.1, pc.replace_substring(born, "-", "/")), (0.2, "")),
        _any(rng, rows, _TAGS),
        _any(rng, rows, _REMARKS),
        _picked([one[1] for one in _PLACES], place),
        _any(rng, rows, ["male", "female", "M", "F", "女", ""]),
        _any(rng, rows, _OWNERS),
    ]
    return _damaged(rng, columns, damage)


_Change = Callable[[Sequence[str], list[pa.Array]], tuple[Sequence[str], list[pa.Array]]]


def _filled(header: Sequence[str], columns: list[pa.Array]) -> tuple[Sequence[str], list[pa.Array]]:
    """No empty cell, and a JSON object in each row."""
    if columns:
        words = ("customize_1_1", "customize_1_2")
        columns = [pc.if_else(pc.equal(one, _scalar("")), _scalar("-"), one) for one in columns]
        for name, other in (("WhatsApp", "Mobile"), ("Gender", "female"), ("Birthday", "1990-05-07")):
            at = header.index(name)
            more = columns[header.index(other)] if other in header else _scalar(other)
            columns[at] = pc.if_else(pc.equal(columns[at], _scalar("-")), more, columns[at])
        mail = header.index("Email")
        made = _join("c.", columns[0], "@mail.example.com")
        columns[mail] = pc.if_else(pc.equal(columns[mail], _scalar("-")), made, columns[mail])
        columns[0] = _join(f'{{"{words[0]}":"', columns[0], f'","{words[1]}":"gold"}}')
    return ("customize_field", *header[1:]), columns


_LISTED = (
    *("first_name", "last_name", "sms_phone", "whats_app_phone", "email", "gender", "birthday", "country"),
    *("address", "remark", "tagStr", "zalo", "line", "customize_field"),
)
_GIVEN = ["Anna", "Ben", "Carla", "David", "Elena", "Felix", "Gina", "Hugo", "Ines", "Jonas", "Karin", "Luis",
          "Maria", "Nadia", "Otto", "Paula", "Rosa", "Sofia", "Tom", "Vera"]  # fmt: skip
_FAMILY = ["Lee", "Garcia", "Müller", "Rossi", "Silva", "Nguyen", "Novak", "Berg", "Costa", "Dubois"]


def _listed(header: Sequence[str], columns: list[pa.Array]) -> tuple[Sequence[str], list[pa.Array]]:
    """A table as people keep it: every cell filled, names from lists, each phone twice, tags, accounts."""
    if not columns:
        return _LISTED, []
    ids = pc.utf8_slice_codeunits(columns[0], 2).cast(pa.int64())
    at = ids.to_numpy()
    phone = _join("8613", pc.utf8_lpad(pa.array(at * 7_919_333 % 10**9).cast(_TEXT), 9, "0"))
    days = pa.array((at * 37 % 18_000).astype("datetime64[D]") - np.timedelta64(7300, "D"))
    return _LISTED, [
        _join(_picked(_GIVEN, at % 20), " ", _picked(_GIVEN, at // 20 % 20)),
        _join(_picked(_FAMILY, at % 10), _picked(["wood", "stein", "field", "ova", "ez"], at // 7 % 5)),
        *(phone, phone),
        _join("a", ids, "@example.com"),
        _picked(["1", "0"], at % 2),
        pc.strftime(days, "%Y-%m-%d").cast(_TEXT),
        pa.repeat(_scalar("China"), len(at)),
        _join(ids, " Main Street, Springfield"),
        _join("note ", ids),
        pa.repeat(_scalar("vip;new"), len(at)),
        pa.array(at + 10**9).cast(_TEXT),
        _join("line", ids),
        pa.repeat(_scalar(""), len(at)),
    ]


def _national(header: Sequence[str], columns: list[pa.Array]) -> tuple[Sequence[str], list[pa.Array]]:
    """Brazilian mobile phones without their country code, no other phones, and no other word of a country."""
    if columns:
        digits = pc.utf8_slice_codeunits(columns[0], 3)
        columns[header.index("Mobile")] = _join("119", digits)
        for name in ("WhatsApp", "Country"):
            columns[header.index(name)] = pa.repeat(_scalar(""), len(digits))
    return header, columns


def _broad(header: Sequence[str], columns: list[pa.Array]) -> tuple[Sequence[str], list[pa.Array]]:
    """More columns than most programs can take."""
    more = [f"Extra {number}" for number in range(9000 - len(header))]
    extra = (
        [pa.repeat(_scalar(f"value {number}"), len(columns[0])) for number in range(len(more))]
        if columns
        else []
    )
    return (*header, *more), [*columns, *extra]


_VARIANTS: dict[str, _Change] = {
    "usual": lambda header, columns: (header, columns),
    "filled": _filled,
    "listed": _listed,
    "national-phones": _national,
    "9000-columns": _broad,
}


def _damaged(rng: np.random.Generator, columns: list[pa.Array], share: float) -> list[pa.Array]:
    """So many rows spoilt, each in one of the ways in which real ones are."""
    rows = len(columns[0])
    kinds = (
        ("Last Name", ""),
        ("Address", "Building 7, Entrance C, " * 6),
        ("Mobile", "8.6138E+12"),
        ("Birthday", "1990-02-31"),
        ("Birthday", "next spring"),
        ("Gender", "3"),
        ("Country", "x" * 51),
        ("Remark", "bell \x07 here"),
    )
    chosen = rng.random(rows) < share
    kind = rng.integers(len(kinds), size=rows)
    for which, (name, text) in enumerate(kinds):
        at = HEADER.index(name)
        columns[at] = pc.if_else(pa.array(chosen & (kind == which)), _scalar(text), columns[at])
    return columns


def _any(rng: np.random.Generator, rows: int, texts: Sequence[str]) -> pa.Array:
    return _picked(texts, rng.integers(len(texts), size=rows))


def _picked(texts: Sequence[str], places: np.ndarray) -> pa.Array:
    return pa.array(texts, _TEXT).take(pa.array(places))


def _mixed(rng: np.random.Generator, rows: int, *parts: tuple[float, pa.Array | str]) -> pa.Array:
    """In each row one of the parts, by their shares, which add up to 1."""
    which = rng.choice(len(parts), size=rows, p=[share for share, _ in parts])
    columns = [part if isinstance(part, pa.Array) else pa.repeat(_scalar(part), rows) for _, part in parts]
    return pc.choose(pa.array(which), *columns)


def _join(*parts: pa.Array | str) -> pa.Array:
    pieces = [_scalar(part) if isinstance(part, str) else part.cast(_TEXT) for part in parts]
    return pc.binary_join_element_wise(*pieces, _scalar(""))


def _scalar(text: str) -> pa.Scalar:
    return pa.scalar(text, type=_TEXT)


def _quoted(column: pa.Array) -> pa.Array:
    inner = pc.replace_substring(column, '"', '""')
    return pc.if_else(pc.match_substring_regex(column, '[",\r\n]'), _join('"', inner, '"'), column)


def _bytes(column: pa.Array) -> memoryview:
    offsets = np.frombuffer(column.buffers()[1], dtype=np.int64)
    return memoryview(column.buffers()[2])[offsets[column.offset] : offsets[column.offset + len(column)]]


def _write_workbook(path: Path, blocks: Sequence[Sequence[pa.Array]]) -> None:
    """As people save them: phones without formatting are numbers, birthdays dates."""
    import datetime as dt

    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Customers")
    sheet.append(HEADER)
    phones, birthday = (HEADER.index("Mobile"), HEADER.index("WhatsApp")), HEADER.index("Birthday")
    for columns in blocks:
        for cells in zip(*(column.to_pylist() for column in columns), strict=True):
            row: list[object] = [text.replace("\x07", "") or None for text in cells]
            for place in phones:
                if cells[place].isdigit():
                    row[place] = int(cells[place])
            if len(cells[birthday]) == 10 and cells[birthday][4] == "-" and cells[birthday] != "1990-02-31":
                row[birthday] = dt.date.fromisoformat(cells[birthday])
            sheet.append(row)
    book.save(path)


if __name__ == "__main__":
    asked = [*sys.argv[1:], *("0.05", "usual")[len(sys.argv) - 3 :]]
    write(Path(asked[0]), int(asked[1]), float(asked[2]), asked[3])
