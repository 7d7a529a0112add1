"""The options of a run as its journal keeps them, and as words of a command that means the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from importer.journal import RunRecord
from importer.models import Mode
from importer.options import Duplicates, RunOptions

READING = ("sheet", "header_row", "encoding", "delimiter")
_KEPT = (
    *(
        "duplicates",
        "strict",
        "limit",
        "max_invalid",
        "excel_report",
        "mask",
        "lang",
        "concurrency",
        "rate",
        "patience",
    ),
    *("attempts", "rejected", "sandbox_store"),
)
"""The options that a resumed run takes over from the journal."""


def kept_options(record: RunRecord) -> RunOptions:
    """How a run was read, checked and sent, as the journal keeps it."""
    kept: Mapping[str, Any] = json.loads(record.settings) | json.loads(record.read_options)
    values = {name: value for name, value in kept.items() if name in (*_KEPT, *READING)}
    if "duplicates" in values:
        values["duplicates"] = Duplicates(values["duplicates"])
    return RunOptions(
        **values,
        mode=record.mode,
        contract=record.contract,
        report_dir=Path(record.report_dir) if record.report_dir else None,
        dry_run=record.dry_run,
    )


def read_options_json(options: RunOptions) -> str:
    """How the file was read, for the journal."""
    return json.dumps({name: getattr(options, name) for name in READING})


def arguments(options: RunOptions) -> tuple[str, ...]:
    """The words behind `importer run FILE` that make it mean the same: how the file is read and checked, and
    the mode. Commands that the reports offer are made of them."""
    usual = RunOptions()
    words: list[str] = []
    checking = ("duplicates", "strict", "max_invalid", "limit")
    for name in ("mode", "mapping", "contract", *READING, *checking, "sandbox_store"):
        value = getattr(options, name)
        if value == getattr(usual, name) or (name == "mode" and value is Mode.UPDATE):
            continue
        words.append("--" + name.replace("_", "-"))
        words += [] if value is True else [_word(value)]
    return tuple(words)


def _word(value: object) -> str:
    if isinstance(value, Mode):
        return value.label
    return f"{value:g}" if isinstance(value, float) else str(value)


def settings_json(options: RunOptions) -> str:
    """How the run was made, for the journal and the reports: no secret is among the options."""
    return json.dumps({name: getattr(options, name) for name in _KEPT}, ensure_ascii=False)
