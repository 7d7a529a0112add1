"""Step 1: take a file in, from the person's disk, from what they paste, or from an address."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from importer.errors import ImporterError, InputError, InterruptedRun, UsageError
from importer.private_files import create_private_file, make_private_folder
from importer.sources import spool
from importer.sources.fetching import Fetching, fetch
from importer.sources.locations import Location, locate
from importer.web.pages import Form, Site, changing, page, see_other, shown, site_of, step_url, told
from importer.web.tasks import Task
from importer.web.works import Work, WorkStore, safe_name

_PIECE = 1 << 20
_LONGEST_ADDRESS = 4096


async def _upload(request: Request) -> Response:
    """Take a file as the raw body of a request, straight to disk."""
    site = site_of(request)
    try:
        work = await _spooled(request, site.works)
    except ClientDisconnect:
        return Response(status_code=400)
    except ImporterError as error:
        return JSONResponse(told(request, error), 400)
    return JSONResponse({"url": step_url(work, "see")}, 201)


async def _spooled(request: Request, works: WorkStore) -> Work:
    try:
        work = works.new(request.query_params.get("name", ""))
    except OSError as error:
        raise InputError("no-room", name="", reason=error.strerror or error) from None
    try:
        size, sha256 = await _stream(request, works.file(work))
        work = replace(work, size=size, sha256=sha256)
        works.save(work)
    except OSError as error:
        works.delete(work.id)
        raise works.no_room(work, error) from None
    except BaseException:
        works.delete(work.id)
        raise
    return work


async def _stream(request: Request, path: Path, most: int | None = None) -> tuple[int, str]:
    """Write the body of a request to a new file. Returns its size and sha256.

    Raises OSError, ClientDisconnect, InputError `empty-file`, UsageError `web-form-too-large`.
    """
    size, digest, announced = 0, hashlib.sha256(), request.headers.get("content-length", "")
    with create_private_file(path) as file:
        async for piece in request.stream():
            size += len(piece)
            if most is not None and size > most:
                raise UsageError("web-form-too-large")
            file.write(piece)
            digest.update(piece)
    if not size:
        raise InputError("empty-file", name=path.name)
    if announced.isdigit() and size != int(announced):
        raise ClientDisconnect
    return size, digest.hexdigest()


async def spool_beside(request: Request, folder: Path, most: int) -> Path:
    """Write the body of a request to a file in a new folder. It keeps the name that the request gives it.

    Raises what `_stream` raises, and InputError `no-room`; nothing of the file is then left.
    """
    path = folder / safe_name(request.query_params.get("name", ""))
    try:
        make_private_folder(folder)
        path.unlink(missing_ok=True)
        await _stream(request, path, most)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise InputError("no-room", name=path.name, reason=error.strerror or error) from None
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return path


def _paste(request: Request, form: Form) -> Response:
    """Take rows that were copied from a spreadsheet, as text with tabs."""
    site, text = site_of(request), form.get("rows", "")
    if not text.strip():
        raise UsageError("web-nothing-pasted")
    work = site.works.new("pasted.tsv" if "\t" in text else "pasted.csv")
    content = text.encode("utf-8", "replace")
    try:
        with create_private_file(site.works.file(work)) as file:
            file.write(content)
        sha256 = hashlib.sha256(content).hexdigest()
        site.works.save(replace(work, size=len(content), sha256=sha256))
    except OSError as error:
        site.works.delete(work.id)
        raise site.works.no_room(work, error) from None
    return see_other(step_url(work, "see"))


def _address(request: Request, form: Form) -> Response:
    """Fetch a file from an address, in a task of its own."""
    site, given = site_of(request), form.get("address", "").strip()
    if len(given) > _LONGEST_ADDRESS:
        raise UsageError("web-form-too-large")
    location = locate(given)
    if location is None:
        raise UsageError("web-no-address")
    try:
        work = site.works.new(spool.plain_name(location.name))
    except OSError as error:
        raise InputError("no-room", name=location.shown(), reason=error.strerror or error) from None
    site.tasks.start(work.id, "fetch", lambda task: _fetched(site, work, location, task))
    return see_other(f"/w/{work.id}/fetch")


def _fetched(site: Site, work: Work, location: Location, task: Task) -> None:
    """Fetch a file, and make it that of a piece of work."""

    def hear(event: Fetching) -> None:
        if task.stopper.reason is not None:
            raise InterruptedRun("web-fetch-stopped")
        task.progress.settled, task.progress.expected = event.received, event.total

    try:
        copy = fetch(location, hear, site.config)
        try:
            size, digest = 0, hashlib.sha256()
            with copy.path.open("rb") as file, create_private_file(site.works.file(work)) as target:
                while piece := file.read(_PIECE):
                    size += len(piece)
                    digest.update(piece)
                    target.write(piece)
        except OSError as error:
            raise site.works.no_room(work, error) from None
        finally:
            spool.discard(copy.path)
        if not size:
            raise InputError("empty-file", name=work.name)
        site.works.save(replace(work, size=size, sha256=digest.hexdigest()))
    except BaseException:
        site.works.delete(work.id)
        raise


def _fetching(request: Request) -> Response:
    """How far the fetching of a file is, and why it ended if it did."""
    site, work_id = site_of(request), request.path_params["work"]
    task = site.tasks.of(work_id)
    if task is None or task.kind != "fetch" or (not task.running and task.error is None):
        return see_other(f"/w/{work_id}")
    error = told(request, task.error) if task.error and not task.running else None
    return page(request, "fetch.html", task=task if task.running else None, error=error)


ROUTES = [
    ("POST", "/files", _upload),
    ("POST", "/paste", changing(_paste)),
    ("POST", "/address", changing(_address)),
    ("GET", "/w/{work}/fetch", shown(_fetching)),
]
