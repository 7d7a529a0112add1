"""What the mapping's tests share: chunks from plain columns, and rows of a mapped chunk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from importer import arrow, contracts, mapping
from importer.mapping import Mapper
from importer.models import Chunk, MappedChunk, TenantField

SEA = contracts.load("sea")
PLAT = contracts.load("plat")
NAMES = {"first_name": "A", "last_name": "B"}
"""What a row of `sea` cannot do without."""


def chunk(cells: Mapping[str, Sequence[str]], first_row: int = 2) -> Chunk:
    """A chunk of these columns; rows are numbered as below a header in line 1."""
    rows = len(next(iter(cells.values())))
    frame = arrow.frame(
        {name: arrow.array(list(texts)) for name, texts in cells.items()},
        np.arange(first_row, first_row + rows),
    )
    return Chunk("", frame)


def mapper(
    toml: str, cells: Mapping[str, Sequence[str]], contract: contracts.Contract = SEA, **more: object
) -> Mapper:
    """The mapper of a mapping file for these columns, which it can look at again."""

    def look(column: str) -> Iterator[pd.Series]:
        yield chunk(cells).frame[column]

    return mapping.bind(mapping.load_text(toml, "own.toml"), list(cells), contract, read_column=look, **more)  # type: ignore[arg-type]


def mapped(
    toml: str, cells: Mapping[str, Sequence[str]], contract: contracts.Contract = SEA, **more: object
) -> MappedChunk:
    """The columns mapped by a mapping file."""
    return mapper(toml, cells, contract, **more).map(chunk(cells))


def values(found: MappedChunk, field: str) -> list[str | None]:
    """A field's values; None where it is left out."""
    return [None if pd.isna(value) else str(value) for value in found.frame[field]]


def field(toml: str, name: str, *cells: str) -> list[str | None]:
    """The values of one field, fed by a rule over the column X; names are filled with constants."""
    rules = "\n".join(f'[fields.{key}]\nconstant = "{value}"' for key, value in NAMES.items() if key != name)
    return values(mapped(f"{rules}\n[fields.{name}]\n{toml}", {"X": cells}), name)


def plain(name: str, *cells: str, header: str = "X") -> list[str | None]:
    """The values of one field by the default rules."""
    rules = "\n".join(f'[fields.{key}]\nconstant = "{value}"' for key, value in NAMES.items() if key != name)
    return values(mapped(f'{rules}\n[fields.{name}]\nfrom = "{header}"', {header: cells}), name)


def tenant_field(name: str, label: str, kind: int, **more: object) -> TenantField:
    """A custom field of a tenant."""
    return TenantField(name, label, label, False, False, kind, **more)  # type: ignore[arg-type]
