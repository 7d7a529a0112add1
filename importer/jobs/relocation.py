"""Reports that move with their file name the place where they end up: commands in them are there to copy."""

from __future__ import annotations

import html
import json
import os
from pathlib import Path

from importer.reports.model import REPORT_HTML, SUMMARY_JSON


def name_new_place(folder: Path, new: Path) -> None:
    """Puts the path `new` wherever the summary and the page in `folder` name that folder. Doing it twice
    does no harm; a report that cannot be written keeps the old path."""
    for name, written in ((SUMMARY_JSON, _in_json), (REPORT_HTML, html.escape)):
        path = folder / name
        try:
            text = path.read_text("utf-8")
            changed = text.replace(written(str(folder)), written(str(new)))
            if changed != text:
                _replace(path, changed)
        except (OSError, UnicodeDecodeError):
            continue


def _in_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    part.chmod(path.stat().st_mode & 0o777)
    part.replace(path)
