"""The configuration file: importer.toml with its profiles and jobs, and what they inherit.

It lies in the working directory or in the user's config folder. `[profile.NAME]` and `[job.NAME]` are its
tables; `[defaults]` holds for all profiles, `[job-defaults]` for all jobs, and a profile may inherit another
one's keys. A table is checked when it is asked for, so a mistake stops only what uses it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from importer.contracts import DEFAULT_CONTRACT
from importer.dataclass import dataclass
from importer.errors import SettingsError
from importer.escaping import shell_command
from importer.models import Destination, Note
from importer.option_layers import GivenOptions
from importer.option_types import key
from importer.private_files import FileAccess, read_with_access
from importer.reasons import toml_reason
from importer.toml import parse_toml
from importer.user_folders import config_folder

FILE_NAME = "importer.toml"


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
    inherits: str | None = key(None, str)
    """The profile whose keys hold where this one has none."""
    given: GivenOptions = GivenOptions()
    """The options of a run that it sets, or inherits."""
    found_in: Path | None = None
    """The working directory, if importer.toml was found there and nobody named it."""
    name: str = ""
    base: Profile | None = None
    """What it inherits, with all that this inherits in turn."""

    @property
    def contract(self) -> str | None:
        """The variant of the API that the profile names."""
        return self.given.options.contract

    def layers(self) -> Iterator[Profile]:
        """Yield the profile itself, then what it inherits, the nearest first."""
        layer: Profile | None = self
        while layer is not None:
            yield layer
            layer = layer.base

    def setting(self, name: str) -> Any:
        """Return the value of a key, inherited if need be; None if nobody sets it."""
        values = (getattr(layer, name) for layer in self.layers())
        return next((value for value in values if value is not None), None)

    def anchored(self, folder: Path) -> Profile:
        """Return the profile with the paths of its env files taken as relative to a folder."""
        env_file = None if self.env_file is None else folder / self.env_file.expanduser()
        base = None if self.base is None else self.base.anchored(folder)
        return replace(self, env_file=env_file, base=base)


_NAMED = ("profile", "job", "source")
_SHARED = ("defaults", "job-defaults")
_TEXTS = ("metrics_file", "journal", "journal_secret_command")


@dataclass(frozen=True)
class ConfigFile:
    """importer.toml as it stands: raw tables, checked when one is asked for."""

    path: Path | None = None
    tables: Mapping[str, Any] = field(default_factory=dict)
    found_in: Path | None = None
    """The working directory, if the file was found there and nobody named it."""

    @property
    def folder(self) -> Path:
        """The absolute folder that paths in the file are relative to."""
        return self.path.absolute().parent if self.path else Path.cwd()

    @property
    def metrics_file(self) -> Path | None:
        """Where to write a Prometheus textfile after each round and run; None for nowhere."""
        text = self.tables.get("metrics_file")
        return self.folder / Path(text).expanduser() if text else None

    @property
    def journal(self) -> str | None:
        """The journal's file, or the address of its database; None for the one in the state folder."""
        return self.tables.get("journal") or None

    @property
    def journal_secret_command(self) -> str | None:
        """A command that prints the password of the journal's database on its first line."""
        return self.tables.get("journal_secret_command") or None

    def names(self, group: str) -> tuple[str, ...]:
        """The names of all `[group.NAME]` tables, in the file's order."""
        return tuple(self.tables.get(group, {}))

    def table(self, group: str, name: str) -> Mapping[str, Any]:
        """`[group.NAME]` as it stands. Raises SettingsError `bad-settings` if it is no table."""
        found = self.tables[group][name]
        if not isinstance(found, dict):
            raise self.mistake(f"{group}.{name}", "reason-table-alone", group=f"{group}.{name}")
        return found

    def mistake(self, place: str, code: str, **found: object) -> SettingsError:
        """Return the error for a mistake at a place of this file; `code` is that of the reason."""
        reason = Note(code, tuple((name, str(value)) for name, value in found.items()))
        return SettingsError("bad-settings", file=self.path or FILE_NAME, place=place, reason=reason)

    def profile(self, name: str | None) -> Profile:
        """`[profile.NAME]` with what it inherits; without a name `[profile.default]`, or what `[defaults]`
        says if there is none.

        Raises SettingsError `unknown-profile` or `bad-settings`, for a mistake in what it inherits, too.
        """
        wanted = name or "default"
        if wanted not in self.names("profile"):
            if name is None:
                return self._defaults or Profile()
            known = ", ".join(self.names("profile")) or "–"
            raise SettingsError("unknown-profile", name=name, file=self.path or FILE_NAME, known=known)
        return self._profile(wanted, ())

    @cached_property
    def _defaults(self) -> Profile | None:
        found = self.tables.get("defaults")
        if found and "inherits" in found:
            raise self.mistake("defaults.inherits", "reason-defaults-inherit")
        return self._checked(found, "defaults", "", None) if found else None

    def _profile(self, name: str, heirs: tuple[str, ...]) -> Profile:
        """`heirs`: the profiles on whose account this one is read."""
        if name not in self._profiles:
            table, place = self.table("profile", name), f"profile.{name}"
            parent, base = table.get("inherits"), self._defaults
            if isinstance(parent, str):
                line = (*heirs, name)
                if parent in line:
                    circle = " → ".join((*line[line.index(parent) :], parent))
                    raise self.mistake(f"{place}.inherits", "reason-circle", circle=circle)
                if parent not in self.names("profile"):
                    raise self.mistake(f"{place}.inherits", "reason-no-profile", profile=parent)
                base = self._profile(parent, line)
            self._profiles[name] = self._checked(table, place, name, base)
        return self._profiles[name]

    @cached_property
    def _profiles(self) -> dict[str, Profile]:
        return {}

    def _checked(self, table: Mapping[str, Any], place: str, name: str, base: Profile | None) -> Profile:
        from importer.config_schema import check_table  # pydantic

        found = check_table(table, self.path, place, "profile", Profile)
        own = Profile(**found.fields_of(Profile), found_in=self.found_in, name=name, base=base)
        given = found.given.beside(self.folder)
        given = base.given.joined(given) if base else given
        return replace(own, given=given, strict_binding=own.setting("strict_binding"))


def find_config(directory: Path | None = None) -> Path | None:
    """importer.toml in the working directory, else in the user's config folder, else None."""
    places = [directory or Path.cwd(), config_folder()]
    return next((place / FILE_NAME for place in places if (place / FILE_NAME).is_file()), None)


_named: tuple[Path, Path | None] | None = None


def name_config(path: Path | None, found_in: Path | None = None) -> None:
    """Let all that this process asks for come from this importer.toml: a person named it for the command.

    `found_in`: the working directory of another process, if nobody named the file and it was found there.
    """
    global _named
    _named = (path, found_in) if path is not None else None


def _chosen(path: Path | None) -> tuple[Path | None, Path | None]:
    """Return the file to read, and the working directory if it was found there and nobody named it."""
    if path is not None:
        return path, None
    if _named is not None:
        return _named
    found = find_config()
    here = found is not None and found.parent == Path.cwd() and found.parent != config_folder()
    return found, found.parent if found is not None and here else None


def load_config(path: Path | None = None) -> ConfigFile:
    """Read importer.toml: the one that is named, here or for the command, else what `find_config` finds.

    No file is no error.

    Raises SettingsError `bad-settings` with file, place and reason; `foreign-settings` or `open-settings` for
    a file that somebody else may have written; `open-secret` for one with a secret that others can read.
    """
    path, found_in = _chosen(path)
    if path is None:
        return ConfigFile()
    try:
        content, access = read_with_access(path)
        refuse_open(path, access)
        tables = parse_toml(content.decode("utf-8-sig"))
    except ValueError as error:
        raise SettingsError("bad-settings", file=path, place="TOML", reason=toml_reason(error)) from error
    except OSError as error:
        raise SettingsError("bad-settings", file=path, place="-", reason=error.strerror or error) from error
    for group, table in tables.items():
        if _holds_nul({group: table}):
            raise SettingsError("bad-settings", file=path, place=group, reason=Note("reason-nul"))
        if group in _TEXTS:
            if not isinstance(table, str):
                raise SettingsError("bad-settings", file=path, place=group, reason=Note("reason-text"))
            continue
        if group not in (*_NAMED, *_SHARED):
            reason = Note("reason-table-unknown")
            raise SettingsError("bad-settings", file=path, place=group, reason=reason)
        if not isinstance(table, dict):
            code = "reason-table-name" if group in _NAMED else "reason-table-alone"
            reason = Note(code, (("group", group),))
            raise SettingsError("bad-settings", file=path, place=group, reason=reason)
    profiles = (tables.get("defaults", {}), *tables.get("profile", {}).values())
    secret = any("access_secret" in profile for profile in profiles if isinstance(profile, dict))
    if secret and access.others_read:
        raise SettingsError(
            "open-secret", file=path, mode=f"{access.mode:04o}", command=close_command("600", path)
        )
    return ConfigFile(path, tables, found_in)


def _holds_nul(value: object) -> bool:
    """Whether a text anywhere in a table, or a name in it, holds NUL: no path and no command may."""
    if isinstance(value, dict):
        return any(map(_holds_nul, (*value, *value.values())))
    if isinstance(value, list):
        return any(map(_holds_nul, value))
    return isinstance(value, str) and "\0" in value


def refuse_open(path: Path, access: FileAccess) -> None:
    """Refuse a file that another user owns or may write: who writes it says where customers go."""
    refuse_foreign(path, access)
    if access.others_write:
        mode, command = f"{access.mode:04o}", close_command("go-w", path)
        raise SettingsError("open-settings", file=path, mode=mode, command=command)


def refuse_foreign(path: Path, access: FileAccess) -> None:
    """Refuse a file that another user owns."""
    if access.foreign:
        chown = "sudo chown -h" if path.is_symlink() else "sudo chown"
        command = f'{chown} "$(id -un)" {shell_command([str(path)])}'
        raise SettingsError("foreign-settings", file=path, command=command)


def close_command(mode: str, path: Path) -> str:
    """Return the command that gives a file this mode."""
    return shell_command(["chmod", mode, str(path)])


def check_base_url(text: str) -> str:
    """Scheme and host of a base URL, checked. Raises SettingsError `bad-base-url` or `plain-http`."""

    def refuse(reason: str) -> SettingsError:
        found = text if "@" not in text else "…"
        return SettingsError("bad-base-url", found=found, reason=Note(f"reason-base-url-{reason}"))

    try:
        parts = urlsplit(text.strip())
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except (ValueError, UnicodeError) as error:
        raise refuse("other") from error
    if parts.scheme not in ("http", "https") or not host or any(not char.isprintable() for char in text):
        raise refuse("other")
    if parts.username is not None or parts.password is not None:
        raise refuse("user")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise refuse("path")
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
