"""Render the typed columns of Parquet and Arrow as text, as a person would write the values.

Nothing is guessed: a text stays as it is, whole numbers have no fraction, dates are yyyy-MM-dd. Numbers that
a column of floats cannot hold exactly show it, as a cell of a workbook does.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from importer.arrow import TEXT
from importer.readers.excel.cell_text import WHOLE_LIMIT, number_text

_SEPARATOR = ","
"""Between the items of a list, as the API wants tags."""


def flattened(schema: pa.Schema) -> list[str]:
    """Return the names of the columns; a field in a field has its path: `address.city`."""
    return [name for field in schema for name in _names(field, "")]


def _names(field: pa.Field, before: str) -> Iterator[str]:
    name = f"{before}{field.name}"
    if pa.types.is_struct(field.type) and field.type.num_fields:
        for at in range(field.type.num_fields):
            yield from _names(field.type.field(at), f"{name}.")
    else:
        yield name


def flat_columns(batch: pa.RecordBatch) -> list[pa.Array]:
    """Return the columns that `flattened` names."""
    return [flat for column in batch.columns for flat in _flat(column)]


def _flat(column: pa.Array) -> Iterator[pa.Array]:
    if pa.types.is_struct(column.type) and column.type.num_fields:
        for child in column.flatten():  # with the nulls of the struct itself
            yield from _flat(child)
    else:
        yield column


def texts(column: pa.Array) -> pa.Array:
    """Return a column as text, empty where it holds nothing."""
    kind = column.type
    if isinstance(kind, pa.ExtensionType | pa.BaseExtensionType):
        if kind.extension_name == "arrow.uuid":
            return pa.array([str(value or "") for value in column.to_pylist()], TEXT)
        return texts(column.storage)
    if pa.types.is_dictionary(kind):
        # Each word once; and not of every type can a dictionary be decoded.
        words = texts(column.dictionary)
        return pc.fill_null(pa.DictionaryArray.from_arrays(column.indices, words).dictionary_decode(), "")
    if pa.types.is_run_end_encoded(kind):
        return texts(pc.run_end_decode(column))
    if pa.types.is_null(kind):
        found = pa.nulls(len(column), TEXT)
    elif pa.types.is_boolean(kind):
        found = pc.if_else(column, pa.scalar("TRUE", TEXT), pa.scalar("FALSE", TEXT))
    elif pa.types.is_floating(kind):
        found = _floats(column)
    elif pa.types.is_decimal(kind):
        found = pa.array([_decimal(value) for value in column.to_pylist()], TEXT)
    elif pa.types.is_timestamp(kind):
        found = _moments(column)
    elif pa.types.is_date(kind):
        found = column.cast(pa.date32()).cast(TEXT)
    elif _is_binary(kind):
        found = _decoded(column)
    elif pa.types.is_integer(kind) or _is_string(kind):
        found = column.cast(TEXT)
    elif pa.types.is_time(kind):
        found = pc.replace_substring_regex(column.cast(TEXT), r"\.0+$", "")
    else:
        found = pa.array([value_text(value) for value in column.to_pylist()], TEXT)
    return pc.fill_null(found, "")


def value_text(value: object) -> str | None:
    """Return any other value as text: a list of plain values with commas, all else as JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, dt.datetime):
        return _moment(value)
    if isinstance(value, list | tuple) and all(_is_plain(item) for item in value):
        return _SEPARATOR.join(str(_plain(item)) for item in value if item is not None)
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(_plain(value))


def _is_plain(item: object) -> bool:
    """Whether an item can stand between commas and be told from the others."""
    return not isinstance(item, list | tuple | dict) and not (isinstance(item, str) and _SEPARATOR in item)


def _moment(value: dt.datetime) -> str:
    """A midnight without a zone as its day, another moment with its time; in UTC, if it has a zone."""
    if value.tzinfo is not None:
        return value.astimezone(dt.UTC).replace(tzinfo=None).isoformat("T", "seconds") + "Z"
    if not (value.hour or value.minute or value.second or value.microsecond):
        return value.date().isoformat()
    return value.isoformat(" ", "seconds")


def _plain(value: object) -> object:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return number_text(value) if value == value else ""
    return _decimal(value) if isinstance(value, Decimal) else value


def _floats(column: pa.Array) -> pa.Array:
    """Whole numbers without a fraction; others as a workbook shows them. NaN is nothing, as in pandas."""
    if not pa.types.is_float64(column.type):
        # The shortest text of a narrower float, not that of its neighbour among the wider ones.
        column = column.cast(TEXT).cast(pa.float64())
    column = pc.if_else(pc.is_nan(column), pa.scalar(None, pa.float64()), column)
    whole = pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), WHOLE_LIMIT))
    if pc.all(whole, skip_nulls=True).as_py() is not False:
        return column.cast(pa.int64()).cast(TEXT)
    return pa.array([None if value is None else number_text(value) for value in column.to_pylist()], TEXT)


def _decimal(value: object) -> str | None:
    if not isinstance(value, Decimal):
        return None
    text = format(value, "f")
    head, dot, fraction = text.partition(".")
    return head if dot and not fraction.strip("0") else text


def _moments(column: pa.Array) -> pa.Array:
    """Midnights without a zone as days, others as days with a time; in UTC, if there is a zone."""
    zone = column.type.tz
    seconds = pc.floor_temporal(column, unit="second").cast(pa.timestamp("s"), safe=False)
    found = seconds.cast(TEXT)
    if zone:
        return pc.replace_substring_regex(found, "^(.*) (.*)$", r"\1T\2Z")
    return pc.replace_substring_regex(found, " 00:00:00$", "")


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_binary(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def _decoded(column: pa.Array) -> pa.Array:
    """Bytes as the UTF-8 that they are; those that are none hold U+FFFD, which is reported with its row."""
    values = column.to_pylist()
    return pa.array([None if value is None else value.decode("utf-8", "replace") for value in values], TEXT)
