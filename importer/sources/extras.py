"""Load the libraries that come with extras, and name the command that installs a missing one."""

from __future__ import annotations

import importlib
from typing import Any

from importer.errors import SettingsError


class ExtraMissing(SettingsError):  # noqa: N818 - says what is missing
    """A library of an extra is not installed."""


PACKAGE = "nxlink-importer"


def load(module: str, extra: str) -> Any:
    """Import a module of an extra. Raises ExtraMissing `extra-missing` if it is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        found = {"module": error.name or module, "command": f"pip install '{PACKAGE}[{extra}]'"}
        raise ExtraMissing("extra-missing", **found) from None
