"""From a person's columns to the API's fields: mapping files, header matching and value rules."""

from importer.mapping.choosing import Choice, choose, known_name, recognised
from importer.mapping.compiling import check_required, compile  # noqa: A004
from importer.mapping.document import MappingFile
from importer.mapping.files import load, load_text, ready, ready_text
from importer.mapping.mapper import EXAMPLE_MARK, Mapper
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
