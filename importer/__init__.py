"""Customers from spreadsheets into NXLink CDP, with a true status for every row.

The names below are loaded on first use, so that `import importer` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importer.config import Connection, Secret
    from importer.errors import ImporterError
    from importer.exit_codes import ExitCode
    from importer.library import import_file, import_table, validate_file
    from importer.models import Issue, IssueGroup, Mode, RunSummary, Severity, Status
    from importer.option_types import Duplicates
    from importer.options import RunOptions
    from importer.pipeline.events import RunObserver

__version__ = "0.2.0"

__all__ = [
    "Connection",
    "Duplicates",
    "ExitCode",
    "ImporterError",
    "Issue",
    "IssueGroup",
    "Mode",
    "RunObserver",
    "RunOptions",
    "RunSummary",
    "Secret",
    "Severity",
    "Status",
    "__version__",
    "import_file",
    "import_table",
    "validate_file",
]

_HOMES = {
    "importer.errors": ("ImporterError",),
    "importer.library": ("import_file", "import_table", "validate_file"),
    "importer.config": ("Connection", "Secret"),
    "importer.models": ("ExitCode", "Issue", "IssueGroup", "Mode", "RunSummary", "Severity", "Status"),
    "importer.options": ("Duplicates", "RunOptions"),
    "importer.pipeline.events": ("RunObserver",),
}


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    import importlib

    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
