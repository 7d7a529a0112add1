"""The configuration file, the environment and secrets: who signs, and where requests go.

importer.toml lies in the working directory or in the user's config folder and holds `[profile.NAME]` and
`[job.NAME]` tables. A secret is never an option of the command line: it comes from the environment, an env
file, a command that prints it, or the profile.
"""

from __future__ import annotations

import ipaddress
import os
import shlex
from collections.abc import Mapping
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from importer import contracts
from importer.contracts import DEFAULT_CONTRACT
from importer.dataclass import dataclass
from importer.errors import SettingsError
from importer.escaping import parse_toml, shell_command
from importer.models import Destination, Note
from importer.option_layers import GivenOptions
from importer.option_types import key
from importer.private_files import FileAccess, read_with_access
from importer.reasons import command_reason, toml_reason

FILE_NAME = "importer.toml"
VARIABLES = {
    "access_key": "NXLINK_ACCESS_KEY",
    "access_secret": "NXLINK_ACCESS_SECRET",
    "tenant_id": "NXLINK_TENANT_ID",
    "app_key": "NXLINK_APP_KEY",
    "base_url": "NXLINK_BASE_URL",
}
REQUIRED = ("access_key", "access_secret", "tenant_id", "app_key")
"""What sending needs; createApp and phoneList need only the first two."""


class Secret:
    """A text that shows itself only when asked for by name."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself: for signing, never for printing."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> str:
        raise TypeError("a secret is not to be pickled")


@dataclass(frozen=True, slots=True)
class Connection:
    """Where requests go and who signs them. `base_url` replaces scheme and host of every endpoint."""

    base_url: str | None
    access_key: Secret
    access_secret: Secret
    tenant_id: str = ""
    app_key: str = ""
    contract: str = DEFAULT_CONTRACT
    strict_binding: bool | None = None
    store: str = ""
    """Names the sandbox's store; empty for the real API."""

    @property
    def rate_key(self) -> str:
        """What the server counts requests by: the access key. A sandbox has one for all its stores, each of
        which is a server of its own."""
        return f"{self.store}|{self.access_key.reveal()}"

    def destination(self, default_url: str) -> Destination:
        """Where customers go. `default_url`: scheme and host that the contract names."""
        host = (self.base_url or default_url).rstrip("/")
        return Destination(host, self.tenant_id, self.app_key, self.contract, self.store)


@dataclass(frozen=True)
class ConfigFile:
    """importer.toml as it stands: raw tables, checked when one is asked for."""

    path: Path | None = None
    tables: Mapping[str, Any] = field(default_factory=dict)
    found_in: Path | None = None
    """The working directory, if the file was found there and nobody named it."""

    def names(self, group: str) -> tuple[str, ...]:
        """The names of all `[group.NAME]` tables, in the file's order."""
        table = self.tables.get(group, {})
        return tuple(table) if isinstance(table, dict) else ()

    def profile(self, name: str | None) -> Profile:
        """`[profile.NAME]`; without a name `[profile.default]`, or nothing set if there is none.

        Raises SettingsError `unknown-profile` or `bad-settings`.
        """
        wanted = name or "default"
        if wanted not in self.names("profile"):
            if name is None:
                return Profile()
            known = ", ".join(self.names("profile")) or "–"
            raise SettingsError("unknown-profile", name=name, file=self.path or FILE_NAME, known=known)
        return self._profiles[wanted]

    @cached_property
    def _profiles(self) -> Mapping[str, Profile]:
        return {name: _check_profile(self, name) for name in self.names("profile")}


@dataclass(frozen=True, slots=True)
class Profile:
    """`[profile.NAME]`: one tenant and how to talk to it."""

    base_url: str | None = key(None, str)
    access_key: Secret | None = key(None, str, Secret)
    access_secret: Secret | None = key(None, str, Secret)
    tenant_id: str | None = key(None, int | str, str)
    app_key: str | None = key(None, str)
    strict_binding: bool | None = key(None, bool)
    env_file: Path | None = key(None, str, Path)
    secret_command: str | None = key(None, str)
    given: GivenOptions = GivenOptions()
    """The options of a run that the profile sets."""
    found_in: Path | None = None
    """The working directory, if importer.toml was found there and nobody named it."""

    @property
    def contract(self) -> str | None:
        """The variant of the API that the profile names."""
        return self.given.options.contract


def find_config(directory: Path | None = None) -> Path | None:
    """importer.toml in the working directory, else in the user's config folder, else None."""
    places = [directory or Path.cwd(), _config_folder()]
    return next((place / FILE_NAME for place in places if (place / FILE_NAME).is_file()), None)


def _config_folder() -> Path:
    import platformdirs

    return platformdirs.user_config_path("nxlink-importer", appauthor=False)


def load_config(path: Path | None = None) -> ConfigFile:
    """Reads importer.toml (the one that `find_config` finds). No file is no error.

    Raises SettingsError `bad-settings` with file, place and reason; `foreign-settings` or `open-settings` for
    a file that somebody else may have written; `open-secret` for one with a secret that others can read.
    """
    named, path = path is not None, path or find_config()
    if path is None:
        return ConfigFile()
    try:
        content, access = read_with_access(path)
        _refuse_open(path, access)
        tables = parse_toml(content.decode("utf-8-sig"))
    except ValueError as error:
        raise SettingsError("bad-settings", file=path, place="TOML", reason=toml_reason(error)) from error
    except OSError as error:
        raise SettingsError("bad-settings", file=path, place="-", reason=error.strerror or error) from error
    for group, table in tables.items():
        if group not in ("profile", "job"):
            reason = Note("reason-table-unknown")
            raise SettingsError("bad-settings", file=path, place=group, reason=reason)
        if not isinstance(table, dict) or not all(isinstance(entry, dict) for entry in table.values()):
            reason = Note("reason-table-name", (("group", group),))
            raise SettingsError("bad-settings", file=path, place=group, reason=reason)
    secret = any("access_secret" in profile for profile in tables.get("profile", {}).values())
    if secret and access.others_read:
        raise SettingsError("open-secret", file=path, mode=f"{access.mode:04o}", command=_close("600", path))
    here = not named and path.parent == Path.cwd() and path.parent != _config_folder()
    return ConfigFile(path, tables, path.parent if here else None)


def _refuse_open(path: Path, access: FileAccess) -> None:
    """Refuse a file that another user owns or may write: who writes it says where customers go."""
    if access.foreign:
        chown = "sudo chown -h" if path.is_symlink() else "sudo chown"
        command = f'{chown} "$(id -un)" {shell_command([str(path)])}'
        raise SettingsError("foreign-settings", file=path, command=command)
    if access.others_write:
        mode, command = f"{access.mode:04o}", _close("go-w", path)
        raise SettingsError("open-settings", file=path, mode=mode, command=command)


def _close(mode: str, path: Path) -> str:
    return shell_command(["chmod", mode, str(path)])


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
    """Settles the connection: flag, then environment, then profile (its env file and command included).

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
    if profile.env_file is not None:
        for name, value in read_env_file(profile.env_file).items():
            take(name, value, str(profile.env_file))
    for name in VARIABLES:
        take(name, getattr(profile, name), FILE_NAME)
    if sends and profile.secret_command and "access_secret" not in values:
        for name, value in _run_secret_command(profile.secret_command).items():
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

    Such a file comes along with a folder that somebody unpacks or clones. Whose credentials lie beside it, or
    come from a command that it names, means its host, too.
    """
    origin, secret = origins.get("base_url"), origins.get("access_secret")
    beside = {FILE_NAME, "secret_command"}
    env_file, here = profile.env_file, profile.found_in
    # Through links, which may come along with the folder and lead to the user's own credentials.
    if env_file is not None and here is not None and env_file.expanduser().resolve().parent == here.resolve():
        beside.add(str(env_file))
    if origin not in (FILE_NAME, str(profile.env_file)) or secret is None or secret in beside | {origin}:
        return
    known = {f"https://{host}" for host in contracts.load(contract).hosts}
    if values["base_url"].rstrip("/") not in known:
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
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            "bad-env-file", file=path, reason=getattr(error, "strerror", None) or error
        ) from error
    if access.foreign:
        _refuse_open(path, access)
    if access.mode & 0o077:
        raise SettingsError(
            "open-env-file", file=path, mode=f"{access.mode:04o}", command=_close("600", path)
        )
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.strip().startswith("#"):
            continue
        if "=" not in line:
            raise SettingsError("bad-env-file", file=path, reason=f"line {number} is not NAME=value")
        found.update(_assignment(line))
    return found


def _assignment(line: str) -> Mapping[str, str]:
    """The setting of a line `NXLINK_…=value`; nothing if the line is none of ours."""
    variable, _, value = line.strip().removeprefix("export ").partition("=")
    names = {known: name for name, known in VARIABLES.items()}
    name = names.get(variable.strip())
    return {name: value.strip().strip("'\"")} if name else {}


_SECRET_SECONDS = 60


def _run_secret_command(command: str) -> Mapping[str, str]:
    """What the command prints: the access secret on its first line, or lines as of an env file. Its own
    error output goes to the terminal, not to us."""
    import subprocess  # `--help` has no time for it

    try:
        words = [command] if os.name == "nt" else shlex.split(command)
        done = subprocess.run(  # noqa: S603 - the user's own
            words, stdout=subprocess.PIPE, timeout=_SECRET_SECONDS, check=True
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        reason = command_reason(error)
        raise SettingsError("secret-command-failed", command=command.split()[0], reason=reason) from None
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    found = {name: value for line in lines for name, value in _assignment(line).items()}
    first = lines[0].strip() if lines and not _assignment(lines[0]) else ""
    return {"access_secret": first} | found


def _check_profile(file: ConfigFile, name: str) -> Profile:
    from importer.config_schema import check_table  # pydantic

    found = check_table(file.tables["profile"][name], file.path, f"profile.{name}", "profile", Profile)
    return Profile(
        **found.fields_of(Profile), given=found.given.beside(_folder_of(file)), found_in=file.found_in
    )


def _folder_of(file: ConfigFile) -> Path:
    return file.path.parent if file.path else Path.cwd()


def check_base_url(text: str) -> str:
    """Scheme and host of a base URL, checked. Raises SettingsError `bad-base-url` or `plain-http`."""

    def refuse(reason: str) -> SettingsError:
        return SettingsError("bad-base-url", found=text if "@" not in text else "…", reason=reason)

    try:
        parts = urlsplit(text.strip())
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except (ValueError, UnicodeError) as error:
        raise refuse("not an address") from error
    if parts.scheme not in ("http", "https") or not host or any(not char.isprintable() for char in text):
        raise refuse("not an http or https address")
    if parts.username is not None or parts.password is not None:
        raise refuse("it holds a user name")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise refuse("it holds a path; the API's own paths are used")
    if parts.scheme == "http" and not is_loopback(host):
        raise SettingsError("plain-http", found=text)
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port is not None else "")


def is_loopback(host: str) -> bool:
    """True for localhost and the addresses of this machine itself."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
