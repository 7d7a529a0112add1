"""Read the tables `[job.NAME]`: laid over `[job-defaults]`, and one job for each of several profiles."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from importer.config import FILE_NAME, ConfigFile
from importer.config_schema import check_table
from importer.errors import SettingsError
from importer.jobs.config import Job, JobFiles, JobPlace, SharingSettings, SourceKind
from importer.option_layers import GivenOptions
from importer.options import RunOptions
from importer.sources.locations import DatabaseQuery, Location, Scheme, locate
from importer.user_folders import state_folder

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_AT = "@"
"""Between a table's name and a profile's in the name of a job."""
_WILD = re.compile(r"[*?\[]")


def load_job(file: ConfigFile, name: str) -> Job:
    """Return the job of a name: that of `[job.NAME]`, or `NAME@PROFILE` of a table for several profiles.

    Raises SettingsError `unknown-job` or `bad-settings`.
    """
    table, _, profile = name.partition(_AT)
    if table not in file.names("job") or (name != table and name not in job_names(file, table)):
        known = ", ".join(file.names("job")) or "–"
        raise SettingsError("unknown-job", name=name, file=file.path or FILE_NAME, known=known)
    place = f"job.{table}"
    merged = _merged(file, table)
    if name == table and merged.get("profiles") is not None:
        raise SettingsError("job-of-several", name=name, names=", ".join(job_names(file, table)))
    written = check_table(merged, file.path, place, "job", JobFiles, Job)
    profile = profile or str(merged.get("profile") or "")
    checked = check_table(_filled_in(file, place, merged, profile), file.path, place, "job", JobFiles, Job)
    files = JobFiles(**checked.fields_of(JobFiles))
    named = _place(file, place, files, checked.given.options)
    if named is None and (files.source is None) == (files.inbox is None):
        raise file.mistake(place, "reason-one-source")
    if files.profiles is not None:
        _refuse_shared_folders(file, place, JobFiles(**written.fields_of(JobFiles)), merged)
    base = file.folder
    source = (
        _path(base, files.inbox or files.source or "") if named is None else state_folder() / "jobs" / name
    )
    kind = SourceKind.INBOX if files.inbox or named else _kind(files.source or "", source)
    inside = source if kind is SourceKind.INBOX else source.parent
    keeps = kind is SourceKind.FILE or (named is not None and not named.pattern)
    reports = checked.given.options.report_dir
    job = Job(
        name,
        source,
        kind,
        folder=_path(base, files.folder) if files.folder else inside,
        keep_source=files.afterwards == "keep" or (files.afterwards is None and keeps),
        place=named,
        table=table,
        given=_given(base, checked.given),
        sharing=SharingSettings(int(files.report_mode, 8) if files.report_mode else None, files.report_group),
        reports=_path(base, reports) if reports else None,
        **checked.fields_of(Job) | {"profile": profile or None},
    )
    log = replace(job.log, file=_path(base, job.log.file) if job.log.file else None)
    return replace(job, log=log, heartbeat=_heartbeat(base, job.heartbeat))


def _place(file: ConfigFile, place: str, files: JobFiles, options: RunOptions) -> JobPlace | None:
    """Return where files come from, if not from a disk. Raises SettingsError `bad-settings`, InputError."""
    if options.query or options.database:
        if not (options.query and options.database) or files.source or files.inbox:
            raise file.mistake(place, "reason-query-alone")
        named: Location | DatabaseQuery = DatabaseQuery(options.database, options.query)
        pattern = ""
    else:
        text = files.inbox or files.source or ""
        location = locate(text)
        if location is None:
            return None
        if files.inbox and files.source:
            raise file.mistake(place, "reason-one-source")
        named, pattern = _folder_and_pattern(location, inbox=bool(files.inbox))
        if pattern and location.scheme is Scheme.HTTPS:
            raise file.mistake(place, "reason-no-folders")
    if not pattern and files.afterwards == "move":
        raise file.mistake(f"{place}.afterwards", "reason-stays")
    return JobPlace(named, pattern, file)


def _folder_and_pattern(location: Location, *, inbox: bool) -> tuple[Location, str]:
    """Return the folder of an address and which files of it are meant; no pattern for a single file."""
    if inbox or location.address.endswith("/"):
        return location, "*"
    folder, _, last = location.address.rpartition("/")
    if location.scheme is Scheme.HTTPS or not _WILD.search(last):
        return location, ""
    return Location(location.scheme, folder), last


def job_names(file: ConfigFile, table: str) -> tuple[str, ...]:
    """Return the names of the jobs of `[job.TABLE]`: TABLE, or TABLE@PROFILE for each of several profiles.

    Raises SettingsError `bad-settings`.
    """
    place = f"job.{table}"
    if not _NAME.fullmatch(table):
        raise file.mistake(place, "reason-job-name")
    merged = _merged(file, table)
    if merged.get("profiles") is None:
        return (table,)
    checked = check_table(merged, file.path, place, "job", JobFiles, Job)
    return tuple(f"{table}{_AT}{name}" for name in _chosen(file, place, checked.values["profiles"]))


def _chosen(file: ConfigFile, place: str, patterns: Sequence[str]) -> tuple[str, ...]:
    """Return the profiles that names and patterns mean, in the file's order; `!NAME` takes some out again."""
    known, chosen = file.names("profile"), set[str]()
    for pattern in patterns:
        wanted = pattern.removeprefix("!")
        found = {name for name in known if fnmatchcase(name, wanted)}
        if not found:
            there = ", ".join(known) or "–"
            raise file.mistake(f"{place}.profiles", "reason-no-such-profiles", pattern=wanted, known=there)
        chosen = chosen - found if pattern.startswith("!") else chosen | found
    names = tuple(name for name in known if name in chosen)
    for name in names:
        if not _NAME.fullmatch(name):
            raise file.mistake(f"{place}.profiles", "reason-profile-name", profile=ascii(name))
    if not names:
        raise file.mistake(f"{place}.profiles", "reason-profiles-none")
    return names


def _merged(file: ConfigFile, name: str) -> dict[str, Any]:
    """Return `[job.NAME]` laid over `[job-defaults]`, key by key. Raises SettingsError `bad-settings`."""
    shared, own = file.tables.get("job-defaults", {}), file.table("job", name)
    check_table(shared, file.path, "job-defaults", "job", JobFiles, Job)
    # What says the same thing in two ways gives way to the job's own.
    for one, other in (
        ("source", "inbox"),
        ("inbox", "source"),
        ("profile", "profiles"),
        ("profiles", "profile"),
    ):
        if one in own:
            shared = {key: value for key, value in shared.items() if key != other}
    merged = dict(shared)
    for written, value in own.items():
        below = merged.get(written)
        merged[written] = below | value if isinstance(below, dict) and isinstance(value, dict) else value
    if merged.get("profile") is not None and merged.get("profiles") is not None:
        raise file.mistake(f"job.{name}", "reason-profile-or-profiles")
    return merged


_PLACE = "{profile}"
_WITH_PLACE = ("inbox", "source", "folder", "report_dir", "mapping", "heartbeat")
"""Keys in which `{profile}` stands for the name of the job's profile; `log.file` is another."""


def _filled_in(file: ConfigFile, place: str, table: Mapping[str, Any], profile: str) -> dict[str, Any]:
    """Return the table with the profile's name where `{profile}` stands."""

    def fill(value: object, key: str) -> object:
        if not isinstance(value, str) or _PLACE not in value:
            return value
        if not _NAME.fullmatch(profile):
            raise file.mistake(f"{place}.{key}", "reason-profile-place")
        return value.replace(_PLACE, profile)

    filled = {key: fill(value, key) if key in _WITH_PLACE else value for key, value in table.items()}
    log = table.get("log")
    if isinstance(log, dict) and "file" in log:
        filled["log"] = log | {"file": fill(log["file"], "log.file")}
    return filled


def _refuse_shared_folders(file: ConfigFile, place: str, files: JobFiles, table: Mapping[str, Any]) -> None:
    """Refuse what the jobs of several profiles would take from each other."""
    log = table.get("log")
    shared = {
        "inbox": files.inbox,
        "source": files.source,
        "folder": files.folder,
        "report_dir": table.get("report_dir"),
        "log.file": log.get("file") if isinstance(log, dict) else None,
    }
    for key, value in shared.items():
        if isinstance(value, str) and value and _PLACE not in value:
            raise file.mistake(f"{place}.{key}", "reason-profile-path")


def _given(base: Path, given: GivenOptions) -> GivenOptions:
    """Return the options, with the paths of a mapping file and of lists made absolute."""
    given = given.beside(base)
    mapping = given.options.mapping or ""
    if mapping.endswith(".toml") or "/" in mapping or "\\" in mapping:
        return given.joined(GivenOptions.read({"mapping": str(_path(base, mapping))}))
    return given


def _path(base: Path, text: Path | str) -> Path:
    return base / Path(text).expanduser()


def _kind(text: str, source: Path) -> SourceKind:
    if text.endswith(("/", "\\")) or source.is_dir():
        return SourceKind.INBOX
    return SourceKind.PATTERN if _WILD.search(source.name) else SourceKind.FILE


def _heartbeat(base: Path, text: str) -> str:
    if not text or text.startswith(("https://", "http://")):
        return text
    return str(_path(base, text))
