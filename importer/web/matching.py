"""Step 3: which column is what. What a person chooses here becomes a mapping file, and nothing else."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from importer import mapping as mappings
from importer.api.account import remembered_fields
from importer.config import Connection
from importer.contracts import Contract, FieldKind
from importer.delivery.account_client import ask_for_fields
from importer.errors import ImporterError, MappingError, SettingsError, UsageError
from importer.mapping import Proposal, headers, suggest_toml
from importer.mapping.mistakes import first_mistake
from importer.mapping.person_names import NameRule
from importer.mapping.schema import checked
from importer.messages import catalogue, local_text, sentence
from importer.models import Issue, MappedChunk, TenantField
from importer.reports.wording import issue_text
from importer.validation import validate
from importer.web.mapping_table import (
    CALENDARS,
    DATE_FORMATS,
    DATE_ORDERS,
    JOINS,
    SPLIT,
    Table,
    change_table,
    countries,
    country_proposals,
    feeds,
    field_of,
    first_values,
    format_choice,
    kept_file,
    kind_of,
    read_table,
    rule_of,
    target_of,
    write_table,
)
from importer.web.pages import (
    Form,
    Site,
    changing,
    language_of,
    language_tags,
    page,
    revision_of,
    see_other,
    shown,
    site_of,
    step_url,
    told,
)
from importer.web.reading import FileLook
from importer.web.works import Work

_SAMPLES = 3
_GENDERS = {"1": "web-gender-male", "0": "web-gender-female"}
_FORM = re.compile(r"(\s*[(（;；:：,，]| \w+ yyyy).*", re.DOTALL)
_SURE, _LIKELY = 0.9, 0.6


@dataclass(frozen=True, slots=True)
class SampleOutcome:
    """One cell, what it becomes, and what is wrong with it."""

    cell: str
    becomes: str
    problem: str
    severity: str = ""


@dataclass(frozen=True, slots=True)
class ColumnMatch:
    """One column of the file as the page shows it."""

    name: str
    samples: tuple[str, ...]
    filled: float
    target: str
    field: str
    """The field that the options below are about; empty for a column that has none."""
    kind: str
    sure: str
    """sure, likely, unsure, chosen or out: a word of the catalogue."""
    why: str
    outcomes: tuple[SampleOutcome, ...]
    rule: Table
    shared: int = 1
    """How many columns feed the field."""
    countryless: tuple[str, ...] = ()
    """Phones among the first rows whose country nothing says."""
    values: tuple[tuple[str, str, str], ...] = ()
    """Values of the column that may be translated: each with its translation, and what it is read as."""


@dataclass(frozen=True, slots=True)
class MatchState:
    """A mapping on its way: the table as TOML holds it, and what it lacks."""

    table: Table
    columns: tuple[ColumnMatch, ...]
    missing: tuple[str, ...]
    constants: tuple[tuple[str, str], ...]
    error: ImporterError | None = None
    custom: tuple[TenantField, ...] = field(default=())


def _match(request: Request) -> Response:
    site, lang = site_of(request), language_of(request)
    work = site.works.get(request.path_params["work"])
    look = site.looks.of(work)
    if look.error is not None:
        return see_other(step_url(work, "see"))
    if look.report:
        return page(request, "match.html", work=work, step="match", state=None, look=look)
    contract = site.contract(work)
    if not site.works.mapping_file(work).is_file():
        work = _propose(site, work, look, contract)
    state = match_state(site, work, look, contract, lang)
    ready = [(one.name, one.title or one.name) for one in mappings.ready()]
    by, _, name = work.matched_by.partition(":")
    return page(
        request,
        "match.html",
        work=work,
        step="match",
        look=look,
        state=state,
        error=told(request, state.error) if state.error else None,
        fields=[(one.name, _label(local_text(one.help, lang)), one.required) for one in contract.fields],
        whole="full_name" in contract.names,
        ready=ready,
        by=by,
        by_name=name,
        formats=DATE_FORMATS,
        joins=JOINS,
        name_rules=[rule.value for rule in NameRule],
        orders=DATE_ORDERS,
        format_choice=format_choice,
        calendars=CALENDARS,
        countries=countries(lang),
        likely={
            one.name: country_proposals(site, work, look, one.countryless, language_tags(request))
            for one in state.columns
            if one.countryless
        },
    )


def _label(help_: str) -> str:
    """The name of a field alone, without what is said of its form: the page reads forms of any kind."""
    return _FORM.sub("", help_)


def _propose(site: Site, work: Work, look: FileLook, contract: Contract) -> Work:
    """Begin with the mapping that was kept for such a header, else a ready-made one, else a proposal."""
    kept = kept_file(site, look.header)
    known = headers.recognised(look.header)
    text, by = "", "web-matched-proposed"
    if kept.is_file():
        with contextlib.suppress(MappingError, OSError):
            text, by = mappings.load(str(kept)).dump(), "web-matched-kept"
    if not text and len(known) == 1:
        text, by = known[0].dump(), f"web-matched-ready:{known[0].title or known[0].name}"
    if not text:
        text = _proposal(site, work, look, contract)
    table = mappings.load_text(text, Path(work.name).stem or "mapping").table()
    with site.works.editing(work.id) as edit:
        write_table(site, work, table, Path(work.name).stem or "mapping")
        edit.set(matched_by=by)
    return site.works.get(work.id)


def _proposal(site: Site, work: Work, look: FileLook, contract: Contract) -> str:
    """The mapping that the columns and the tenant's own fields propose, as TOML."""
    fields = _tenant_fields(site, work) or ()
    return suggest_toml.mapping_text(look.header, look.samples, contract, sheets=look.several, fields=fields)


def match_state(site: Site, work: Work, look: FileLook, contract: Contract, lang: str) -> MatchState:
    """What becomes of each column by the present mapping."""
    table = read_table(site, work)
    tenant = _tenant_fields(site, work)
    proposals = mappings.propose(
        look.header, look.samples, contract, sheets=look.several, fields=tenant or ()
    )
    targets = {name: target_of(table, look, name) for name in look.header}
    fed = {name for name, rule in table.get("fields", {}).items() if feeds(rule, look, targets)}
    missing = tuple(headers.unfed_fields(fed, contract))
    whole = {**table, "fields": dict(table.get("fields", {}))}
    for name in missing:  # what is missing must not keep the rest from being shown
        whole["fields"][name] = {"constant": "–"}
    error: ImporterError | None = None
    mapped: MappedChunk | None = None
    problems: dict[tuple[int, str], Issue] = {}
    countryless: dict[str, list[str]] = {}
    try:
        mapping = checked(whole)
        mapper = mappings.bind(
            mapping,
            look.header,
            contract,
            tenant_fields=tenant,
            read_column=look.read_sample,
            dry_run=True,
            sheets=look.several,
        )
        chunk = look.sample_chunk()
        if chunk is not None:
            mapped = mapper.map(chunk)
            for issue in (*mapped.issues, *validate(mapped, contract)):
                if issue.code == "no-country-code" and issue.wording is None:
                    countryless.setdefault(issue.column or "", []).append(issue.found or "")
                if issue.column:
                    problems.setdefault((issue.row, issue.column), issue)
    except ImporterError as raised:
        error = raised
    except ValidationError as raised:
        error = MappingError("web-mapping-refused", reason=first_mistake(raised))
    facts = {column.name: column for column in look.columns}
    columns = []
    for proposal in proposals:
        name = proposal.column
        target = targets[name]
        named = field_of(target)
        rule = rule_of(table, target)
        kind = kind_of(contract, target)
        columns.append(
            ColumnMatch(
                name=name,
                samples=facts[name].samples,
                filled=facts[name].filled,
                target=target,
                field=named,
                kind=kind,
                sure=_sureness(proposal, target, work, contract),
                why=_why(proposal, lang),
                outcomes=_outcomes(look, mapped, problems, name, target, kind, lang),
                rule=rule,
                shared=sum(1 for other in targets.values() if other == target and target),
                countryless=() if rule.get("region") else tuple(countryless.get(name, ())),
                values=_values(look, mapped, name, target, lang, rule) if kind == FieldKind.GENDER else (),
            )
        )
    constants = tuple(
        (name, str(rule["constant"])) for name, rule in table.get("fields", {}).items() if "constant" in rule
    )
    custom = tuple(one for one in tenant or () if not one.preset)
    return MatchState(table, tuple(columns), missing, constants, error, custom)


def is_complete(site: Site, work: Work) -> bool:
    """Whether the present mapping feeds every required field, and makes sense."""
    state = match_state(site, work, site.looks.of(work), site.contract(work), "en")
    return not state.missing and state.error is None


def _tenant_fields(site: Site, work: Work, *, ask: bool = False) -> tuple[TenantField, ...] | None:
    """The tenant's fields as far as they are known; with `ask`, or for the sandbox, they are asked for."""
    try:
        connection: Connection | None = site.connection(work, dry_run=not ask)
    except SettingsError:
        if ask:
            raise
        return None
    if connection is None:
        return None
    known = remembered_fields(connection)
    if ask or (known is None and site.sandbox is not None):
        return ask_for_fields(connection)
    return known


def _why(proposal: Proposal, lang: str) -> str:
    """Why a field is proposed, without words that only programmers know."""
    plain = f"web-{proposal.why.code}"
    return sentence(plain, {}, lang) if plain in catalogue() else proposal.why.sentence(lang)


def _sureness(proposal: Proposal, target: str, work: Work, contract: Contract) -> str:
    if not work.matched_by.startswith("web-matched-proposed"):
        return "kept" if target else "out"
    proposed = ""
    if proposal.taken:
        custom = proposal.field not in contract.names
        proposed = SPLIT if proposal.split else f"{'c:' if custom else 'f:'}{proposal.field}"
    elif proposal.joined_to:
        proposed = f"f:{proposal.joined_to}"
    if target != proposed:
        return "chosen"
    if not target:
        return "out"
    return (
        "sure" if proposal.confidence >= _SURE else "likely" if proposal.confidence >= _LIKELY else "unsure"
    )


def _values(
    look: FileLook, mapped: MappedChunk | None, column: str, target: str, lang: str, rule: Table
) -> tuple[tuple[str, str, str], ...]:
    known = {key.casefold(): value for key, value in rule.get("values", {}).items()}
    read: dict[str, str] = {}
    chunk, name = look.sample_chunk(), field_of(target)
    if chunk is not None and mapped is not None and name in mapped.frame.columns:
        for row, cell in chunk.frame[column].items():
            word = _GENDERS.get(str(mapped.frame.at[row, name]), "")
            read.setdefault(str(cell).strip(), sentence(word, {}, lang) if word else "")
    return tuple(
        (cell, known.get(cell.casefold(), ""), read.get(cell, "")) for cell in first_values(look, column)
    )


def _outcomes(
    look: FileLook,
    mapped: MappedChunk | None,
    problems: dict[tuple[int, str], Issue],
    column: str,
    target: str,
    kind: str,
    lang: str,
) -> tuple[SampleOutcome, ...]:
    """The first different cells of a column, and what becomes of them."""
    chunk = look.sample_chunk()
    if chunk is None:
        return ()
    found: dict[str, SampleOutcome] = {}
    fields = ("first_name", "last_name") if target == SPLIT else (field_of(target),)
    for row, cell in chunk.frame[column].items():
        text = str(cell).strip()
        if not text or text in found:
            continue
        becomes = ""
        if mapped is not None and target and not target.startswith("c:"):
            parts = (mapped.frame.at[row, name] for name in fields if name in mapped.frame.columns)
            becomes = " | ".join(str(part) for part in parts if isinstance(part, str))
        elif target.startswith("c:"):
            becomes = text
        issue = problems.get((int(str(row)), column)) if target else None
        problem = issue_text(issue, lang=lang).message if issue is not None else ""
        if kind == FieldKind.GENDER and becomes in _GENDERS:
            becomes = sentence(_GENDERS[becomes], {}, lang)
        found[text] = SampleOutcome(text, becomes, problem, issue.severity.value if issue else "")
        if len(found) == _SAMPLES:
            break
    return tuple(found.values())


def _change(request: Request, form: Form) -> Response:
    """Change one thing of the mapping, or go on with it."""
    site = site_of(request)
    work = site.works.get(request.path_params["work"])
    look = site.looks.of(work)
    do = form.get("do", "")
    if do == "fetch-fields":
        _tenant_fields(site, work, ask=True)
        return see_other(step_url(work, "match"))
    with site.works.editing(work.id, revision_of(form)) as edit:
        if do == "take":
            edit.set(matched_by=_take(site, edit.work, look, form.get("mapping", "")))
        else:
            table = read_table(site, edit.work)
            change_table(table, look, form)
            write_table(site, edit.work, table, str(table.get("name", "mapping")))
            edit.set()
    return see_other(step_url(work, "match"))


def _take(site: Site, work: Work, look: FileLook, name: str) -> str:
    """Take a ready-made mapping, or the proposal again. Returns where the mapping comes from now."""
    if not name:
        contract = site.contract(work)
        text = _proposal(site, work, look, contract)
        write_table(site, work, mappings.load_text(text, Path(work.name).stem).table(), "mapping")
        return "web-matched-proposed"
    if name.endswith(".toml") or "/" in name:
        raise UsageError("web-no-page")
    found = mappings.load(name)
    write_table(site, work, found.table(), found.name)
    return f"web-matched-ready:{found.title or found.name}"


def _download(request: Request) -> Response:
    """The mapping file, as `importer run --mapping` takes it."""
    site = site_of(request)
    work = site.works.get(request.path_params["work"])
    path = site.works.mapping_file(work)
    if not path.is_file():
        raise UsageError("web-no-page")
    return Response(
        path.read_bytes(),
        media_type="text/plain; charset=utf-8",
        headers={"content-disposition": 'attachment; filename="mapping.toml"'},
    )


ROUTES = [
    ("GET", "/w/{work}/match", shown(_match)),
    ("POST", "/w/{work}/match", changing(_change)),
    ("GET", "/w/{work}/mapping.toml", shown(_download)),
]
