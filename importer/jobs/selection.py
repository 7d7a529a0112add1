"""Choose the jobs that a command is about: by name, by pattern, or all of importer.toml."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from importer.config import FILE_NAME, ConfigFile, Profile
from importer.credentials import VARIABLES, resolve
from importer.errors import ImporterError, SettingsError
from importer.jobs.config import Job
from importer.jobs.tables import job_names, load_job
from importer.journal import RunRecord


@dataclass(frozen=True, slots=True)
class ChosenJob:
    """A job that can be worked with, and whose credentials it takes."""

    job: Job
    profile: Profile

    @property
    def name(self) -> str:
        return self.job.name


@dataclass(frozen=True, slots=True)
class UnusableJob:
    """A job whose settings have a mistake, or a name that no job has."""

    name: str
    error: ImporterError


def choose_jobs(
    file: ConfigFile, wanted: Sequence[str] = (), *, every: bool = False, env_file: Path | None = None
) -> tuple[ChosenJob | UnusableJob, ...]:
    """Return the jobs of these names and patterns, or all; each once, in the file's order.

    A table for several profiles is chosen by its own name, `NAME`, or by one of its jobs, `NAME@PROFILE`.
    What cannot be used is returned as such, so that it stops no other job. `env_file` replaces that of the
    profiles.
    """
    found: list[ChosenJob | UnusableJob] = []
    hit: set[str] = set()
    for table, name, error in _named(file):
        by = {pattern for pattern in wanted if fnmatchcase(name, pattern) or fnmatchcase(table, pattern)}
        if every or by:
            found.append(UnusableJob(name, error) if error else _loaded(file, name, env_file))
        hit |= by
    known = ", ".join(file.names("job")) or "–"
    where = file.path or FILE_NAME
    missed = [pattern for pattern in dict.fromkeys(wanted) if pattern not in hit]
    unknown = [SettingsError("unknown-job", name=pattern, file=where, known=known) for pattern in missed]
    return (*found, *map(UnusableJob, missed, unknown))


def choose_job(file: ConfigFile, name: str, *, env_file: Path | None = None) -> ChosenJob:
    """Return the one job of a name. Raises SettingsError as `load_job` does, or for its profile."""
    job = load_job(file, name)
    return ChosenJob(job, _profile(file, job, env_file))


def _named(file: ConfigFile) -> Iterator[tuple[str, str, ImporterError | None]]:
    """Yield table and name of each job, and why its table cannot be read."""
    for table in file.names("job"):
        try:
            names = job_names(file, table)
        except SettingsError as error:
            yield table, table, error
            continue
        for name in names:
            yield table, name, None


def _loaded(file: ConfigFile, name: str, env_file: Path | None) -> ChosenJob | UnusableJob:
    try:
        return choose_job(file, name, env_file=env_file)
    except ImporterError as error:
        return UnusableJob(name, error)


def _profile(file: ConfigFile, job: Job, env_file: Path | None) -> Profile:
    """Return the job's profile; paths in it are relative to importer.toml."""
    profile = file.profile(job.profile).anchored(file.folder)
    return profile if env_file is None else replace(profile, env_file=env_file)


_OF_ONE_TENANT = ("base_url", "access_key", "tenant_id", "app_key")


def refuse_shadowed(
    chosen: Sequence[ChosenJob], environ: Mapping[str, str] | None = None, env_file: Path | None = None
) -> tuple[ChosenJob | UnusableJob, ...]:
    """Return the jobs, as unusable where the environment or one env file for all names another tenant.

    The environment comes before profiles. In a round over several profiles it would lead the customers of all
    of them to one tenant.
    """
    environ = os.environ if environ is None else environ
    if len({one.profile.name for one in chosen}) < 2:
        return tuple(chosen)
    return tuple(_refused(one, environ, env_file) or one for one in chosen)


def _refused(one: ChosenJob, environ: Mapping[str, str], env_file: Path | None) -> UnusableJob | None:
    own = replace(one.profile, env_file=None) if env_file is not None else one.profile
    try:
        meant = resolve(own, environ={}, sends=False)
        found = resolve(one.profile, environ=environ, sends=False)
    except SettingsError as error:
        return UnusableJob(one.name, error)
    for name in _OF_ONE_TENANT:
        if name in meant.origins and getattr(meant.connection, name) != getattr(found.connection, name):
            place, variable = found.origins[name], VARIABLES[name]
            reason = SettingsError(
                "profile-overridden", job=one.name, profile=one.profile.name, variable=variable, place=place
            )
            return UnusableJob(one.name, reason)
    return None


def lists_in_force(file: ConfigFile, record: RunRecord) -> tuple[str, ...]:
    """Return the lists of people who must not be sent that are named by now for the job and the profile of an
    earlier run; none for what is not in importer.toml any more.

    Raises SettingsError for what is in it and has a mistake.
    """
    found: list[str] = []
    if record.job:
        try:
            job = load_job(file, record.job)
        except SettingsError as error:
            if error.code != "unknown-job":
                raise
        else:
            found += (*_profile(file, job, None).given.options.suppress, *job.given.options.suppress)
    if record.profile in file.names("profile"):
        found += file.profile(record.profile).anchored(file.folder).given.options.suppress
    return tuple(dict.fromkeys(found))
