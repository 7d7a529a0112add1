"""How a command speaks and asks: the options that are not about the run itself."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Manner:
    """How a command speaks and asks."""

    quiet: bool = False
    verbose: bool = False
    log_json: bool = False
    yes: bool = False
    mask: bool = False

    @property
    def can_ask(self) -> bool:
        """True if somebody sits at a terminal and has not said yes to everything."""
        terminals = (sys.stdin, sys.stderr)
        return not self.yes and all(stream is not None and stream.isatty() for stream in terminals)


def take_manner(values: dict[str, Any]) -> Manner:
    """Takes the options that concern speaking out of what a command was given."""
    names = [field.name for field in dataclasses.fields(Manner)]
    return Manner(**{name: values[name] for name in names if values.get(name) is not None})
