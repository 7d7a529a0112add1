"""The options of one run: how it reads, checks, sends and reports.

Who signs and where requests go is in `importer.config`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from importer.models import Mode


class Duplicates(StrEnum):
    """What is done with a row that shares a phone or e-mail with an earlier one."""

    SEND = "send"
    SKIP = "skip"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How one run reads, checks and sends: the options of `run` that are not about who signs."""

    mode: Mode | None = None
    """None: the mode of the run that a re-imported report names, else update."""
    mapping: str | None = None
    sheet: str | None = None
    header_row: int | str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    contract: str | None = None
    dry_run: bool = False
    concurrency: int = 4
    rate: float | None = None
    """Requests a second; None: 10, unlimited to loopback; 0: unlimited."""
    patience: float = 300.0
    """Seconds that an absent server is waited for."""
    attempts: int = 8
    duplicates: Duplicates = Duplicates.SEND
    strict: bool = False
    max_invalid: float | None = None
    """Percent of the rows."""
    limit: int | None = None
    report_dir: Path | None = None
    excel_report: bool = False
    resend_unknown: bool = False
    rejected: bool = False
    """`retry`: the rows that the server rejected, too."""
    mask: bool = False
    lang: str = "en"
    sandbox_store: str | None = None
    """The file in which the sandbox that it goes to keeps its customers."""
