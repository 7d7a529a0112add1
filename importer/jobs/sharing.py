"""Reports for the people who fix rejects, who are not the service account."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from importer.errors import SettingsError
from importer.jobs.job import Sharing

_READ = 0o444


def share_reports(directory: Path, how: Sharing) -> None:
    """Gives the files of a folder the job's mode and group. Raises SettingsError `job-sharing-refused`."""
    if how.mode is None and not how.group:
        return
    share_folder(directory, how)
    for path in directory.iterdir():
        if path.is_dir():
            share_reports(path, how)
        else:
            _share(path, how.mode, how.group)


def share_folder(directory: Path, how: Sharing) -> None:
    """Whoever may read the files may look into the folder. Raises SettingsError `job-sharing-refused`."""
    if how.mode is None and not how.group:
        return
    mode = None
    if how.mode is not None:
        mode = how.mode | ((how.mode & _READ) >> 2)
    _share(directory, mode, how.group)


def _share(path: Path, mode: int | None, group: str) -> None:
    if os.name != "posix":
        return
    try:
        if group:
            shutil.chown(path, group=group)
        if mode is not None:
            path.chmod(mode)
    except (OSError, LookupError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError("job-sharing-refused", path=path, group=group or "–", reason=reason) from error
