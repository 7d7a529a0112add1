"""One job as importer.toml describes it: `[job.NAME]`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from importer.config import FILE_NAME, ConfigFile, Profile
from importer.errors import SettingsError
from importer.options import RunOptions

_PROFILE_OPTIONS = ("mode", "contract", "concurrency", "rate", "patience")


class SourceKind(StrEnum):
    """What `source` names."""

    FILE = "file"
    PATTERN = "pattern"
    INBOX = "inbox"


class When(StrEnum):
    """After which rounds a notice goes out."""

    FAILURE = "failure"
    ALWAYS = "always"
    CHANGE = "change"
    """Whenever a round ends otherwise than the one before."""


@dataclass(frozen=True, slots=True)
class Tripwires:
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
class Notices:
    """Who hears of a round, and how."""

    when: When = When.FAILURE
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
class Sharing:
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
    sharing: Sharing = field(default_factory=Sharing)
    tripwires: Tripwires = field(default_factory=Tripwires)
    notices: Notices = field(default_factory=Notices)
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


def load(file: ConfigFile, name: str) -> Job:
    """`[job.NAME]` of importer.toml. Raises SettingsError `unknown-job` or `bad-settings`."""
    if name not in file.names("job"):
        known = ", ".join(file.names("job")) or "–"
        raise SettingsError("unknown-job", name=name, file=file.path or FILE_NAME, known=known)
    from importer.jobs.schema import JobTable

    return JobTable.read(file, name)
