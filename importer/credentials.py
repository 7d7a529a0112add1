"""Who signs, and where requests go: settled from the environment, env files, commands and profiles.

A secret is never an option of the command line: it comes from the environment, an env file, a command that
prints it, or the profile.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from importer import contracts
from importer.config import FILE_NAME, Connection, Profile, Secret, close_command, refuse_foreign
from importer.contracts import DEFAULT_CONTRACT
from importer.errors import SettingsError
from importer.models import Note
from importer.private_files import read_with_access
from importer.reasons import command_reason, reason_of
from importer.trust import is_vouched, lies_beside

VARIABLES = {
    "access_key": "NXLINK_ACCESS_KEY",
    "access_secret": "NXLINK_ACCESS_SECRET",
    "tenant_id": "NXLINK_TENANT_ID",
    "app_key": "NXLINK_APP_KEY",
    "base_url": "NXLINK_BASE_URL",
}
REQUIRED = ("access_key", "access_secret", "tenant_id", "app_key")
"""What sending needs; createApp and phoneList need only the first two."""


@dataclass(frozen=True, slots=True)
class ResolvedConnection:
    """A connection and where each of its settings came from (`environment`, `importer.toml`, …)."""

    connection: Connection
    origins: Mapping[str, str]

    @property
    def missing(self) -> tuple[str, ...]:
        """The required settings that nobody gave."""
        return tuple(name for name in REQUIRED if name not in self.origins)


def resolve(
    profile: Profile,
    contract: str | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    sends: bool = True,
) -> ResolvedConnection:
    """Settle the connection: flag, then environment, then profile (its env file and command included), then
    what the profile inherits.

    Without `sends`, as for a dry run, no `secret_command` runs. Raises SettingsError for an env file that
    others may read, a command that fails, a tenant that is no number, a host that only a file of the working
    directory names (`unvouched-host`). Missing settings are no error: see `ResolvedConnection.missing`.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, str] = {}
    origins: dict[str, str] = {}

    def take(name: str, value: object, origin: str) -> None:
        text = value.reveal() if isinstance(value, Secret) else value
        if name not in values and text not in (None, ""):
            values[name], origins[name] = str(text).strip(), origin

    for name, variable in VARIABLES.items():
        take(name, environ.get(variable), f"environment ({variable})")
    # All that a profile says itself comes before all that it inherits: an env file for many tenants may name
    # one of them.
    for layer in profile.layers():
        if layer.env_file is not None:
            for name, value in read_env_file(layer.env_file).items():
                take(name, value, str(layer.env_file))
        for name in VARIABLES:
            take(name, getattr(layer, name), FILE_NAME)
        if sends and layer.secret_command and "access_secret" not in values:
            for name, value in run_secret_command(layer.secret_command).items():
                take(name, value, "secret_command")
    tenant = values.get("tenant_id", "")
    if tenant and not (tenant.isascii() and tenant.isdigit()):
        raise SettingsError("bad-tenant", found=tenant, origin=origins["tenant_id"])
    contract = contract or profile.contract or DEFAULT_CONTRACT
    if sends and profile.found_in is not None:
        _refuse_unvouched_host(values, origins, profile, contract)
    connection = Connection(
        base_url=values.get("base_url"),
        access_key=Secret(values.get("access_key", "")),
        access_secret=Secret(values.get("access_secret", "")),
        tenant_id=tenant,
        app_key=values.get("app_key", ""),
        contract=contract,
        strict_binding=profile.strict_binding,
    )
    return ResolvedConnection(connection, origins)


def _refuse_unvouched_host(
    values: Mapping[str, str], origins: Mapping[str, str], profile: Profile, contract: str
) -> None:
    """Refuse a host that only a file in the working directory names, for credentials from elsewhere.

    Whose credentials lie beside it, or come from a command that it names, means its host, too.
    """
    origin, secret = origins.get("base_url"), origins.get("access_secret")
    here = profile.found_in
    env_files = [layer.env_file for layer in profile.layers() if layer.env_file is not None]
    if origin not in (FILE_NAME, *map(str, env_files)) or secret is None:
        return
    near = [str(path) for path in env_files if here and lies_beside(path, here)]
    own = secret in {FILE_NAME, "secret_command", origin, *near}
    known = [f"https://{host}" for host in contracts.load(contract).hosts]
    if not is_vouched(values["base_url"], here, by=known, own=own):
        raise SettingsError("unvouched-host", host=values["base_url"], file=origin, origin=secret)


def require(resolved: ResolvedConnection, names: tuple[str, ...] = REQUIRED) -> Connection:
    """The connection, complete. Raises SettingsError `missing-credentials` that names what is missing."""
    missing = [name for name in resolved.missing if name in names]
    if missing:
        wanted = ", ".join(VARIABLES[name] for name in missing)
        raise SettingsError("missing-credentials", missing=", ".join(missing), variables=wanted)
    return resolved.connection


def read_env_file(path: Path) -> Mapping[str, str]:
    """Settings from lines `NXLINK_…=value` (blank lines, `#` and `export` allowed).

    Raises SettingsError if it is missing, malformed, another user's, or on POSIX readable by anybody but its
    owner.
    """
    path = path.expanduser()
    try:
        content, access = read_with_access(path)
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise SettingsError("bad-env-file", file=path, reason=Note("reason-not-utf-8")) from error
    except OSError as error:
        raise SettingsError("bad-env-file", file=path, reason=reason_of(error)) from error
    refuse_foreign(path, access)
    if access.others_read or access.others_write:
        raise SettingsError(
            "open-env-file", file=path, mode=f"{access.mode:04o}", command=close_command("600", path)
        )
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.strip().startswith("#"):
            continue
        if "=" not in line:
            reason = Note("reason-env-line", (("line", number),))
            raise SettingsError("bad-env-file", file=path, reason=reason)
        found.update(_assignment(line))
    return found


def _assignment(line: str) -> Mapping[str, str]:
    """The setting of a line `NXLINK_…=value`; nothing if the line is none of ours."""
    variable, _, value = line.strip().removeprefix("export ").partition("=")
    names = {known: name for name, known in VARIABLES.items()}
    name = names.get(variable.strip())
    return {name: value.strip().strip("'\"")} if name else {}


_SECRET_SECONDS = 60


def run_secret_command(command: str) -> Mapping[str, str]:
    """Return what the command of a profile prints: the access secret on its first line, or lines as of an env
    file. Raises SettingsError `secret-command-failed`, `secret-command-empty`."""
    lines = _printed(command, "secret-command-failed")
    found = {name: value for line in lines for name, value in _assignment(line).items()}
    first = lines[0].strip() if lines and not _assignment(lines[0]) else ""
    if not first and not any(found.values()):
        raise SettingsError("secret-command-empty", command=_shown(command))
    return {"access_secret": first} | found


def run_password_command(command: str, setting: str) -> str:
    """Return the first line that a command prints: the password of a file, a place or a database.

    `setting` names the command where it was given. Raises SettingsError `password-command-failed`,
    `password-command-empty`.
    """
    lines = _printed(command, "password-command-failed", setting=setting)
    password = lines[0].strip() if lines else ""
    if not password:
        raise SettingsError("password-command-empty", setting=setting, command=_shown(command))
    return password


def _printed(command: str, failed: str, **found: str) -> Sequence[str]:
    """Return the lines that a command prints. Its own error output goes to the terminal, not to us."""
    import subprocess  # `--help` has no time for it

    try:
        words = [command] if os.name == "nt" else shlex.split(command)
        # It may ask the person at a terminal; rows that come by standard input are not for it.
        asked = None if sys.stdin is not None and sys.stdin.isatty() else subprocess.DEVNULL
        done = subprocess.run(  # noqa: S603 - the user's own
            words, stdin=asked, stdout=subprocess.PIPE, timeout=_SECRET_SECONDS, check=True
        )
    except (OSError, ValueError, IndexError, subprocess.SubprocessError) as error:
        reason = command_reason(error)
        raise SettingsError(failed, command=_shown(command), reason=reason, **found) from None
    return done.stdout.decode("utf-8", "replace").splitlines()


def _shown(command: str) -> str:
    """Return the name of a command without its arguments, which may be secrets."""
    return (command.split() or ["–"])[0]
