"""Serve the page on loopback until a signal ends it, and lead the user's browser to it."""

from __future__ import annotations

import asyncio
import contextlib
import html
import os
import socket
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn

from importer.errors import UsageError
from importer.private_files import make_private_folder, replace_private_file
from importer.reasons import reason_of
from importer.sandbox.server import bind_socket
from importer.user_folders import state_folder
from importer.web.app import WebApplication
from importer.web.guard import Gate
from importer.web.pages import compile_templates

HOST = "127.0.0.1"
USUAL_PORT = 8770
"""Taken if it is free, so that the address stays the same from day to day."""
GRACE_SECONDS = 2
"""How long an answer on its way may take when the server ends. Streams of progress end at once."""


class WebServer(uvicorn.Server):
    """Serves one application on a bound socket of loopback."""

    def __init__(
        self, application: WebApplication, listener: socket.socket, ready: Callable[[], None]
    ) -> None:
        config = uvicorn.Config(
            application,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            limit_concurrency=200,
        )
        super().__init__(config)
        self._listener = listener
        self._ready = ready
        self._application = application

    def handle_exit(self, sig: int, frame: Any) -> None:
        """A signal is the usual end: nothing is raised after it."""
        self.stop()

    def stop(self) -> None:
        """End serving. May be called from another thread."""
        self._application.site.closing.set()
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup([self._listener])
        self._ready()
        threading.Thread(target=compile_templates, daemon=True).start()

    def run_here(self) -> None:
        """Serve in the calling thread until `stop`; then end what is at work, in order."""
        try:
            asyncio.run(self.serve())
        finally:
            self._application.site.closing.set()
            self._listener.close()
            self._application.site.tasks.close()
            self._application.site.rechecks.close()


def listen(port: int | None) -> socket.socket:
    """A socket of loopback: on `port`, else on the usual one, else on any. Raises UsageError `web-port`."""
    wanted = [USUAL_PORT, 0] if port is None else [port]
    for number in wanted:
        try:
            return bind_socket(HOST, number)
        except OSError as error:
            if number == wanted[-1]:
                reason = reason_of(error)
                raise UsageError("web-port", port=number, reason=reason) from None
    raise AssertionError


def open_browser(gate: Gate) -> Path | None:
    """Open the link by a private file that redirects to it, so that no list of processes shows the token.

    Returns the file, which is to be deleted; None if there is no browser.
    """
    folder = state_folder() / "web"
    path = folder / f"open-{os.getpid()}.html"
    link = html.escape(gate.link, quote=True)
    content = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>importer</title>'
        f'<meta http-equiv="refresh" content="0; url={link}"><a href="{link}">importer</a></html>'
    )
    with contextlib.suppress(OSError, webbrowser.Error):
        make_private_folder(folder)
        replace_private_file(path, content.encode())
        if webbrowser.open(path.as_uri()):
            return path
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    return None
