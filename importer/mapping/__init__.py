"""Map the columns of a spreadsheet to the fields of the API: mapping files, header matching, value rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from importer.mapping.binding import bind, check_required
from importer.mapping.filters import EXAMPLE_MARK
from importer.mapping.headers import Choice, choose, is_known_name, recognised
from importer.mapping.loader import load, load_text, ready, ready_text
from importer.mapping.mapper import Mapper
from importer.mapping.rules import MappingFile

if TYPE_CHECKING:
    from importer.mapping.proposals import Proposal
    from importer.mapping.suggest import propose

__all__ = [
    "EXAMPLE_MARK",
    "Choice",
    "Mapper",
    "MappingFile",
    "Proposal",
    "bind",
    "check_required",
    "choose",
    "is_known_name",
    "load",
    "load_text",
    "propose",
    "ready",
    "ready_text",
    "recognised",
]


def __getattr__(name: str) -> object:
    """Import proposals on first use: a run whose mapping is known needs neither them nor rapidfuzz."""
    if name not in ("Proposal", "propose"):
        raise AttributeError(name)
    from importer.mapping import suggest

    return getattr(suggest, name)
