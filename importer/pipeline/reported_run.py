"""What a report says of the run that wrote it: a report that is imported again goes on as that run did."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from importer import mapping as mappings
from importer.errors import JournalError
from importer.mapping import MappingFile
from importer.option_layers import options_from_json
from importer.options import RunOptions
from importer.readers import Source
from importer.readers.base import ALL_SHEETS
from importer.reports import reimport

if TYPE_CHECKING:
    from importer.journal import Journal, RunRecord


def prior_run(source: Source, journal: Journal) -> RunRecord | None:
    """Return the run that a report, or corrections of a rest, name; None if the journal does not know it."""
    name = named_run(source)
    try:
        return journal.run(name) if name else None
    except JournalError:
        return None


def named_run(source: Source) -> str:
    """Return the run that corrections of a rest name, or the first row of a report; empty for none."""
    if not reimport.is_report(source.header):
        return source.rest_of
    for chunk in source.chunks():
        if not chunk.frame.empty:
            return str(chunk.frame["_run"].iloc[0]).strip().removeprefix("'")
    return ""


def with_lists(options: RunOptions, source: Source, journal: Journal) -> RunOptions:
    """Return the options with the lists of all runs of which a report, or corrections of a rest, has rows.

    Whom these had to leave out, its import leaves out, too. Reads the whole report.
    """
    names = [source.rest_of]
    if reimport.is_report(source.header):
        found = {str(name) for chunk in source.chunks() for name in chunk.frame["_run"].unique()}
        names = sorted(name.strip().removeprefix("'") for name in found)
    known = {run.id: run for run in journal.runs()} if any(names) else {}
    runs = [known[name] for name in names if name in known]
    lists = dict.fromkeys(file for run in runs for file in options_from_json(run.settings).suppress)
    return replace(options, suppress=tuple(dict.fromkeys((*lists, *options.suppress))))


def as_before(
    options: RunOptions, chosen: MappingFile | None, prior: RunRecord | None
) -> tuple[RunOptions, MappingFile | None]:
    """Return options and mapping for a report: those of its run, where the options leave them open."""
    if prior is None:
        return options, chosen
    if chosen is None:
        chosen = mappings.load_text(prior.settled or prior.mapping, prior.mapping_name)
    mode = prior.mode if options.mode is None else options.mode
    return replace(options, mode=mode, contract=options.contract or prior.contract), chosen


def read_all(record: RunRecord) -> bool:
    """Whether a run read all sheets of a workbook; its annotated workbook then has several, too."""
    return options_from_json(record.read_options).sheet == ALL_SHEETS
