"""What is proposed for a column of an unknown file."""

from __future__ import annotations

from dataclasses import dataclass

from importer.models import Note

TAKEN = 0.6
"""A proposal of at least this confidence is taken; any other is only mentioned. `make bench ONLY=matching`
measures what it costs and saves."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """The field that one column most likely feeds."""

    column: str
    field: str | None
    """The API field, or the key of a custom field; None if the column would be left out."""
    confidence: float
    """0 to 1."""
    why: Note
    split: bool = False
    """True if the column holds full names, of which `field` and last_name each take a part."""
    rivals: tuple[str, ...] = ()
    """Columns that would be taken for the field if this one was not there."""
    joined_to: str = ""
    """The field of another column, with which this one is joined: a place with its street."""

    @property
    def reason(self) -> str:
        """Why, in English."""
        return self.why.sentence()

    @property
    def taken(self) -> bool:
        """Whether the proposal is sure enough to be used without asking a person."""
        return self.field is not None and self.confidence >= TAKEN

    @property
    def fed(self) -> str:
        """The field that the column feeds, alone or joined with others; "" if it is left out."""
        return (self.field or "") if self.taken else self.joined_to
