"""Decide what one run is going to do: the open source, its mapping, its options, where it goes. Nothing is
sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pandas as pd

from importer import contracts
from importer import mapping as mappings
from importer.config import Connection
from importer.contracts import Contract
from importer.errors import InputError, JournalError, MappingError, SettingsError
from importer.fingerprints import NO_KEY, FingerprintKey
from importer.journal import Journal, RunRecord
from importer.mapping import Mapper, MappingFile
from importer.models import Destination, Mode, Note, TenantField
from importer.options import RunOptions, options_from_json
from importer.pipeline.table import open_table
from importer.readers import Source
from importer.readers.base import ALL_SHEETS, NO_HEADER
from importer.reports import reimport


@dataclass(frozen=True, slots=True)
class RunPlan:
    """One run, ready to go. `source` is open; whoever has the plan closes it."""

    source: Source
    header: tuple[str, ...]
    """The owner's columns, without the importer's own."""
    mapping: MappingFile
    mapper: Mapper
    contract: Contract
    mode: Mode
    options: RunOptions
    destination: Destination | None
    """None for a dry run without credentials."""
    again: bool
    """The file is one of our own reports."""
    notes: tuple[Note, ...] = ()
    reported: RunRecord | None = None
    """The run that a reports file comes from, if the journal knows it."""
    connection: Connection | None = None
    """Who signs; None where nothing can be sent."""
    before: RunRecord | None = None
    """The newest run that imported this very file to the same place in the same way."""
    fingerprint_key: FingerprintKey = NO_KEY
    """For the fingerprints of contacts that the journal keeps."""

    @property
    def used(self) -> tuple[str, ...]:
        """The columns that the mapping reads, in the file's order."""
        unused = frozenset(self.mapper.unused)
        return tuple(name for name in self.header if name not in unused)

    @property
    def identifiers(self) -> tuple[str, ...]:
        """The columns in which a digit lost is a different customer."""
        fields = (field.name for field in self.contract.fields if field.identifier)
        return tuple(column for name in fields for column in self.mapper.columns.get(name, ()))

    @property
    def escaped(self) -> bool:
        """True where cells carry one ' before what a spreadsheet program would take for a formula."""
        return self.again and self.source.delimiter is not None

    def close(self) -> None:
        self.source.close()


def make_plan(
    file: Path | str,
    options: RunOptions,
    connection: Connection | None,
    journal: Journal,
) -> RunPlan:
    """Opens a file and settles how it becomes customers. `connection` is None where nothing is to be sent.

    Raises InputError, MappingError, UsageError.
    """
    chosen = mappings.load(options.mapping) if options.mapping else None
    try:
        source = open_table(file, options, chosen)
    except InputError as error:
        if chosen is not None and error.code in NO_HEADER:
            # No header of such a mapping can be found: what it lacks is the nearer trouble.
            mappings.check_required(chosen, _contract(options, connection))
        raise
    try:
        prior = _prior_run(source, journal) if reimport.is_report(source.header) else None
        options, chosen = _as_before(options, chosen, prior)
        if prior is not None and options.sheet is None and len(source.sheets) > 1 and _read_all(prior):
            source.close()
            options = replace(options, sheet=ALL_SHEETS)
            source = open_table(file, options, chosen)
        plan = _settle(source, options, chosen, connection, journal)
        named = _named_run(source) if plan.again and prior is None else ""
        notes = (*plan.notes, Note("run-unknown-here", (("run", named),))) if named else plan.notes
        return replace(plan, reported=prior, notes=notes)
    except BaseException:
        source.close()
        raise


def plan_from_record(
    record: RunRecord,
    options: RunOptions,
    connection: Connection | None,
    journal: Journal,
) -> RunPlan:
    """The plan of a run that the journal knows: same file, mapping, contract and mode.

    `options`: those of `kept_options`, as far as nothing else is wanted. Raises InputError `source-gone` or
    `source-changed` if the file is not the one that was started, SettingsError `other-destination` if the
    connection leads elsewhere.
    """
    path = Path(record.path)
    if not path.is_file():
        raise InputError("source-gone", file=record.path or record.source, run=record.id)
    chosen = mappings.load_text(record.mapping, record.mapping_name)
    source = open_table(path, options, chosen)
    try:
        if source.sha256 != record.sha256:
            raise InputError("source-changed", file=record.path, run=record.id)
        options = replace(options, mode=record.mode, contract=record.contract)
        plan = _settle(source, options, chosen, connection, journal)
        if connection is not None and record.destination is not None:
            _check_destination(record, plan.destination)
        return plan
    except BaseException:
        source.close()
        raise


def _settle(
    source: Source,
    options: RunOptions,
    chosen: MappingFile | None,
    connection: Connection | None,
    journal: Journal,
) -> RunPlan:
    own = reimport.is_report(source.header)
    escaped = own and source.delimiter is not None
    header = reimport.original_header(source.header, escaped=escaped) if own else source.header
    contract = _contract(options, connection)
    notes = [note for note in source.notes if not (options.mask and note.quotes)]
    sheets = _sheets(source, own)
    if chosen is None:
        choice = mappings.choose(header, contract, source.name, sheets)
        chosen = choice.mapping
        notes += choice.notes

    def look(column: str) -> Iterator[pd.Series[str]]:
        for chunk in source.chunks():
            restored = reimport.restore(chunk, escaped=escaped)[0] if own else chunk
            yield restored.frame[column]

    dry_run = options.dry_run
    tied = partial(mappings.bind, chosen, header, contract, read_column=look, dry_run=dry_run, sheets=sheets)
    mapper = _compile(tied, chosen, connection, dry_run=dry_run)
    mode = Mode.UPDATE if options.mode is None else options.mode
    destination = connection.destination(contract.endpoint.base_url) if connection else None
    if destination is not None:
        destination = replace(destination, contract=contract.name)
    before = None
    if destination is not None:
        before = journal.imported_before(source.sha256, destination.key, chosen.digest, mode)
    return RunPlan(
        source=source,
        header=header,
        mapping=chosen,
        mapper=mapper,
        contract=contract,
        mode=mode,
        options=options,
        destination=destination,
        again=own,
        notes=(*notes, *mapper.notes),
        before=before,
        connection=connection,
        fingerprint_key=journal.fingerprint_key,
    )


def _sheets(source: Source, own: bool) -> tuple[tuple[str, ...], ...]:
    """The header of each sheet, if there are several, without the importer's own columns."""
    headers = source.sheet_headers.values()
    if len(headers) < 2:
        return ()
    return tuple(reimport.original_header(header, escaped=False) if own else header for header in headers)


def _compile(
    compiled: Callable[..., Mapper], chosen: MappingFile, connection: Connection | None, *, dry_run: bool
) -> Mapper:
    """Ties the mapping to the file. The tenant's list of fields is fetched only if the mapping names custom
    fields, and never by a dry run; a list that lacks one of them is asked for again."""

    def tied(fields: tuple[TenantField, ...] | None) -> Mapper:
        return compiled(tenant_fields=fields)

    if not chosen.custom or connection is None:
        return tied(None)
    from importer.api.account import fetch_fields, remembered_fields

    known = remembered_fields(connection)
    if known is None and not dry_run:
        return tied(fetch_fields(connection))
    try:
        return tied(known)
    except MappingError as error:
        if error.code != "custom-field-unknown" or dry_run:
            raise
        return tied(fetch_fields(connection))


def _contract(options: RunOptions, connection: Connection | None) -> Contract:
    return contracts.load(options.contract or (connection.contract if connection else "sea"))


def _prior_run(source: Source, journal: Journal) -> RunRecord | None:
    """The run that the first row of a report names, if the journal knows it."""
    name = _named_run(source)
    try:
        return journal.run(name) if name else None
    except JournalError:
        return None


def _named_run(source: Source) -> str:
    """What stands under `_run` in the first row; empty without rows."""
    for chunk in source.chunks():
        if not chunk.frame.empty:
            return str(chunk.frame["_run"].iloc[0]).strip().removeprefix("'")
    return ""


def _as_before(
    options: RunOptions, chosen: MappingFile | None, prior: RunRecord | None
) -> tuple[RunOptions, MappingFile | None]:
    """A report that is imported again takes mapping, mode and contract from its run, unless given."""
    if prior is None:
        return options, chosen
    if chosen is None:
        chosen = mappings.load_text(prior.settled or prior.mapping, prior.mapping_name)
    mode = prior.mode if options.mode is None else options.mode
    return replace(options, mode=mode, contract=options.contract or prior.contract), chosen


def _read_all(record: RunRecord) -> bool:
    """True for a run over all sheets of a workbook: the annotated one has its rows on several, too."""
    return options_from_json(record.read_options).sheet == ALL_SHEETS


def _check_destination(record: RunRecord, destination: Destination | None) -> None:
    if destination is None or destination.key != record.destination_key:
        there = record.destination
        raise SettingsError(
            "other-destination",
            run=record.id,
            host=there.host if there else "–",
            tenant=there.tenant_id if there else "–",
            app=there.app_key if there else "–",
        )


def kept_options(record: RunRecord) -> RunOptions:
    """Return how a run was read, checked and sent, as the journal keeps it."""
    return replace(
        options_from_json(record.settings, record.read_options),
        mode=record.mode,
        contract=record.contract,
        report_dir=Path(record.report_dir) if record.report_dir else None,
        dry_run=record.dry_run,
    )
