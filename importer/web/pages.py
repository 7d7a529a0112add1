"""Draw pages: templates, language, forms, and errors as sentences in place."""

from __future__ import annotations

import math
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from importer import contracts, messages
from importer.config import ConfigFile, Connection, Profile, load_config
from importer.contracts import Contract
from importer.credentials import require, resolve
from importer.errors import FaultError, ImporterError, SettingsError, UsageError
from importer.escaping import single_line
from importer.exit_codes import ExitCode
from importer.jobs.selection import lists_in_force
from importer.journal import RunRecord
from importer.models import Destination, Status
from importer.option_layers import layered
from importer.option_types import Duplicates
from importer.options import RunOptions
from importer.pipeline.session import SessionSettings
from importer.reasons import reason_of
from importer.reports import ReportResult, wording
from importer.sandbox import Sandbox
from importer.web.tasks import TaskBoard
from importer.web.works import EXPIRY_DAYS, Work, WorkStore

LANGUAGE_COOKIE = "nxlink-importer-language"
MOST_FORM = 1 << 22
"""Bytes of a form. Files come another way."""
STEPS = ("see", "match", "check", "correct", "import")


@dataclass
class Site:
    """What all pages of one server share."""

    works: WorkStore
    tasks: TaskBoard
    config: ConfigFile
    profile_name: str | None
    closing: threading.Event
    sandbox: Sandbox | None = None
    journal: Path | None = None
    looks: Any = None
    """How files read: the cache of `importer.web.reading`."""
    rechecks: Any = None
    """Mappings bound to files: the cache of `importer.web.problems`."""
    report_corrections: dict[str, Any] = field(default_factory=dict)
    """What `importer.web.corrected_before` found in reports that were imported elsewhere, by run."""
    pruned: float = -math.inf
    """When works that expired were last deleted."""
    _connections: dict[str, Connection] = field(default_factory=dict)

    def profile(self, work: Work | None = None) -> Profile:
        """The profile of a piece of work, else that of the server. Raises SettingsError."""
        return self.config.profile((work.profile if work else "") or self.profile_name)

    def place(self, work: Work) -> str:
        """The name of the profile of a piece of work: where it goes, as far as its owner sees."""
        return work.profile or self.profile_name or "default"

    def settings(self, work: Work | None = None) -> SessionSettings:
        """The settings of a session. Raises SettingsError."""
        known = self._known_connection(work)
        return SessionSettings(self.profile(work), known, journal=self.journal, on_page=True)

    def note_result(self, result: ReportResult | None) -> None:
        """Read the settings again after a run whose credentials were refused."""
        if result is not None and result.summary.exit_code is ExitCode.REFUSED:
            self._connections.clear()

    def settings_of_run(self, run: RunRecord) -> SessionSettings:
        """The settings with which a run goes on: of the profile that it was begun with, or another one that
        names its tenant and application, if one does. Raises SettingsError."""
        there, lists_of = run.destination, partial(lists_in_force, self.config)
        names = sorted(self.config.names("profile"), key=lambda name: name != run.profile)
        for name in names if there and self.sandbox is None else ():
            try:
                profile = self.config.profile(name)
            except SettingsError:
                continue  # a mistake in a profile stops only what uses it
            named = (profile.setting("tenant_id"), profile.setting("app_key"))
            if there and named == (there.tenant_id, there.app_key):
                return SessionSettings(profile, journal=self.journal, on_page=True, lists_of=lists_of)
        return replace(self.settings(), lists_of=lists_of)

    def options(self, work: Work, lang: str) -> RunOptions:
        """How a piece of work is read and sent; mapping, corrections and reports folder are still missing."""
        base = layered(RunOptions(), self.profile(work).given)
        store = None if self.sandbox is None else str(self.sandbox.path)
        if work.duplicates:
            base = replace(base, duplicates=Duplicates(work.duplicates))
        return replace(
            base,
            sheet=work.sheet,
            header_row=work.header_row,
            encoding=work.encoding,
            delimiter=work.delimiter,
            sandbox_store=store,
            lang=lang,
        )

    def connection(self, work: Work | None, *, dry_run: bool) -> Connection | None:
        """Where a piece of work would go; None if a dry run cannot tell. Raises SettingsError."""
        known = self._known_connection(work)
        if known is not None:
            return known
        self.config = load_config()  # somebody may have written what was missing
        profile = self.profile(work)
        resolved = resolve(profile, profile.contract)
        if not resolved.missing:
            self._connections[work.profile if work else ""] = resolved.connection
        if dry_run:
            return resolved.connection if {"tenant_id", "app_key"} <= resolved.origins.keys() else None
        return require(resolved)

    def _known_connection(self, work: Work | None) -> Connection | None:
        """Where a piece of work goes, if that is known: a command that prints a secret runs once."""
        if self.sandbox is None:
            return self._connections.get(work.profile if work else "")
        profile = self.profile(work)
        contract = profile.contract or contracts.DEFAULT_CONTRACT
        return replace(self.sandbox.connection, contract=contract, strict_binding=profile.strict_binding)

    def contract(self, work: Work | None) -> Contract:
        """The variant of the API that applies; the usual one where settings are missing."""
        try:
            found = self.connection(work, dry_run=True)
        except SettingsError:
            found = None
        name = self.profile(work).contract or (found.contract if found else contracts.DEFAULT_CONTRACT)
        return contracts.load(name)

    def destination(self, work: Work | None) -> Destination:
        """Where a piece of work is sent. Raises SettingsError if settings are missing."""
        found = self.connection(work, dry_run=False)
        if found is None:
            raise SettingsError("missing-credentials", missing="–", variables="–")
        return found.destination(contracts.load(found.contract).endpoint.base_url)


Form = Mapping[str, str]
Handler = Callable[[Request], Response]
Endpoint = Callable[[Request], Awaitable[Response]]
FormHandler = Callable[[Request, Form], Response]


def site_of(request: Request) -> Site:
    """The site that a request is for."""
    site: Site = request.app.state.site
    return site


def language_of(request: Request) -> str:
    """The language of a request: what was chosen, else what the browser prefers."""
    found = (tag.split("-")[0].lower() for tag in language_tags(request))
    return next((one for one in found if one in messages.LANGUAGES), messages.LANGUAGES[0])


def language_tags(request: Request) -> list[str]:
    """The languages of the person, the preferred one first: what was chosen, then those of the browser, some
    with a country (id-ID)."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    named = [part.split(";")[0].strip() for part in request.headers.get("accept-language", "").split(",")]
    if chosen not in messages.LANGUAGES:
        return named
    return sorted([*named, chosen], key=lambda tag: tag.split("-")[0].lower() != chosen)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("importer.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        optimized=False,  # compiles faster to much the same code
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _in_language(wording.number), "size": _in_language(wording.size)}
    environment.filters |= {"span": _in_language(wording.span)}
    environment.filters |= {"shortened": wording.shortened, "path": partial(quote, safe="")}
    environment.filters |= {"opening": wording.opening, "line": single_line}
    environment.globals |= {"STEPS": STEPS, "EXPIRY_DAYS": EXPIRY_DAYS}
    environment.globals |= {
        "LANGUAGE_NAMES": messages.LANGUAGE_NAMES,
        "LANGUAGE_TAGS": messages.LANGUAGE_TAGS,
    }
    return environment


def _in_language(write: Callable[[Any, str], str]) -> Callable[[Context, Any], str]:
    """A filter that writes a number in the language of the page."""

    @pass_context
    def written(context: Context, value: Any) -> str:
        return write(value, context["lang"])

    return written


def compile_templates() -> None:
    """Compile all templates, so that nobody waits for it later: a third of a second for some of them."""
    for name in _environment().list_templates():
        _environment().get_template(name)


def draw(request: Request, template: str, /, **context: object) -> str:
    """The text of a template."""
    lang = language_of(request)
    site = site_of(request)

    def t(code: str, **found: object) -> str:
        name = f"web-{code}"
        single = any(found.get(counted) == 1 for counted in ("cells", "fields"))
        if single and f"{name}-one" in messages.catalogue():
            name += "-one"
        return messages.sentence(name, found, lang)

    def status_word(value: str, keep: bool = False) -> str:
        return wording.status(Status(value), lang, keep=keep)

    common = {
        "t": t,
        "lang": lang,
        "rows": partial(wording.rows, lang=lang),
        "places": partial(wording.places, lang=lang),
        "status_word": status_word,
        "kind_word": partial(wording.kind, lang=lang),
        "sandbox": site.sandbox is not None,
        "sandbox_url": site.sandbox.base_url if site.sandbox is not None else "",
        "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        "work": None,
        "step": "",
        "error": None,
    }
    return _environment().get_template(template).render(common | context)


def page(request: Request, template: str, /, status: int = 200, **context: object) -> HTMLResponse:
    """A whole page. A lone surrogate of a file's own text is shown as a question mark."""
    text = draw(request, template, **context)
    return HTMLResponse(text.encode("utf-8", "replace"), status)


def told(request: Request, error: ImporterError) -> dict[str, str]:
    """An error as templates take it."""
    lang, plain = language_of(request), _without_folders(error)
    return {"message": plain.sentence(lang), "hint": plain.hint(lang, on_page=True), "code": error.code}


def _without_folders(error: ImporterError) -> ImporterError:
    """The error with files called by their names: people on the page do not know where we keep them."""
    found = {
        name: _without_folders(value)
        if isinstance(value, ImporterError)
        else str(value).rsplit("/", 1)[-1]
        if name in ("name", "file", "list")
        else value
        for name, value in error.found.items()
    }
    return type(error)(error.code, **found)


def error_page(request: Request, error: ImporterError, status: int = 400) -> HTMLResponse:
    """A page with an error and the way on."""
    return page(request, "error.html", status, error=told(request, error))


def refused_page(request: Request, code: str, status: int) -> HTMLResponse:
    """A page for somebody who is not let in: it tells nothing but that."""
    return page(request, "refused.html", status, error=told(request, UsageError(code)))


def see_other(url: str) -> RedirectResponse:
    """Lead the browser to another page after a change."""
    return RedirectResponse(url, 303)


def step_url(work: Work, step: str) -> str:
    """The page of a step."""
    return f"/w/{work.id}/{step}"


_STATUS = {"web-no-work": 404, "web-no-page": 404, "unknown-run": 404, "web-changed-elsewhere": 409}
"""The HTTP status of errors that have one of their own."""


def _limit(error: OSError) -> FaultError:
    """The error of a disk, or another limit of the system, that refuses what has to be kept."""
    return FaultError("system-limit", reason=reason_of(error))


def shown(handler: Handler) -> Endpoint:
    """Make an endpoint of a function that draws a page; it runs in a thread, and its errors are told."""

    async def endpoint(request: Request) -> Response:
        try:
            return await run_in_threadpool(handler, request)
        except ImporterError as error:
            return error_page(request, error, _STATUS.get(error.code, 400))
        except OSError as error:
            return error_page(request, _limit(error), 507)

    return endpoint


def changing(handler: FormHandler) -> Endpoint:
    """Make an endpoint of a function that takes a form; it runs in a thread, and its errors are told."""

    async def endpoint(request: Request) -> Response:
        try:
            form = await read_form(request)
            return await run_in_threadpool(handler, request, form)
        except ClientDisconnect:
            return Response(status_code=400)
        except ImporterError as error:
            return error_page(request, error, _STATUS.get(error.code, 400))
        except OSError as error:
            return error_page(request, _limit(error), 507)

    return endpoint


async def read_form(request: Request) -> Form:
    """The fields of a form. Raises UsageError `web-form-too-large`."""
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > MOST_FORM:
            raise UsageError("web-form-too-large")
        pieces.append(piece)
    text = b"".join(pieces).decode("utf-8", "replace")
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=5000))
    except ValueError:
        raise UsageError("web-form-too-large") from None


def revision_of(form: Form) -> int | None:
    """The revision that the page showed when the form was filled in."""
    return whole_number(form.get("revision", ""))


def whole_number(text: str) -> int | None:
    """A number from 0 that a form or an address holds; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def page_number(request: Request) -> int:
    """The number of the page that an address asks for, from 1."""
    return max(whole_number(request.query_params.get("page", "")) or 1, 1)
