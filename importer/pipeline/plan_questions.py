"""What a person is asked of a plan before its first row, as far as the beginning of the file shows it: of
which country phones without a country code are, whether people who must not be contacted are sent, and what
becomes of a contact that two people share.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from importer import arrow
from importer.contracts import FieldKind
from importer.errors import ReportError
from importer.mapping import consent, merged_cells
from importer.mapping.rules import Condition
from importer.models import Chunk, Mode
from importer.option_types import Duplicates
from importer.pipeline import plan as plans
from importer.pipeline.check import CheckedChunk
from importer.pipeline.events import ConsentQuestion, CountryQuestion, RunObserver, SharingQuestion
from importer.pipeline.flow import checked_chunks
from importer.pipeline.people import FirstHolders, SharedContact
from importer.pipeline.plan import RunPlan
from importer.pipeline.unused_columns import columns_that_decide, kind_of_consent, trimmed_cells
from importer.readers.overlay import CorrectedCell, CorrectedSource, write_corrections
from importer.reasons import reason_of
from importer.sources.locations import FileName

if TYPE_CHECKING:
    from importer.journal import Journal


def settled(plan: RunPlan, file: FileName, observer: RunObserver, journal: Journal) -> RunPlan:
    """Return the plan with what the observer answers. Only one that is `interactive` is asked, and of what is
    sent only if something is. That people are sent who must not be contacted is a note of the plan."""
    asks = observer.interactive and not plan.options.dry_run
    lacking = country_question(plan, file) if observer.interactive else None
    country = observer.choose_country(lacking) if lacking else None
    if country is not None:
        plan = plans.settled_with(plan, journal, replace(plan.options, country=country), plan.mapping)
    refused = consent_question(plan, file)
    if refused is not None and asks and not observer.send_refusing(refused):
        left_out = refusing_left_out(plan, refused)
        observer.keep_conditions(refused, left_out)
        only = (*plan.mapping.only, *left_out)
        plan = plans.settled_with(plan, journal, plan.options, replace(plan.mapping, only=only))
    elif refused is not None:
        plan = replace(plan, notes=(*plan.notes, refused.note()))
    shared = sharing_question(plan, file) if asks else None
    if shared is not None and not observer.send_sharing(shared):
        path = _free_path(Path(plan.source.name).stem or "stdin")
        plan = _taken_apart(plan, path, journal)
        observer.keep_corrections(path)
    return plan


def country_question(plan: RunPlan, file: FileName) -> CountryQuestion | None:
    """Return what to ask about phones without a country code.

    None if there are none, or if options, mapping or a column of the file say the country.
    """
    open_fields = {
        bound.field.name
        for bound in plan.mapper.bound.fields
        if bound.field.kind is FieldKind.PHONE and bound.rule.default_region is None
    }
    if plan.again or not open_fields:
        return None
    chunk = next(plan.source.chunks(), None)
    issues = plan.mapper.map(chunk).issues if chunk is not None else ()
    unknown = (one for one in issues if one.code == "no-country-code" and one.wording is None)
    lacking = [(one.column or "", one.row) for one in unknown if one.field in open_fields]
    if not lacking or chunk is None:
        return None
    columns = tuple(dict.fromkeys(column for column, _ in lacking))
    return CountryQuestion(file, plan.options, columns, len({row for _, row in lacking}), len(chunk.frame))


def consent_question(plan: RunPlan, file: FileName) -> ConsentQuestion | None:
    """Return what to ask about rows whose people must not be contacted, as columns say that go nowhere.

    None if there are none. A report has been asked about when its file was.
    """
    kinds = {name: kind for name in plan.mapper.unused if (kind := kind_of_consent(name)) is not None}
    chunk = None if plan.again or not kinds else next(plan.source.chunks(), None)
    if chunk is None:
        return None
    chunk = merged_cells.without_dittos(chunk, columns_that_decide(plan.mapper))
    found = {
        name: consent.refusing(kind, trimmed_cells(chunk, name))
        for name, kind in kinds.items()
        if name in chunk.frame.columns
    }
    if not any(map(np.any, found.values())):
        return None
    customers = _customers(plan, chunk)
    found = {name: where for name, told in found.items() if (where := told & customers).any()}
    if not found:
        return None
    words = [cell for name, where in found.items() for cell in trimmed_cells(chunk, name).filter(where)]
    rows = int(np.logical_or.reduce(list(found.values())).sum())
    return ConsentQuestion(
        file, plan.options, tuple(found), consent.words_shown(map(str, words)), rows, int(customers.sum())
    )


def refusing_left_out(plan: RunPlan, question: ConsentQuestion) -> tuple[Condition, ...]:
    """Return the conditions that leave out the people of whom the question is, in the whole file."""
    found = []
    for name in question.columns:
        kind = kind_of_consent(name)
        if kind is not None:
            found.append(consent.leaving_out(name, kind, _different_cells(plan, name)))
    return tuple(found)


def sharing_question(plan: RunPlan, file: FileName) -> SharingQuestion | None:
    """Return what to ask about people with a phone or an e-mail of somebody else further up in the file.

    None if there are none, or if options say what becomes of such rows: in mode `keep` the first stays.
    """
    options = plan.options
    decided = options.strict or options.corrections or options.duplicates is not Duplicates.SEND
    if plan.again or decided or plan.mode is Mode.KEEP:
        return None
    with contextlib.closing(checked_chunks(plan)) as chunks:
        found = tuple(_shared(plan, itertools.islice(chunks, 1)))
    return SharingQuestion(file, options, found) if found else None


def _shared(plan: RunPlan, chunks: Iterable[CheckedChunk]) -> Iterator[SharedContact]:
    holders = FirstHolders(plan.contract, plan.mapper)
    for checked in chunks:
        yield from holders.look(checked.chunk, checked.customers)


def _taken_apart(plan: RunPlan, path: Path, journal: Journal) -> RunPlan:
    """Return the plan with corrections, written to a new file, that leave a contact with the first of those
    who share it. A contact that is taken out may uncover another one.

    Raises ReportError `corrections-unwritable`.
    """
    file, cells = plan.source, list[CorrectedCell]()
    for _ in plan.contract.contact_fields:
        with contextlib.closing(checked_chunks(plan)) as chunks:
            more = [cell for one in _shared(plan, chunks) for cell in one.cells]
        if not more:
            break
        cells += more
        try:
            write_corrections(path, file.sha256, cells)
        except OSError as error:
            reason = reason_of(error)
            raise ReportError("corrections-unwritable", file=path.absolute(), reason=reason) from error
        options = replace(plan.options, corrections=str(path.absolute()))
        source = CorrectedSource(file, path)
        plan = plans.settled_with(replace(plan, source=source), journal, options, plan.mapping)
    return plan


def _free_path(stem: str) -> Path:
    """Return the path of a new corrections file in the working directory."""
    ends = ("", *(f"-{number}" for number in range(2, 1000)))
    paths = (Path(f"{stem}{end}.corrections.jsonl") for end in ends)
    return next(path for path in paths if not path.exists())


def _customers(plan: RunPlan, chunk: Chunk) -> np.ndarray:
    """Return a mask of the rows that no reader and no condition of the mapping leaves out."""
    skipped = [skip.rows for skip in plan.mapper.map(chunk).skips]
    rows = chunk.frame.index.to_numpy()
    return ~np.isin(rows, np.concatenate(skipped)) if skipped else np.ones(len(rows), dtype=bool)


def _different_cells(plan: RunPlan, name: str) -> pa.Array:
    """Return the different cells of a column in the whole file, without blanks around them."""
    found: dict[str, None] = {}
    for part in plan.source.column(name):
        cells = arrow.trimmed(arrow.without_nulls(arrow.to_arrow(part)))
        found |= dict.fromkeys(cells.unique().to_pylist())
    return arrow.array(list(found))
