"""Plan one run: open its source, choose its mapping, options and destination. Nothing is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pandas as pd

from importer import contracts
from importer import mapping as mappings
from importer.config import Connection, is_loopback
from importer.contracts import Contract
from importer.dataclass import dataclass
from importer.errors import InputError, MappingError, SettingsError
from importer.fingerprints import NO_KEY, FingerprintKey, content_key
from importer.mapping import Mapper, MappingFile
from importer.mapping.addresses import with_joined_address
from importer.mapping.custom_fields import missed_note, preset_columns, with_own_fields
from importer.mapping.headers import left_out_note
from importer.mapping.regions import require_region
from importer.models import Destination, Mode, Note, TenantField
from importer.option_layers import options_from_json
from importer.option_types import SettingValue
from importer.options import RunOptions
from importer.pipeline.reported_run import as_before, named_run, prior_run, read_all, with_lists
from importer.pipeline.run_tag import filled_tag, tag_note
from importer.pipeline.suppression import Suppression, read_suppression
from importer.pipeline.table import as_mapping_reads, open_table
from importer.readers import Source
from importer.readers.base import ALL_SHEETS, NO_HEADER
from importer.reports import reimport
from importer.reports.run_info import report_settings
from importer.sources.locations import FileName

if TYPE_CHECKING:
    from importer.journal import Journal, RunRecord


@dataclass(frozen=True, slots=True)
class RunPlan:
    """One run, ready to start. `source` is open until `close`."""

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
    """Whether the file is one of the importer's own reports."""
    notes: tuple[Note, ...] = ()
    reported: RunRecord | None = None
    """The run that wrote the report, if the file is one, or whose rest this is; None if the journal does not
    know it."""
    connection: Connection | None = None
    """Who signs; None if nothing can be sent."""
    before: RunRecord | None = None
    """The newest run that imported this very file to the same place in the same way."""
    fingerprint_key: FingerprintKey = NO_KEY
    """For the fingerprints of contacts that the journal keeps."""
    content_key: str = ""
    """For the fingerprints of what is sent, if the journal keeps what the lane's customers hold."""
    sent_key: str = ""
    """For the fingerprints by which corrections of rows that are in are found; "" if nobody asks."""
    suppression: Suppression | None = None
    """Who must not be sent; None without a list."""

    def content_key_in(self, mode: Mode) -> str:
        """The `content_key` of what is sent in another mode; "" if this one has none."""
        if not self.content_key or self.destination is None:
            return ""
        return _key_of_contents(self.fingerprint_key, mode, self.destination, self.connection)

    @property
    def list_doubts(self) -> tuple[Note, ...]:
        """What to say of lists of people who must not be sent that cannot be used as a whole."""
        return self.suppression.doubts() if self.suppression is not None else ()

    @property
    def used(self) -> tuple[str, ...]:
        """The columns that the mapping reads, in the file's order."""
        unused = frozenset(self.mapper.unused)
        return tuple(name for name in self.header if name not in unused)

    @property
    def identifiers(self) -> tuple[str, ...]:
        """The columns of phones and numbers: with a digit less they name another customer."""
        fields = (field.name for field in self.contract.fields if field.identifier)
        return tuple(column for name in fields for column in self.mapper.columns.get(name, ()))

    @property
    def rest_of(self) -> str:
        """The run of which only the rest is imported. A report says of each row itself what became of it."""
        return "" if self.again else self.source.rest_of

    @property
    def escaped(self) -> bool:
        """Whether cells may begin with a ' that the report put before what looks like a formula."""
        return self.again and self.source.delimiter is not None

    @property
    def settings(self) -> tuple[tuple[str, SettingValue], ...]:
        """(name, value) of the options that made a difference, as the plan settled them."""
        effective = {
            "mode": self.mode.label,
            "contract": self.contract.name,
            "mapping": self.mapping.name,
            "encoding": self.source.encoding,
        }
        return report_settings(self.options, effective)

    def close(self) -> None:
        self.source.close()


def make_plan(
    file: FileName,
    options: RunOptions,
    connection: Connection | None,
    journal: Journal,
    *,
    name: str | None = None,
) -> RunPlan:
    """Open a file and plan its import. `connection` is None if nothing is to be sent.

    `name`: what its owner calls the file, if not by its path. Raises InputError, MappingError, UsageError.
    """
    chosen = mappings.load(options.mapping) if options.mapping else None
    options = as_mapping_reads(file, options, chosen)
    try:
        source = open_table(file, options, chosen, name=name)
    except InputError as error:
        if chosen is not None and error.code in NO_HEADER:
            # Such a mapping finds no header, and what it lacks is the better explanation.
            mappings.check_required(chosen, _contract(options, connection))
        raise
    try:
        prior = prior_run(source, journal)
        options, chosen = as_before(with_lists(options, source, journal), chosen, prior)
        if prior is not None and options.sheet is None and len(source.sheets) > 1 and read_all(prior):
            source.close()
            options = replace(options, sheet=ALL_SHEETS)
            source = open_table(file, options, chosen, name=name)
        options = replace(options, tag=filled_tag(options.tag, source.name, date.today()))
        plan = _settle(source, options, chosen, connection, journal)
        named = named_run(source) if prior is None else ""
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
    """Plan a run of the journal again: same file, mapping, contract and mode.

    `options` are those of `kept_options`, or changed ones. Raises InputError `source-gone` or
    `source-changed` if the file is not the one that was started, SettingsError `other-destination` if the
    connection leads elsewhere.
    """
    path = Path(record.path)
    if not path.is_file():
        raise InputError("source-gone", file=record.path or record.source, run=record.id)
    chosen = mappings.load_text(record.mapping, record.mapping_name)
    source = open_table(path, options, chosen, name=record.source)
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
    known = known_fields(connection)
    given = chosen is not None
    if chosen is None:
        labels = preset_columns(header, known or (), contract)
        choice = mappings.choose(header, contract, source.name, sheets, labels)
        chosen, told = with_own_fields(choice.mapping, choice.left_out, known or ())
        if choice.how == "headers" and not sheets:
            chosen = with_joined_address(chosen, header)
        notes += (*choice.notes, *told)
    if options.country:
        chosen = chosen.in_country(require_region(options.country))

    def look(column: str) -> Iterator[pd.Series[str]]:
        if own:
            yield from (reimport.restore(one, escaped=escaped)[0].frame[column] for one in source.chunks())
        else:
            yield from source.column(column)

    dry_run = options.dry_run
    tied = partial(mappings.bind, chosen, header, contract, read_column=look, dry_run=dry_run, sheets=sheets)
    mapper = _compile(tied, chosen, connection, known, dry_run=dry_run)
    if not given:
        notes += left_out_note(mapper.unused)
    if not own and connection is not None and (known is not None or not _is_here(connection)):
        notes += missed_note(mapper.unused, known)
    mode = Mode.UPDATE if options.mode is None else options.mode
    destination = connection.destination(contract.endpoint.base_url) if connection else None
    if destination is not None:
        destination = replace(destination, contract=contract.name)
    contents = _content_key(journal, options, destination, mode, connection)
    kept = destination is not None and not dry_run
    compared = own or bool(source.rest_of)
    sent = content_key(journal.fingerprint_key, contract.name) if kept or compared or contents else ""
    before = None
    if destination is not None and not source.rest_of:
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
        notes=(*notes, *mapper.notes, *tag_note(options.tag)),
        before=before,
        connection=connection,
        fingerprint_key=journal.fingerprint_key,
        content_key=contents,
        sent_key=sent,
        suppression=read_suppression(options, chosen),
    )


def _content_key(
    journal: Journal,
    options: RunOptions,
    destination: Destination | None,
    mode: Mode,
    connection: Connection | None,
) -> str:
    if destination is None or not (options.changed_only or journal.contents.keeps(destination.lane)):
        return ""
    return _key_of_contents(journal.fingerprint_key, mode, destination, connection)


def _key_of_contents(
    key: FingerprintKey, mode: Mode, destination: Destination, connection: Connection | None
) -> str:
    return content_key(
        key, mode.label, destination.contract, connection.strict_binding if connection else None
    )


def settled_with(plan: RunPlan, journal: Journal, options: RunOptions, mapping: MappingFile) -> RunPlan:
    """Return the plan with these options and this mapping. The source stays open."""
    found = _settle(plan.source, options, mapping, plan.connection, journal)
    return replace(found, notes=plan.notes, reported=plan.reported)


def _sheets(source: Source, own: bool) -> tuple[tuple[str, ...], ...]:
    """Return the header of each sheet, if there are several, without the importer's own columns."""
    headers = source.sheet_headers.values()
    if len(headers) < 2:
        return ()
    return tuple(reimport.original_header(header, escaped=False) if own else header for header in headers)


def _compile(
    compiled: Callable[..., Mapper],
    chosen: MappingFile,
    connection: Connection | None,
    known: tuple[TenantField, ...] | None,
    *,
    dry_run: bool,
) -> Mapper:
    """Bind the mapping to the file's columns.

    The tenant's list of fields is fetched only if the mapping names custom fields, and never by a dry run. A
    remembered list that lacks one of them is fetched again.
    """

    def tied(fields: tuple[TenantField, ...] | None) -> Mapper:
        return compiled(tenant_fields=fields)

    if not chosen.custom or connection is None:
        return tied(None)
    from importer.delivery.account_client import ask_for_fields  # a dry run does without

    if known is None and not dry_run:
        return tied(ask_for_fields(connection))
    try:
        return tied(known)
    except MappingError as error:
        if dry_run or all(one.code != "custom-field-unknown" for one in error.every):
            raise
        return tied(ask_for_fields(connection))


def known_fields(connection: Connection | None) -> tuple[TenantField, ...] | None:
    """Return the tenant's list of fields if somebody has asked for it."""
    if connection is None:
        return None
    from importer.api.account import remembered_fields

    return remembered_fields(connection)


def _is_here(connection: Connection) -> bool:
    """Whether the connection leads to a sandbox, whose fields nobody has to ask for."""
    return is_loopback(urlsplit(connection.base_url or "").hostname or "")


def _contract(options: RunOptions, connection: Connection | None) -> Contract:
    return contracts.load(
        options.contract or (connection.contract if connection else contracts.DEFAULT_CONTRACT)
    )


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


def needs_canary(plan: RunPlan, journal: Journal) -> bool:
    """Return whether one row goes ahead of the others: to a tenant that this journal has never reached."""
    there, wanted = plan.destination, plan.options.canary
    if wanted is not None or there is None:
        return bool(wanted)
    return not (is_loopback(urlsplit(there.host).hostname or "") or journal.has_reached(there))


def kept_options(record: RunRecord) -> RunOptions:
    """Return how a run was read, checked and sent, as the journal keeps it."""
    return replace(
        options_from_json(record.settings, record.read_options),
        mode=record.mode,
        contract=record.contract,
        report_dir=Path(record.report_dir) if record.report_dir else None,
        dry_run=record.dry_run,
    )
