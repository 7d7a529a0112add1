"""From a person's columns to the API's fields: mapping files, header matching and value rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from importer.mapping.choosing import Choice, choose, known_name, recognised
from importer.mapping.compiling import check_required, compile  # noqa: A004
from importer.mapping.document import MappingFile
from importer.mapping.files import load, load_text, ready, ready_text
from importer.mapping.mapper import EXAMPLE_MARK, Mapper

if TYPE_CHECKING:
    from importer.mapping.proposing import Proposal, propose

__all__ = [
    "EXAMPLE_MARK",
    "Choice",
    "Mapper",
    "MappingFile",
    "Proposal",
    "check_required",
    "choose",
    "compile",
    "known_name",
    "load",
    "load_text",
    "propose",
    "ready",
    "ready_text",
    "recognised",
]


def __getattr__(name: str) -> object:
    """Loads on first use: a file whose mapping is known needs no proposals, nor the likeness of texts."""
    if name not in ("Proposal", "propose"):
        raise AttributeError(name)
    from importer.mapping import proposing

    return getattr(proposing, name)
