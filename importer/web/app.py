"""Put the page together: routes, guard, and what is refused."""

from __future__ import annotations

import threading
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from importer import messages
from importer.config import load_config
from importer.errors import FaultError, UsageError
from importer.sandbox import Sandbox
from importer.user_folders import state_folder
from importer.web import (
    correcting,
    files,
    history,
    matching,
    remedies,
    rest,
    run_rows,
    running,
    sending,
    uploads,
)
from importer.web.guard import OPEN_PATH, Gate, Guard, opening_token
from importer.web.pages import (
    LANGUAGE_COOKIE,
    Endpoint,
    Form,
    Site,
    changing,
    error_page,
    page,
    refused_page,
    see_other,
)
from importer.web.tasks import TaskBoard, report_fault
from importer.web.works import WorkStore

_STATIC = Path(__file__).parent / "static"
_YEAR = 365 * 24 * 3600


class WebApplication:
    """The page as an ASGI application."""

    def __init__(self, port: int, *, profile: str | None = None, sandbox: Sandbox | None = None) -> None:
        """Raises SettingsError if importer.toml cannot be read or has no such profile."""
        self.gate = Gate(port)
        config = load_config()
        config.profile(profile)
        works = WorkStore(state_folder() / "web" / "works")
        self.site = Site(works, TaskBoard(), config, profile, threading.Event(), sandbox)
        files.prepare(self.site)
        self._app = Starlette(
            routes=[
                *(Route(path, endpoint, methods=[method]) for method, path, endpoint in _routes()),
                Mount("/static", StaticFiles(directory=_STATIC)),
            ],
            exception_handlers={404: _not_found, 405: _not_found, Exception: _failed},
        )
        self._app.state.site = self.site
        self._refusing = Starlette(
            routes=[Route("/{path:path}", _refused, methods=["GET", "HEAD", "POST", "PUT", "DELETE"])]
        )
        self._refusing.state.site = self.site
        self._guard = Guard(self._opening, self.gate, self._refusing)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._guard(scope, receive, send)

    async def _opening(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Trade the one-time link for the cookie; hand everything else to the application."""
        if scope["path"] != OPEN_PATH:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        scope["app"] = self._app
        secret = self.gate.use(opening_token(scope)) if scope["method"] == "GET" else ""
        if not secret:
            known = self.gate.knows("; ".join(request.headers.getlist("cookie")))
            refused = refused_page(request, "web-refused-link", 403)
            answer = RedirectResponse("/", 303) if known else refused
        else:
            # A page, not a redirect: the browser sends a strict cookie only on a way that began here.
            answer = page(request, "opened.html")
            answer.set_cookie(self.gate.cookie, secret, httponly=True, samesite="strict", max_age=_YEAR)
        await answer(scope, receive, send)


def _routes() -> list[tuple[str, str, Endpoint]]:
    return [
        *files.ROUTES,
        *uploads.ROUTES,
        *matching.ROUTES,
        *running.ROUTES,
        *sending.ROUTES,
        *correcting.ROUTES,
        *history.ROUTES,
        *run_rows.ROUTES,
        *remedies.ROUTES,
        *rest.ROUTES,
        ("POST", "/language", changing(_language)),
    ]


def _language(request: Request, form: Form) -> Response:
    wanted, back = form.get("lang", ""), form.get("back", "/")
    answer = see_other(back if back.startswith("/") and not back.startswith(("//", "/\\")) else "/")
    if wanted in messages.LANGUAGES:
        answer.set_cookie(LANGUAGE_COOKIE, wanted, max_age=_YEAR, samesite="strict", httponly=True)
    return answer


async def _refused(request: Request) -> Response:
    code = request.scope["state"]["refusal"]
    return refused_page(request, code, 421 if code == "web-refused-host" else 403)


async def _not_found(request: Request, error: Exception) -> Response:
    return error_page(request, UsageError("web-no-page"), 404)


async def _failed(request: Request, error: Exception) -> Response:
    report_fault(str(request.scope["path"]), error)
    return error_page(request, FaultError("importer-failed", kind=type(error).__name__), 500)
