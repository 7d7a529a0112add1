"""Say inside a sentence why something failed, in our words: those of Python and libraries reach nobody."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from importer import messages
from importer.models import Note
from importer.toml import TooLongError

_NEEDED = {
    "bool_type": "reason-flag",
    "int_type": "reason-integer",
    "int_from_float": "reason-integer",
    "float_type": "reason-number",
    "finite_number": "reason-number",
    "string_type": "reason-text",
    "tuple_type": "reason-list",
    "list_type": "reason-list",
    "model_type": "reason-table",
    "model_attributes_type": "reason-table",
    "dict_type": "reason-table",
    "missing": "reason-missing",
}
"""pydantic's kinds of mistakes, and the messages that say what is needed instead."""


def value_reason(kind: str, context: Mapping[str, Any]) -> Note:
    """Return what may stand there instead, for a kind of mistake and its context as pydantic has them."""
    if kind == "greater_than_equal":
        return Note("reason-at-least", (("least", f"{context['ge']:g}"),))
    if kind == "less_than_equal":
        return Note("reason-at-most", (("most", f"{context['le']:g}"),))
    code = kind if kind in messages.catalogue() else _NEEDED.get(kind, "reason-other")
    return Note(code, tuple(context.items()))


def toml_reason(error: ValueError) -> Note:
    """Return where a text is no TOML. It quotes nothing, since a secret may stand there."""
    place = re.search(r"at line (\d+), column (\d+)", str(error))
    if place:
        return Note("reason-toml", (("line", int(place[1])), ("column", int(place[2]))))
    if isinstance(error, UnicodeDecodeError):
        return Note("reason-not-utf-8")
    if "end of document" in str(error):
        return Note("reason-toml-end")
    return Note("reason-toml-long" if isinstance(error, TooLongError) else "reason-toml-deep")


def command_reason(error: Exception) -> Note:
    """Return why a command of the user did not end well, as `subprocess.run` raised it."""
    from subprocess import CalledProcessError, TimeoutExpired  # `--help` has no time for it

    if isinstance(error, CalledProcessError):
        return Note("reason-exit", (("code", error.returncode),))
    if isinstance(error, TimeoutExpired):
        return Note("reason-too-slow", (("seconds", f"{error.timeout:g}"),))
    if isinstance(error, OSError):
        return Note("reason-not-run", (("reason", error.strerror or "–"),))
    return Note("reason-no-command" if isinstance(error, IndexError) else "reason-quotes")


def reason_of(error: BaseException) -> str:
    """Return why something failed in the system's words, or in those of the error's name: “read timeout”."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]+", type(error).__name__)
    kept = [word if word.isupper() else word.lower() for word in words]
    if len(kept) > 1 and kept[-1] in ("error", "exception"):
        kept.pop()
    return " ".join(kept)
