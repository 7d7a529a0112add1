"""Keep a person's corrections of cells, step by step, so that each step can be taken back."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

from importer.private_files import replace_private_file
from importer.readers.overlay import WHOLE_ROW, CorrectedCell
from importer.web.pages import Site
from importer.web.problems import ProblemRow, ProblemRows
from importer.web.works import Work

_UNDO_STEPS = 200


def change(site: Site, work: Work, changes: Sequence[tuple[ProblemRow, str, str, str]]) -> None:
    """Set cells: (row, column, the cell as it was read, its text from now on); remember how to undo it."""
    sha256 = site.looks.of(work).sha256
    with site.works.editing(work.id) as edit:
        cells = site.works.corrections(work)
        step: list[list[object]] = []
        for row, column, original, text in changes:
            key = (row.sheet, row.row, column)
            before = cells.pop(key, None)
            if (before.now if before else original) == text:
                if before:
                    cells[key] = before
                continue
            step.append([*key, before.now if before else None])
            if text != original:
                cells[key] = CorrectedCell(*key, original, text)
        if not step:
            return
        site.works.save_corrections(edit.work, sha256, list(cells.values()))
        _remember(site, work, step)
        edit.set()


def take_over(site: Site, work: Work, corrections: Sequence[CorrectedCell], *, again: bool = False) -> int:
    """Take corrections that were made elsewhere over, as one step.

    Those made here stay; with `again` the others count. Returns how many are new or say something else.
    """
    sha256 = site.looks.of(work).sha256
    with site.works.editing(work.id) as edit:
        cells = site.works.corrections(work)
        step: list[list[object]] = []
        for cell in corrections:
            key = (cell.sheet, cell.row, cell.column)
            before = cells.get(key)
            if (before and not again) or (before.now if before else cell.was) == cell.now:
                continue
            step.append([*key, before.now if before else None])
            cells.pop(key, None)
            if cell.now != cell.was:
                cells[key] = cell
        if step:
            site.works.save_corrections(edit.work, sha256, list(cells.values()))
            _remember(site, work, step)
            edit.set()
        return len(step)


def _undo_file(site: Site, work: Work) -> Path:
    return site.works.folder(work.id) / "undo.json"


def _steps(site: Site, work: Work) -> list[list[list[object]]]:
    with contextlib.suppress(OSError, ValueError):
        found: list[list[list[object]]] = json.loads(_undo_file(site, work).read_bytes())
        return found
    return []


def _remember(site: Site, work: Work, step: list[list[object]]) -> None:
    steps = [*_steps(site, work), step][-_UNDO_STEPS:]
    text = json.dumps(steps, ensure_ascii=False).encode("utf-8", "surrogatepass")
    replace_private_file(_undo_file(site, work), text)


def _original(row: ProblemRow | None, column: str, header: Sequence[str]) -> str:
    return row.cells[header.index(column)] if row and column != WHOLE_ROW else ""


def can_undo(site: Site, work: Work) -> bool:
    """Whether there is a step to take back."""
    return _undo_file(site, work).is_file()


def undo(site: Site, work: Work, rows: ProblemRows) -> None:
    """Take back the last step, whatever it changed."""
    header = work.check.header if work.check else ()
    with site.works.editing(work.id) as edit:
        steps = _steps(site, work)
        if not steps:
            return
        cells = site.works.corrections(work)
        for sheet, number, column, before in steps.pop():
            key = (str(sheet), int(str(number)), str(column))
            row = rows.find(key[0], key[1])
            known = cells.pop(key, None)
            if row is None and known is None:
                continue
            original = known.was if known else _original(row, key[2], header)
            if before is not None:
                cells[key] = CorrectedCell(*key, original, str(before))
        site.works.save_corrections(edit.work, site.looks.of(work).sha256, list(cells.values()))
        path = _undo_file(site, work)
        if steps:
            replace_private_file(path, json.dumps(steps, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        else:
            path.unlink(missing_ok=True)
        edit.set()
