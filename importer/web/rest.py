"""Go on with what an import left: the same file under the same row numbers, without the rows that are in."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import replace
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from importer.errors import ImporterError, SettingsError, UnknownRunError, UsageError
from importer.journal import Journal, RunKind, RunRecord
from importer.option_layers import options_from_json
from importer.options import RunOptions
from importer.private_files import create_private_file, open_plain_file, replace_private_file
from importer.readers.overlay import Corrections, read_corrections
from importer.reports.files import REJECTS_CSV, REJECTS_XLSX, own_files
from importer.web.earlier import first_of
from importer.web.pages import Form, Site, changing, language_of, see_other, site_of, step_url
from importer.web.running import check_file
from importer.web.works import Work, now

_PIECE = 1 << 20


def _correct_rest(request: Request, form: Form) -> Response:
    """Lead to the rows that a run did not bring in: checked anew, they can be corrected and sent."""
    site, lang = site_of(request), language_of(request)
    with Journal.open(site.journal) as journal:
        run = journal.find(request.path_params["run"])
        first = first_of(journal, run)
        work = _work_of(site, journal, first)
    work = work or _from_source(site, first) or _from_report(site, run)
    site.tasks.start(work.id, "check", lambda task: check_file(site, work, lang, task))
    return see_other(step_url(work, "check"))


def _take_all(request: Request, form: Form) -> Response:
    """Let a piece of work be about the whole file again, rows that are in included."""
    site, lang = site_of(request), language_of(request)
    work = site.works.get(request.path_params["work"])
    if work.rest_of:
        work = as_rest_of(site, work, "")
        site.tasks.start(work.id, "check", lambda task: check_file(site, work, lang, task))
    return see_other(step_url(work, "check"))


def as_rest_of(site: Site, work: Work, run: str) -> Work:
    """Make a piece of work be about the rest of a run; with an empty one, about the whole file."""
    with site.works.editing(work.id) as edit:
        edit.set(rest_of=run, check=None, only_changed=False)
        changed = replace(edit.work, rest_of=run)
        site.works.save_corrections(
            changed, site.looks.of(work).sha256, site.works.corrections(work).values()
        )
    return site.works.get(work.id)


def _work_of(site: Site, journal: Journal, first: RunRecord) -> Work | None:
    """The piece of work that a run came from, if its file is still here and the file is no report."""
    for work in site.works.recent():
        if work.run and not work.report and site.works.file(work).is_file():
            with contextlib.suppress(UnknownRunError):
                if first_of(journal, journal.run(work.run)).id == first.id:
                    return as_rest_of(site, work, first.id)
    return None


def _from_source(site: Site, run: RunRecord) -> Work | None:
    """A new piece of work with the file of a run that was started elsewhere; None if it is not as it was."""
    path, options = Path(run.path), options_from_json(run.settings, run.read_options)
    if not run.path or not path.is_file() or run.kind is RunKind.REIMPORT:
        return None
    made = Corrections(run.sha256, ())
    if options.corrections:
        try:
            made = read_corrections(Path(options.corrections))
        except ImporterError:
            return None
    profile = _profile_of(site, run)
    work = site.works.new(Path(run.source).name)
    try:
        size = _copied(path, site.works.file(work), made.sha256)
        if size is None:
            site.works.delete(work.id)
            return None
        replace_private_file(site.works.mapping_file(work), (run.settled or run.mapping).encode())
        work = _read_as(replace(work, size=size, mode=run.mode.label, profile=profile, used=now()), options)
        work = replace(work, rest_of=run.id)
        site.works.save(work)
        site.works.save_corrections(work, made.sha256, made.cells)
    except OSError as error:
        site.works.delete(work.id)
        raise site.works.no_room(work, error) from None
    return work


def _read_as(work: Work, options: RunOptions) -> Work:
    """The piece of work with its file read as a run read it."""
    reading = {name: getattr(options, name) for name in ("sheet", "header_row", "encoding", "delimiter")}
    return replace(work, seen=True, matched_by="web-matched-run", **reading)


def _copied(source: Path, target: Path, sha256: str) -> int | None:
    """Copy a file, and return its size; None if its content is another one. Raises OSError."""
    digest, size = hashlib.sha256(), 0
    with open_plain_file(source) as file, create_private_file(target) as copy:
        while piece := file.read(_PIECE):
            digest.update(piece)
            copy.write(piece)
            size += len(piece)
    return size if digest.hexdigest() == sha256 else None


def _profile_of(site: Site, run: RunRecord) -> str:
    """The profile that leads where a run went; empty for that of the server.

    Raises SettingsError `other-destination` if none does.
    """
    there = run.destination
    for name in ("", *site.config.names("profile")):
        with contextlib.suppress(SettingsError):
            if site.destination(Work("", "", 0, "", "", profile=name)).key == run.destination_key:
                return name
    raise SettingsError(
        "other-destination",
        run=run.id,
        host=there.host if there else "–",
        tenant=there.tenant_id if there else "–",
        app=there.app_key if there else "–",
    )


def _from_report(site: Site, run: RunRecord) -> Work:
    """A new piece of work with the rejects of a run whose file has gone: they go the way of any report."""
    found = own_files(Path(run.report_dir), run.id) if run.report_dir else []
    paths = {path.name: path for path in found}
    path = paths.get(REJECTS_XLSX) or paths.get(REJECTS_CSV)
    if path is None:
        raise UsageError("web-no-page")
    work = site.works.new(path.name)
    try:
        content = path.read_bytes()
        with create_private_file(site.works.file(work)) as file:
            file.write(content)
        work = replace(work, size=len(content), seen=True, report=True, mode=run.mode.label, used=now())
        site.works.save(work)
    except OSError as error:
        site.works.delete(work.id)
        raise site.works.no_room(work, error) from None
    return work


ROUTES = [
    ("POST", "/runs/{run}/correct", changing(_correct_rest)),
    ("POST", "/w/{work}/all-rows", changing(_take_all)),
]
