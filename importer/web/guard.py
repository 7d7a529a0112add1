"""Let only the browser in that opened the one-time link, and only for requests that our own pages made.

Every program and every web page on this machine can reach a port of loopback. So the host must be ours (else
a foreign name could be pointed here: DNS rebinding), a change must come from our own origin (else any page
could post a form: CSRF), and every request needs a cookie that only the one-time link gives. Cookies do not
know ports: the cookie's name holds the port, and `Sec-Fetch-Site` is checked on reads and streams, too.
"""

from __future__ import annotations

import secrets

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN_PATH = "/open"
STATIC = "/static/"
_OWN_SITES = ("same-origin", "none")
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
REPORT_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""For the report page, which brings its own style and no script: it may do nothing but be read."""
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # With no-referrer, browsers would send `Origin: null` with our own forms.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Gate:
    """Knows the one-time token and the session's secret of one server. Not shared between servers."""

    def __init__(self, port: int) -> None:
        self.host = f"127.0.0.1:{port}"
        self.origin = f"http://{self.host}"
        self.cookie = f"nxlink-importer-{port}"
        self._token: str | None = secrets.token_urlsafe(32)
        self._secret = secrets.token_urlsafe(32)

    @property
    def link(self) -> str:
        """The link that opens the page once; empty when it has been used."""
        return f"{self.origin}{OPEN_PATH}?t={self._token}" if self._token else ""

    def use(self, token: str) -> str:
        """Trade the token for the value of the cookie; empty if it is wrong or was used before."""
        if self._token is None or not secrets.compare_digest(token.encode(), self._token.encode()):
            return ""
        self._token = None
        return self._secret

    def knows(self, cookie_header: str) -> bool:
        """Whether a `Cookie` header holds the session's secret."""
        # Other programs of this machine have cookies for 127.0.0.1, too, of any form and of any name.
        found = (one.strip().partition("=") for one in cookie_header.split(";"))
        values = [value for name, _, value in found if name == self.cookie]
        return any(secrets.compare_digest(value.encode(), self._secret.encode()) for value in values)

    def refusal(self, scope: Scope) -> str:
        """The code of the message that says why a request is refused; empty if it is let in."""
        headers = Headers(scope=scope)
        if headers.getlist("host") != [self.host]:
            return "web-refused-host"
        path = scope["path"]
        changes = scope["method"] not in ("GET", "HEAD")
        if changes and headers.getlist("origin") != [self.origin]:
            return "web-refused-origin"
        # The link is clicked in a terminal or a mail, so that its request comes from elsewhere.
        if path == OPEN_PATH and not changes:
            return ""
        if not set(headers.getlist("sec-fetch-site")) <= set(_OWN_SITES):
            return "web-refused-origin"
        # Who has no cookie yet gets a page that says so, which needs style; nothing of anybody is in it.
        if path.startswith(STATIC) and not changes:
            return ""
        return "" if self.knows("; ".join(headers.getlist("cookie"))) else "web-refused-cookie"


def opening_token(scope: Scope) -> str:
    """The token that a request to the one-time link brings."""
    return QueryParams(scope["query_string"]).get("t", "")


class Guard:
    """The outermost layer of the application: refuses strangers, and gives every answer its headers."""

    def __init__(self, app: ASGIApp, gate: Gate, refused: ASGIApp) -> None:
        """`refused` answers what is not let in; the code of the reason is `scope["state"]["refusal"]`."""
        self._app = app
        self._gate = gate
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        refusal = self._gate.refusal(scope)
        scope.setdefault("state", {})["refusal"] = refusal

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await (self._refused if refusal else self._app)(scope, receive, guarded)
