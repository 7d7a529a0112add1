"""What a person is asked of a plan before its first row, as far as the beginning of the file shows it: of
which country phones without a country code are, and whether people who must not be contacted are sent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from importer import arrow
from importer.contracts import FieldKind
from importer.mapping import consent
from importer.mapping.rules import Condition
from importer.models import Chunk
from importer.pipeline import plan as plans
from importer.pipeline.events import ConsentQuestion, CountryQuestion, RunObserver
from importer.pipeline.plan import RunPlan
from importer.pipeline.unused_columns import kind_of_consent, trimmed_cells
from importer.sources.locations import FileName

if TYPE_CHECKING:
    from importer.journal import Journal


def settled(plan: RunPlan, file: FileName, observer: RunObserver, journal: Journal) -> RunPlan:
    """Return the plan with what the observer answers. Only one that is `interactive` is asked; what was not
    asked, or was answered so that these people are sent, is a note of the plan."""
    lacking = country_question(plan, file) if observer.interactive else None
    country = observer.choose_country(lacking) if lacking else None
    if country is not None:
        plan = plans.changed(plan, journal, replace(plan.options, country=country), plan.mapping)
    refused = consent_question(plan, file)
    if refused is None:
        return plan
    if observer.interactive and not observer.send_refusing(refused):
        left_out = refusing_left_out(plan, refused)
        observer.keep_conditions(refused, left_out)
        only = (*plan.mapping.only, *left_out)
        return plans.changed(plan, journal, plan.options, replace(plan.mapping, only=only))
    return replace(plan, notes=(*plan.notes, refused.note()))


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
