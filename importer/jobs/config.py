"""One job as importer.toml describes it: the settings of `[job.NAME]`, and the tables that check them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from importer.config import ConfigFile, Connection, Profile, is_loopback
from importer.config_schema import Seconds
from importer.jobs import schedule
from importer.option_layers import GivenOptions, layered
from importer.option_types import key
from importer.options import RunOptions
from importer.sources.locations import DatabaseQuery, Location


class SourceKind(StrEnum):
    """What `source` names."""

    FILE = "file"
    PATTERN = "pattern"
    INBOX = "inbox"


class NoticeWhen(StrEnum):
    """After which rounds a notice goes out."""

    FAILURE = "failure"
    ALWAYS = "always"
    CHANGE = "change"
    """Whenever a round ends otherwise than the one before."""


def _or_off(value: object) -> object:
    if value is True:
        raise PydanticCustomError("reason-number-or-off", "not a number")
    return None if value is False else value


def _mode(value: str) -> str:
    if not re.fullmatch(r"0?[0-7]{3}", value) or int(value, 8) & 0o111 or int(value, 8) & 0o600 != 0o600:
        raise PydanticCustomError("reason-mode", "not a mode")
    return value


def _address(value: str) -> str:
    """Refuse an address to which a message would go in the clear: it holds a token."""
    if value:
        parts = urlsplit(value)
        plain = parts.scheme == "http" and is_loopback(parts.hostname or "")
        if not parts.hostname or not (parts.scheme == "https" or plain):
            raise PydanticCustomError("reason-address", "no such address")
    return value


_ADDRESS_SCHEMA = {"type": "string", "pattern": r"^(https://|http://(localhost|127\.|\[::1\])).+"}
"""About what `_address` takes, for editors."""


def _path_or_address(value: str) -> str:
    return _address(value) if "://" in value else value


def _schedule(value: str) -> str:
    try:
        schedule.parse_schedule(value)
    except schedule.ScheduleFault as fault:
        raise PydanticCustomError("reason-schedule", "no schedule", {"reason": fault.why}) from None
    return value


Factor = Annotated[Annotated[float, Field(ge=0)] | None, BeforeValidator(_or_off)]
Percent = Annotated[Annotated[float, Field(ge=0, le=100)] | None, BeforeValidator(_or_off)]
Count = Annotated[Annotated[int, Field(ge=0)] | None, BeforeValidator(_or_off)]


@dataclass(frozen=True, slots=True)
class TripwireSettings:
    """`[job.NAME.tripwires]`: what keeps a file from being sent. None or False switches one off."""

    changed_columns: bool = key(True, bool)
    empty_columns: bool = key(True, bool)
    max_invalid: float | None = key(20.0, Percent)
    """Percent of the rows."""
    rows_below: float | None = key(0.5, Factor)
    """So many times the usual number of rows, or fewer."""
    rows_above: float | None = key(2.0, Factor)
    min_rows: int | None = key(None, Count)
    max_rows: int | None = key(None, Count)
    """The most rows to be sent."""


@dataclass(frozen=True, slots=True)
class NoticeSettings:
    """`[job.NAME.notices]`: who hears of a round, and how."""

    when: NoticeWhen = key(NoticeWhen.FAILURE, Literal["failure", "always", "change"], NoticeWhen)
    webhook: str = key("", Annotated[str, AfterValidator(_address), WithJsonSchema(_ADDRESS_SCHEMA)])
    command: str = key("", str)

    @property
    def wanted(self) -> bool:
        return bool(self.webhook or self.command)


@dataclass(frozen=True, slots=True)
class LogSettings:
    """`[job.NAME.log]`: where a job's log goes, and how much of it is kept."""

    file: Path | None = key(None, str, Path)
    """None: in the state folder."""
    format: str = key("json", Literal["json", "text"])
    size: int = key(5_000_000, Annotated[int, Field(ge=1000)])
    """Bytes after which a new file is begun."""
    files: int = key(5, Annotated[int, Field(ge=1, le=100)])
    """How many older ones are kept."""


@dataclass(frozen=True, slots=True)
class SharingSettings:
    """Who besides the service account may read the reports."""

    mode: int | None = None
    group: str = ""


@dataclass(frozen=True, slots=True)
class JobFiles:
    """The keys of `[job.NAME]` about where files come from and go to, as they are written."""

    source: str | None = key(None, Annotated[str, Field(min_length=1)])
    inbox: str | None = key(None, Annotated[str, Field(min_length=1)])
    folder: str | None = key(None, str)
    afterwards: str | None = key(None, Literal["move", "keep"])
    report_mode: str | None = key(None, Annotated[str, AfterValidator(_mode)])
    report_group: str = key("", str)
    profiles: tuple[str, ...] | None = key(None, Annotated[list[str], Field(min_length=1)], tuple)
    """Names and patterns: a job of its own for each of these profiles."""


@dataclass(frozen=True, slots=True)
class JobPlace:
    """Where a job's files come from, if not from a disk."""

    named: Location | DatabaseQuery
    """A folder, or with no pattern a single file; or a query."""
    pattern: str
    """The names of files that are taken from the folder: `*` for all."""
    config: ConfigFile
    """Holds the credentials of the place."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job, its paths absolute, its times in seconds. Its keys are those of `JobFiles`, too."""

    name: str
    source: Path
    kind: SourceKind
    folder: Path
    """Where working/, done/, failed/ and held/ lie."""
    keep_source: bool
    """The file stays where it is, and a copy of it is imported."""
    place: JobPlace | None = None
    """Where the files come from, if not from `source` on a disk."""
    table: str = ""
    """The NAME of its `[job.NAME]`: the same as its own, but for a table of several profiles."""
    given: GivenOptions = GivenOptions()
    """The options of its runs that the table names."""
    sharing: SharingSettings = SharingSettings()
    reports: Path | None = None
    """None: beside the imported file."""
    profile: str | None = key(None, str)
    settle: float = key(60.0, Seconds)
    tripwires: TripwireSettings = key(TripwireSettings(), TripwireSettings)
    notices: NoticeSettings = key(NoticeSettings(), NoticeSettings)
    log: LogSettings = key(LogSettings(), LogSettings)
    heartbeat: str = key("", Annotated[str, AfterValidator(_path_or_address)])
    """A path, or a URL."""
    time_limit: float | None = key(None, Seconds)
    keep: float | None = key(None, Seconds)
    """How long reports, files and the journal of finished runs are kept; None: for ever."""
    max_lag: float | None = key(None, Seconds)
    """After so long without a good round `job status` is critical."""
    retry_failed: bool = key(False, bool)
    """Rows that earlier rounds could not deliver are sent first, as `importer retry` does."""
    full_every: float | None = key(None, Seconds)
    """With `changed_only`: after so long without a round that sent all rows, one does; None: never."""
    max_quiet: float | None = key(None, Seconds)
    """After so long without a file `job status` warns."""
    schedule: str = key("", Annotated[str, AfterValidator(_schedule)])

    def describe_source(self) -> str:
        if self.place is not None:
            pattern = "" if self.place.pattern in ("", "*") else f"/{self.place.pattern}"
            return f"{str(self.place.named).rstrip('/')}{pattern}"
        return f"{self.source}/" if self.kind is SourceKind.INBOX else str(self.source)

    def options_with(self, profile: Profile, lang: str) -> RunOptions:
        """Return the options of its runs. What the job leaves open the profile says, then `lang`."""
        options = layered(RunOptions(lang=lang), profile.given, self.given)
        return options if options.wait is not None else replace(options, wait=self.time_limit)


def _now() -> datetime:
    return datetime.now().astimezone()


def no_checkpoint(step: str) -> None:
    """Do nothing: the hook outside of tests."""


@dataclass(frozen=True, slots=True)
class JobEnvironment:
    """What a round needs from outside: clock, sleep, connection, a hook for tests.

    `clock` returns the wall time with its zone, `sleep` takes seconds, `checkpoint` gets the name of each
    step.
    """

    clock: Callable[[], datetime] = _now
    sleep: Callable[[float], None] = time.sleep
    connection: Connection | None = None
    """Where to send to; None: the profile and the environment decide."""
    checkpoint: Callable[[str], None] = no_checkpoint
    lang: str = "en"
