"""Which servers may get credentials: who vouches for their names, and how a database proves its own.

An importer.toml in the working directory comes along with a folder that somebody unpacks or clones. What it
names alone must not get what signs elsewhere. docs/settings.md, “What importer.toml may say”, lists its keys.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from importer.config import is_loopback
from importer.patterns import late_pattern

_ELSEWHERE = frozenset({"service", "servicefile", "dsn", "odbc_connect", "read_default_file"})
"""Options of a database's address that fetch the host from somewhere else."""
_SYSTEMS_CERTIFICATES = Path(".postgresql") / "root.crt"
"""Where libpq looks for the authorities that a user trusts (PostgreSQL 17, “SSL Support”), below the home."""


def is_vouched(
    address: str, found_in: Path | None, *, by: Iterable[str | None] = (), own: bool = False
) -> bool:
    """Return whether credentials may go to an address that importer.toml names.

    `found_in`: the working directory, if the file was found there and nobody named it. `by`: addresses that
    somebody else names, as the environment or the contract. `own`: the credentials come along with the file.
    """
    return found_in is None or own or _host(address) in {_host(known) for known in by if known}


def _host(address: str) -> str:
    """Scheme, host and port of an address; what has no scheme stays as it is."""
    scheme, mark, rest = address.strip().partition("://")
    return f"{scheme.lower()}{mark}{rest.partition('/')[0].lower()}" if mark else address.strip()


def lies_beside(path: Path, folder: Path) -> bool:
    """Return whether a file lies in a folder. Links, which may come along with the folder, are followed."""
    return path.expanduser().resolve().parent == folder.resolve()


_NO_PROOF = late_pattern("does not support SSL|certificate|unsupported protocol|wrong version number")
_NAME = late_pattern('"[^"]*"')


def without_names(problem: str) -> str:
    """Return what libpq or a server says, without the names in it (a host may be called read-only)."""
    return _NAME.sub('""', problem)


def is_tls_fault(problem: str) -> bool:
    """Return whether libpq says that a server did not prove its name, or has no TLS. Names do not count."""
    return _NO_PROOF.search(without_names(problem)) is not None


def is_elsewhere(options: Mapping[str, object]) -> bool:
    """Return whether a database may be on another machine, by the options of its address (host, service, …).

    Several hosts stand there separated by commas; one that begins with / is a folder of sockets.
    """
    if not _ELSEWHERE.isdisjoint(options):
        return True
    named = ",".join(str(options.get(name) or "") for name in ("host", "hostaddr"))
    hosts = [host.strip() for host in named.split(",")]
    return not all(not host or host.startswith("/") or is_loopback(host) for host in hosts)


def verified_tls(options: Mapping[str, object], environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what makes libpq prove that a PostgreSQL server is the one that was named.

    Nothing for a server on this machine, and where the address (or PGSSLMODE, or a service) says how. The
    authorities are those of the address, PGSSLROOTCERT or ~/.postgresql/root.crt, else those of all our
    connections (REQUESTS_CA_BUNDLE, else those of requests).
    """
    environ = os.environ if environ is None else environ
    if "sslmode" in options or environ.get("PGSSLMODE") or "service" in options or not is_elsewhere(options):
        return {}
    found = {"sslmode": "verify-full"}
    if not (
        "sslrootcert" in options
        or environ.get("PGSSLROOTCERT")
        or Path.home().joinpath(_SYSTEMS_CERTIFICATES).is_file()
    ):
        from requests.utils import DEFAULT_CA_BUNDLE_PATH  # only servers elsewhere need it

        found["sslrootcert"] = environ.get("REQUESTS_CA_BUNDLE") or str(DEFAULT_CA_BUNDLE_PATH)
    return found
