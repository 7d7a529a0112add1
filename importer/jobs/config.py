"""One job as importer.toml describes it: the settings of `[job.NAME]`, and the tables that check them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from importer.config import FILE_NAME, ConfigFile, Profile
from importer.config_schema import ConfigTable
from importer.errors import SettingsError
from importer.jobs import schedule
from importer.models import Mode
from importer.options import Duplicates, RunOptions

_PROFILE_OPTIONS = ("mode", "contract", "concurrency", "rate", "patience")


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


@dataclass(frozen=True, slots=True)
class TripwireSettings:
    """What keeps a file from being sent; None or False switches one off."""

    changed_columns: bool = True
    empty_columns: bool = True
    max_invalid: float | None = 20.0
    """Percent of the rows."""
    rows_below: float | None = 0.5
    """So many times the usual number of rows, or fewer."""
    rows_above: float | None = 2.0
    min_rows: int | None = None
    max_rows: int | None = None
    """Of rows to be sent."""


@dataclass(frozen=True, slots=True)
class NoticeSettings:
    """Who hears of a round, and how."""

    when: NoticeWhen = NoticeWhen.FAILURE
    webhook: str = ""
    command: str = ""

    @property
    def wanted(self) -> bool:
        return bool(self.webhook or self.command)


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Where a job's log goes, and how much of it is kept. None: into the state folder."""

    file: Path | None = None
    json: bool = True
    size: int = 5_000_000
    """Bytes after which a new file is begun."""
    files: int = 5
    """How many older ones are kept."""


@dataclass(frozen=True, slots=True)
class SharingSettings:
    """Who besides the service account may read the reports."""

    mode: int | None = None
    group: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One job, its paths absolute, its times in seconds."""

    name: str
    source: Path
    kind: SourceKind
    folder: Path
    """Where working/, done/, failed/ and held/ lie."""
    keep_source: bool
    """The file stays where it is, and a copy of it is imported."""
    options: RunOptions = field(default_factory=RunOptions)
    given: frozenset[str] = frozenset()
    """Which of the options the table names; the profile's hold for the others."""
    profile: str | None = None
    settle: float = 60.0
    reports: Path | None = None
    """None: beside the imported file."""
    sharing: SharingSettings = field(default_factory=SharingSettings)
    tripwires: TripwireSettings = field(default_factory=TripwireSettings)
    notices: NoticeSettings = field(default_factory=NoticeSettings)
    log: LogSettings = field(default_factory=LogSettings)
    heartbeat: str = ""
    """A path, or a URL."""
    time_limit: float | None = None
    keep: float | None = None
    """How long reports, files and the journal of finished runs are kept; None: for ever."""
    max_lag: float | None = None
    """After so long without a good round `job status` is critical."""
    max_quiet: float | None = None
    """After so long without a file `job status` warns."""
    schedule: str = ""

    def describe_source(self) -> str:
        return f"{self.source}/" if self.kind is SourceKind.INBOX else str(self.source)

    def options_with(self, profile: Profile, lang: str) -> RunOptions:
        """The options of its runs: the profile's, and the program's language, where the table is silent."""
        values = {name: getattr(profile, name) for name in _PROFILE_OPTIONS} | {"lang": lang}
        silent = {n: value for n, value in values.items() if value is not None and n not in self.given}
        return replace(self.options, **silent)


def load_job(file: ConfigFile, name: str) -> Job:
    """`[job.NAME]` of importer.toml. Raises SettingsError `unknown-job` or `bad-settings`."""
    if name not in file.names("job"):
        known = ", ".join(file.names("job")) or "–"
        raise SettingsError("unknown-job", name=name, file=file.path or FILE_NAME, known=known)

    return JobTable.read(file, name)


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
_WILD = re.compile(r"[*?\[]")


def _seconds(value: object) -> object:
    """`90`, `90s`, `15m`, `26h`, `30d`, `4w` as seconds."""
    if isinstance(value, str):
        found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([smhdw])", value.strip())
        if not found:
            raise ValueError('write it as a number of seconds, or like "90s", "15m", "26h", "30d", "4w"')
        return float(found[1]) * _UNITS[found[2]]
    return value


def _or_off(value: object) -> object:
    if value is True:
        raise ValueError("give a number, or false to switch it off")
    return None if value is False else value


def _mode(value: str) -> str:
    if not re.fullmatch(r"0?[0-7]{3}", value) or int(value, 8) & 0o111 or int(value, 8) & 0o600 != 0o600:
        raise ValueError('write it like "0640": the owner reads and writes, nobody executes')
    return value


def _schedule(value: str) -> str:
    try:
        schedule.parse_schedule(value)
    except ValueError as error:
        raise ValueError(str(error)) from None
    return value


Seconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0)]
Factor = Annotated[Annotated[float, Field(ge=0)] | None, BeforeValidator(_or_off)]
Percent = Annotated[Annotated[float, Field(ge=0, le=100)] | None, BeforeValidator(_or_off)]
Count = Annotated[Annotated[int, Field(ge=0)] | None, BeforeValidator(_or_off)]


class TripwireTable(ConfigTable):
    """`[job.NAME.tripwires]`."""

    changed_columns: bool = True
    empty_columns: bool = True
    max_invalid: Percent = 20.0
    rows_below: Factor = 0.5
    rows_above: Factor = 2.0
    min_rows: Count = None
    max_rows: Count = None


class NoticeTable(ConfigTable):
    """`[job.NAME.notices]`."""

    when: Literal["failure", "always", "change"] = "failure"
    webhook: Annotated[str, Field(pattern=r"^(https://|http://(localhost|127\.|\[::1\])).+")] | None = None
    command: str | None = None


class LogTable(ConfigTable):
    """`[job.NAME.log]`."""

    file: str | None = None
    format: Literal["json", "text"] = "json"
    size: Annotated[int, Field(ge=1000)] = 5_000_000
    files: Annotated[int, Field(ge=1, le=100)] = 5


class JobTable(ConfigTable):
    """`[job.NAME]`. Relative paths are relative to importer.toml."""

    source: Annotated[str, Field(min_length=1)] | None = None
    inbox: Annotated[str, Field(min_length=1)] | None = None
    folder: str | None = None
    afterwards: Literal["move", "keep"] | None = None
    settle: Seconds = 60.0
    profile: str | None = None
    mapping: str | None = None
    sheet: str | None = None
    header_row: Annotated[int, Field(ge=1)] | Literal["none"] | None = None
    encoding: str | None = None
    delimiter: str | None = None
    contract: Literal["sea", "plat"] | None = None
    mode: Literal["replace", "update", "keep"] | None = None
    duplicates: Literal["send", "skip", "error"] | None = None
    strict: bool = False
    limit: Annotated[int, Field(ge=1)] | None = None
    concurrency: Annotated[int, Field(ge=1, le=64)] | None = None
    rate: Annotated[float, Field(ge=0)] | None = None
    patience: Seconds | None = None
    resend_unknown: bool = False
    excel_report: bool = False
    mask: bool = False
    lang: Literal["en", "zh"] | None = None
    report_dir: str | None = None
    report_mode: Annotated[str, AfterValidator(_mode)] | None = None
    report_group: str | None = None
    time_limit: Seconds | None = None
    keep: Seconds | None = None
    max_lag: Seconds | None = None
    max_quiet: Seconds | None = None
    heartbeat: str | None = None
    schedule: Annotated[str, AfterValidator(_schedule)] | None = None
    tripwires: TripwireTable = TripwireTable()
    notices: NoticeTable = NoticeTable()
    log: LogTable = LogTable()

    @classmethod
    def read(cls, file: ConfigFile, name: str) -> Job:
        """The job that the table describes. Raises SettingsError `bad-settings`."""
        place, path = f"job.{name}", str(file.path)
        if not _NAME.fullmatch(name):
            reason = "a job's name has letters, digits, dots, dashes and underscores only"
            raise SettingsError("bad-settings", file=path, place=place, reason=reason)
        found = cls.check(file.tables["job"][name], path, place)
        if (found.source is None) == (found.inbox is None):
            reason = "give either inbox (a folder) or source (a file or a pattern)"
            raise SettingsError("bad-settings", file=path, place=place, reason=reason)
        base = file.path.absolute().parent if file.path else Path.cwd()
        return found._job(name, base)

    def _job(self, name: str, base: Path) -> Job:
        source = _path(base, self.inbox or self.source or "")
        kind = SourceKind.INBOX if self.inbox else _kind(self.source or "", source)
        inside = source if kind is SourceKind.INBOX else source.parent
        keep_source = self.afterwards == "keep" or (self.afterwards is None and kind is SourceKind.FILE)
        return Job(
            name=name,
            source=source,
            kind=kind,
            folder=_path(base, self.folder) if self.folder else inside,
            keep_source=keep_source,
            options=self._options(base),
            given=frozenset(self.model_fields_set),
            profile=self.profile,
            settle=self.settle,
            reports=_path(base, self.report_dir) if self.report_dir else None,
            sharing=SharingSettings(
                int(self.report_mode, 8) if self.report_mode else None, self.report_group or ""
            ),
            tripwires=TripwireSettings(**self.tripwires.model_dump()),
            notices=NoticeSettings(
                NoticeWhen(self.notices.when), self.notices.webhook or "", self.notices.command or ""
            ),
            log=LogSettings(
                _path(base, self.log.file) if self.log.file else None,
                self.log.format == "json",
                self.log.size,
                self.log.files,
            ),
            heartbeat=_heartbeat(base, self.heartbeat or ""),
            time_limit=self.time_limit,
            keep=self.keep,
            max_lag=self.max_lag,
            max_quiet=self.max_quiet,
            schedule=self.schedule or "",
        )

    def _options(self, base: Path) -> RunOptions:
        names = {option.name for option in fields(RunOptions)}
        given = {n: value for n, value in self.model_dump().items() if n in names and value is not None}
        if self.mode:
            given["mode"] = Mode[self.mode.upper()]
        if self.duplicates:
            given["duplicates"] = Duplicates(self.duplicates)
        if self.mapping and (self.mapping.endswith(".toml") or "/" in self.mapping or "\\" in self.mapping):
            given["mapping"] = str(_path(base, self.mapping))
        values: dict[str, Any] = given
        return RunOptions(**values)


def _path(base: Path, text: str) -> Path:
    return base / Path(text).expanduser()


def _kind(text: str, source: Path) -> SourceKind:
    if text.endswith(("/", "\\")) or source.is_dir():
        return SourceKind.INBOX
    return SourceKind.PATTERN if _WILD.search(source.name) else SourceKind.FILE


def _heartbeat(base: Path, text: str) -> str:
    if not text or text.startswith(("https://", "http://")):
        return text
    return str(_path(base, text))
