"""The tag of a run: every row gets it, so that people find an import in the CRM itself."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

from importer.errors import UsageError
from importer.mapping.tags import DEFAULT_SEPARATORS
from importer.models import Note
from importer.patterns import late_pattern

_PLACE = late_pattern(r"\{([^{}]*)\}")
_PLACES = ("date", "file")


def filled_tag(wanted: str | None, file: str, today: date) -> str | None:
    """Return a tag with its places filled: {date} by the day, {file} by the name of the file.

    What separates tags in a file's name becomes a blank. Raises UsageError `tag-unknown-place` or
    `tag-empty`.
    """
    if wanted is None:
        return None
    for place in _PLACE.findall(wanted):
        if place not in _PLACES:
            raise UsageError("tag-unknown-place", place=place)
    name = re.sub(f"[{''.join(DEFAULT_SEPARATORS)}{{}}]", " ", Path(file).name)
    found = " ".join(wanted.replace("{date}", f"{today:%Y-%m-%d}").replace("{file}", name).split())
    if not found.strip(" ,"):
        raise UsageError("tag-empty")
    return found


def tag_note(tag: str | None) -> tuple[Note, ...]:
    """Return what to say of a run's tag; nothing without one."""
    return (Note("run-tag", (("tag", tag),)),) if tag else ()
