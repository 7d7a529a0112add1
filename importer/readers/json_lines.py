"""Read JSON Lines: an object a line, whose keys name the columns.

Numbers keep the digits that they are written with. The file is read twice, since any line may bring a key
that no line before it had. A row's number is that of its line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from importer.arrow import TEXT
from importer.errors import InputError
from importer.models import Chunk, Issue, Severity
from importer.readers.base import FileIdentity, ReadOptions, Source
from importer.readers.chunks import ColumnBlock, shortened, to_chunks
from importer.readers.decoding import stamp
from importer.readers.typed_table import named_layout
from importer.readers.typed_values import value_text

_LONGEST_LINE = 1 << 26
_BOM = b"\xef\xbb\xbf"
_WHOLE = re.compile(r"(-?\d+)\.0+")


def is_json_lines(head: bytes) -> bool:
    """Return whether a file that begins with `head` holds an object in its first filled line.

    One that is alone and holds a list of others, or nothing but lists, is a document in JSON instead.
    """
    first, _, rest = head.removeprefix(_BOM).lstrip().partition(b"\n")
    if not first.startswith(b"{"):
        return False
    try:
        found = json.loads(first)
    except ValueError:
        return False
    if rest.strip():
        return True
    values = list(found.values())
    lists = [value for value in values if isinstance(value, list)]
    return len(lists) < len(values) and not any(isinstance(item, dict) for one in lists for item in one)


@dataclass(slots=True)
class _Record:
    """A line: its cells by the names of their columns, or why it has none."""

    number: int
    cells: Mapping[str, str]
    issue: Issue | None = None


class JsonLinesSource(Source):
    """A .jsonl or .ndjson file."""

    format = "jsonl"

    def __init__(self, origin: FileIdentity, file: BinaryIO, options: ReadOptions) -> None:
        """Collect the keys of all lines. Raises InputError; `file` stays open."""
        super().__init__(origin)
        self.encoding = "utf-8"
        self._file = file
        self._stamp = stamp(file)
        self._options = options
        keys: dict[str, None] = {}
        self.estimated_rows = 0
        for record in self._records():
            keys |= dict.fromkeys(record.cells)
            self.estimated_rows = record.number
        self._keys = tuple(keys)
        self._layout = named_layout(self._keys, self.name)
        self.header, self.notes = self._layout.header, self._layout.notes

    def chunks(self) -> Iterator[Chunk]:
        batch: list[_Record] = []
        for record in self._records():
            batch.append(record)
            if len(batch) == self._options.chunk_rows:
                yield from self._chunks_of(batch)
                batch = []
        if batch:
            yield from self._chunks_of(batch)
        self.rows_read = self.estimated_rows or 0
        if stamp(self._file) != self._stamp:
            raise InputError("file-changed", name=self.name)

    def _chunks_of(self, records: list[_Record]) -> list[Chunk]:
        columns = [pa.array([one.cells.get(key, "") for one in records], TEXT) for key in self._keys]
        rows = np.array([one.number for one in records], dtype=np.int64)
        issues = [one.issue for one in records if one.issue is not None]
        block = ColumnBlock(columns, rows, issues)
        return to_chunks(block, self._layout, "", self._options.chunk_rows, records=True)

    def _records(self) -> Iterator[_Record]:
        with self.path.open("rb") as file:
            number = 0
            while line := file.readline(_LONGEST_LINE):
                number += 1
                if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
                    size = _LONGEST_LINE >> 20
                    raise InputError("record-too-long", name=self.name, row=number, megabytes=size)
                text = (line.removeprefix(_BOM) if number == 1 else line).strip()
                if text:
                    yield _record(number, text)


class _RepeatedKeys(dict[str, object]):
    """An object whose keys are not all different; the last value of each counts."""

    repeated: tuple[str, ...] = ()


def _record(number: int, line: bytes) -> _Record:
    try:
        found = _DECODER.decode(line.decode())
    except UnicodeDecodeError:
        return _broken(number, line, "bad-encoding", "utf-8")
    except (ValueError, RecursionError):
        return _broken(number, line, "bad-json-line", "")
    if not isinstance(found, dict):
        return _broken(number, line, "bad-json-line", "")
    cells: dict[str, str] = {}
    repeated = list(_flatten(found, "", cells))
    if repeated:
        issue = Issue("repeated-key", Severity.WARNING, number, column=repeated[0], found=cells[repeated[0]])
        return _Record(number, cells, issue)
    return _Record(number, cells)


def _broken(number: int, line: bytes, code: str, expected: str) -> _Record:
    found = shortened(line.decode("utf-8", "replace"))
    return _Record(number, {}, Issue(code, Severity.ERROR, number, found=found, expected=expected))


def _flatten(value: Mapping[str, object], before: str, cells: dict[str, str]) -> Iterator[str]:
    """Fill in the cells of an object; those of an object in it are named `address.city`.

    Yields keys that come twice.
    """
    for key, one in value.items():
        name = f"{before}{key}"
        if isinstance(one, dict) and one:
            yield from _flatten(one, f"{name}.", cells)
            continue
        if name in cells:
            yield name
        cells[name] = value_text(one) or ""
    if isinstance(value, _RepeatedKeys):
        yield from (f"{before}{key}" for key in value.repeated)


def _whole(digits: str) -> str:
    found = _WHOLE.fullmatch(digits)
    return found[1] if found else digits


def _refuse(constant: str) -> object:
    raise ValueError(constant)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    found, keys = _RepeatedKeys(plain), [key for key, _ in pairs]
    found.repeated = tuple(key for key in plain if keys.count(key) > 1 and not isinstance(plain[key], dict))
    return found


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_whole, parse_int=str, parse_constant=_refuse
)
