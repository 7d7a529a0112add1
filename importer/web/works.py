"""Keep pieces of work on disk: one file on its way from the upload to the result.

Each has a folder of mode 0700 in the state folder, with the file, its mapping, the corrections and the
reports. What lies there holds customers' data; it is deleted when nobody has touched it for EXPIRY_DAYS.
Lists of people who must not be sent stay, by the place where they hold, until somebody takes them off.
"""

from __future__ import annotations

import contextlib
import dataclasses
import filecmp
import hashlib
import json
import re
import secrets
import shutil
import threading
import time
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from importer.errors import InputError, UsageError
from importer.private_files import make_private_folder, replace_private_file
from importer.readers.overlay import CorrectedCell, Corrections, read_corrections, write_corrections
from importer.reasons import reason_of

EXPIRY_DAYS = 30
_ID = re.compile(r"[a-z0-9]{12}")
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_LONGEST_NAME = 120
_STATE = "work.json"
_LEFTOVER_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class KindCount:
    """How many rows have one kind of issue in one column (empty: in the row as a whole)."""

    code: str
    column: str
    severity: str
    rows: int
    example: str = ""
    """What is said about the first of them."""
    sent: int = -1
    """How many of the rows are sent as they are; -1 if that is not known."""


@dataclass(frozen=True, slots=True)
class NamedRow:
    """A row, and whose it is; an empty name if that cannot be told."""

    sheet: str
    row: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class ToldRows:
    """How many rows something is to be said of, and the first of them."""

    rows: int
    first: tuple[NamedRow, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Rows that are not sent though nothing is wrong with them, and why: in words, as of the check."""

    status: str
    why: str
    rows: int
    first: tuple[NamedRow, ...] = ()
    code: str = ""


@dataclass(frozen=True, slots=True)
class CheckState:
    """What the last check of the whole file found."""

    run: str
    fingerprint: str
    """Of all that the check depended on: another one means that it is out of date."""
    rows: int
    counts: dict[str, int]
    kinds: tuple[KindCount, ...]
    header: tuple[str, ...]
    reports: str
    corrections: str = ""
    """The name of the corrections file that it was made with."""
    problem_rows: int = 0
    kept_rows: int = 0
    """How many of them the grid has."""
    notes: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    lang: str = ""
    """The language of what it says."""
    told: dict[str, ToldRows] = field(default_factory=dict)
    """What earlier imports mean for rows of this file, by a code of `importer.web.earlier`."""
    list_doubts: tuple[str, ...] = ()
    """What lists of people who must not be sent have that cannot be used."""
    feeding: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The columns that feed each field of the API."""


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of work as it stands. `revision` grows with every change, so that two tabs cannot overwrite
    each other unseen."""

    id: str
    name: str
    """The file as its owner calls it."""
    size: int
    created: str
    used: str
    revision: int = 1
    sheet: str | None = None
    header_row: int | str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    seen: bool = False
    """Whether a person has confirmed how the file is read."""
    matched_by: str = ""
    """Where the mapping came from: a code of a message, with the name of a mapping behind a colon."""
    report: bool = False
    """Whether the file is one of the importer's own reports: it brings its mapping along."""
    profile: str = ""
    duplicates: str = ""
    """What becomes of a row that shares a contact with an earlier one: a value of the option, empty for its
    default."""
    mode: str = ""
    check: CheckState | None = None
    run: str = ""
    """The import that was started last."""
    rest_of: str = ""
    """The run of which only the rest is checked and sent: the rows that it did not bring in."""
    sha256: str = ""
    """Of the file as it came; empty if nobody has computed it."""
    only_changed: bool = False
    """Whether only rows are sent that are new or have changed since the last import to the same place."""
    suppress: tuple[str, ...] = ()
    """Lists of people who must not be sent, by their names in the folder of lists."""


def now() -> str:
    """This moment, as works keep it: two uses within a second have an order."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def safe_name(name: str) -> str:
    """A file name that stays in its folder, whatever a browser sends: the last part, printable, visible."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join(char for char in last if char.isprintable() and char not in '<>:"|?*').strip(" .")
    stem, dot, ending = kept.rpartition(".")
    if len(kept) > _LONGEST_NAME:
        kept = (stem or ending)[: _LONGEST_NAME - 10] + (dot + ending[:9] if stem else "")
    while len(kept.encode()) > 2 * _LONGEST_NAME:
        kept = kept[1:]
    return kept or "file"


class WorkStore:
    """All pieces of work of one user. Safe to use from several threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.RLock()

    def folder(self, work_id: str) -> Path:
        """The folder of a piece of work. Raises UsageError `web-no-work` for what cannot be one."""
        if not _ID.fullmatch(work_id):
            raise UsageError("web-no-work")
        return self.root / work_id

    def file(self, work: Work) -> Path:
        """Where the uploaded file lies."""
        return self.folder(work.id) / "file" / work.name

    def lists_folder(self, work: Work) -> Path:
        """Where the lists lie of people who must not be sent."""
        return self.folder(work.id) / "lists"

    def mapping_file(self, work: Work) -> Path:
        """Where the mapping lies: the very file that `importer run --mapping` takes."""
        return self.folder(work.id) / "mapping.toml"

    def problems_file(self, work: Work) -> Path:
        """Where the rows with problems lie that the last check found."""
        return self.folder(work.id) / "problems.jsonl"

    def told_file(self, work: Work, code: str) -> Path:
        """Return where the corrections lie for rows that the last check tells of; `code`: a key of `told`."""
        return self.folder(work.id) / f"{code}.jsonl"

    def report_corrections_file(self, work: Work) -> Path:
        """Where it lies what a person corrected in a report, once its rows are in."""
        return self.folder(work.id) / "report-corrections.json"

    def new(self, name: str) -> Work:
        """Make an empty piece of work with its folders. Raises OSError."""
        work_id = "".join(secrets.choice(_ALPHABET) for _ in range(12))
        work = Work(work_id, safe_name(name), 0, now(), now())
        make_private_folder(self.root)
        self.folder(work_id).mkdir(mode=0o700)
        (self.folder(work_id) / "file").mkdir(mode=0o700)
        return work

    def save(self, work: Work) -> None:
        """Write a piece of work. Raises OSError."""
        text = json.dumps(dataclasses.asdict(work), ensure_ascii=False)
        replace_private_file(self.folder(work.id) / _STATE, text.encode("utf-8", "replace"))

    def get(self, work_id: str) -> Work:
        """The piece of work of that name. Raises UsageError `web-no-work` if there is none."""
        try:
            table = json.loads((self.folder(work_id) / _STATE).read_text("utf-8"))
            return _work(table)
        except (OSError, ValueError, TypeError, KeyError):
            raise UsageError("web-no-work") from None

    @contextlib.contextmanager
    def editing(self, work_id: str, revision: int | None = None) -> Iterator[WorkEdit]:
        """Change a piece of work; nobody else does meanwhile.

        Raises UsageError `web-changed-elsewhere` if `revision` is not the present one.
        """
        with self._lock:
            work = self.get(work_id)
            if revision is not None and revision != work.revision:
                raise UsageError("web-changed-elsewhere")
            edit = WorkEdit(work)
            yield edit
            if edit.changed:
                self.save(replace(work, **edit.changes, revision=work.revision + 1, used=now()))

    def recent(self) -> list[Work]:
        """All pieces of work, the one used last first."""
        found = []
        for folder in self.root.iterdir() if self.root.is_dir() else ():
            with contextlib.suppress(UsageError):
                found.append(self.get(folder.name))
        return sorted(found, key=lambda work: work.used, reverse=True)

    def delete(self, work_id: str) -> None:
        """Delete a piece of work with all that belongs to it."""
        shutil.rmtree(self.folder(work_id), ignore_errors=True)

    def prune(self, keep: frozenset[str] = frozenset()) -> int:
        """Delete what nobody has used for EXPIRY_DAYS, but for `keep`, and what an upload that never came to
        its end has left. Returns how many."""
        oldest = (datetime.now(UTC) - timedelta(days=EXPIRY_DAYS)).isoformat(timespec="seconds")
        old = [work for work in self.recent() if work.used < oldest and work.id not in keep]
        for work in old:
            self.delete(work.id)
        for folder in self.root.iterdir() if self.root.is_dir() else ():
            with contextlib.suppress(OSError):
                begun = time.time() - folder.stat().st_mtime
                if (
                    _ID.fullmatch(folder.name)
                    and begun > _LEFTOVER_SECONDS
                    and not (folder / _STATE).exists()
                ):
                    self.delete(folder.name)
        return len(old)

    def lists_of_place(self, place: str) -> Path:
        """Where the lists lie of people who must not be sent to a place, until somebody takes them off. They
        belong to no piece of work: whichever is used, deleted or expires, the next one finds them."""
        return self.root / "lists" / hashlib.sha256(place.encode("utf-8", "replace")).hexdigest()[:24]

    def lists_due(self, work: Work, place: str) -> list[str]:
        """The lists of a place that a piece of work does not compare with yet, or not as they are now."""
        folder, mine = self.lists_of_place(place), self.lists_folder(work)
        names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        return [
            name
            for name in names
            if name not in work.suppress
            or not (mine / name).is_file()
            or not filecmp.cmp(folder / name, mine / name)
        ]

    def take_lists_over(self, work_id: str, place: str) -> Work:
        """Give a piece of work the lists of the place where it goes, and return it. Raises OSError."""
        with self.editing(work_id) as edit:
            if not self.lists_of_place(place).is_dir():  # kept with the works alone until now
                alike = (one for one in self.recent() if one.suppress and one.profile == edit.work.profile)
                if (last := next(alike, None)) is not None:
                    self.keep_lists(last, place)
            if due := self.lists_due(edit.work, place):
                _copy_lists(due, self.lists_of_place(place), self.lists_folder(edit.work))
                edit.set(suppress=tuple(dict.fromkeys((*edit.work.suppress, *due))))
        return self.get(work_id)

    def remove_list(self, work: Work, place: str, name: str) -> Work:
        """Take a list off a place, and return the piece of work as it is without. Raises OSError."""
        if name in work.suppress:
            make_private_folder(self.lists_of_place(place))
            (self.lists_of_place(place) / name).unlink(missing_ok=True)
        return replace(work, suppress=tuple(one for one in work.suppress if one != name))

    def keep_lists(self, work: Work, place: str) -> None:
        """Keep the lists of a piece of work for all that goes to the same place. Raises OSError."""
        mine = self.lists_folder(work)
        there = [name for name in work.suppress if (mine / name).is_file()]
        if there:
            _copy_lists(there, mine, self.lists_of_place(place))

    def fingerprint(self, work: Work) -> str:
        """Of all that a check depends on: how the file is read, its mapping, its corrections."""
        parts: list[object] = [work.sheet, work.header_row, work.encoding, work.delimiter, work.profile]
        parts += [work.duplicates, work.suppress, work.only_changed and (work.mode or "update")]
        hashed = hashlib.sha256(repr(parts).encode("utf-8", "replace"))
        for path in (self.mapping_file(work), self._corrections_file(work)):
            hashed.update(path.read_bytes() if path.is_file() else b"-")
            hashed.update(b"\0")
        return hashed.hexdigest()[:24]

    def _corrections_file(self, work: Work) -> Path:
        return self.folder(work.id) / "corrections.jsonl"

    def corrections(self, work: Work) -> dict[tuple[str, int, str], CorrectedCell]:
        """The corrected cells by sheet, row and column, the oldest first."""
        return {(cell.sheet, cell.row, cell.column): cell for cell in self.kept_corrections(work).cells}

    def kept_corrections(self, work: Work) -> Corrections:
        """The corrections, and of which content; none without a file of them."""
        path = self._corrections_file(work)
        return read_corrections(path) if path.is_file() else Corrections("", ())

    def save_corrections(self, work: Work, sha256: str, cells: Iterable[CorrectedCell]) -> None:
        """Keep these corrections of the file with this sha256, and whose rest it is. Raises OSError."""
        path, cells = self._corrections_file(work), list(cells)
        if cells or work.rest_of:
            write_corrections(path, sha256, cells, work.rest_of)
        else:
            path.unlink(missing_ok=True)

    def corrections_snapshot(self, work: Work) -> Path | None:
        """A copy of the corrections that never changes, for a run; None without any. Raises OSError."""
        path = self._corrections_file(work)
        if not path.is_file():
            return None
        content = path.read_bytes()
        copy = path.with_name(f"corrections-{hashlib.sha256(content).hexdigest()[:16]}.jsonl")
        if not copy.is_file():
            replace_private_file(copy, content)
        return copy

    def no_room(self, work: Work, error: OSError) -> InputError:
        """The error of a disk that does not take the file."""
        return InputError("no-room", name=work.name, reason=reason_of(error))


def _copy_lists(names: Iterable[str], source: Path, target: Path) -> None:
    """Copy files as they are, with their times; a list that is half written is never in its place."""
    make_private_folder(target)
    for name in names:
        part = target.parent / f"{secrets.token_hex(8)}.part"
        shutil.copy2(source / name, part)
        part.replace(target / name)


@dataclass(slots=True)
class WorkEdit:
    """A piece of work, and what is to become of it."""

    work: Work
    changes: dict[str, Any] = field(default_factory=dict)
    changed: bool = False

    def set(self, **changes: object) -> None:
        """Change fields of the work; without any, note that something that belongs to it has changed."""
        self.changes |= changes
        self.changed = True


def _work(table: dict[str, object]) -> Work:
    known = {one.name for one in dataclasses.fields(Work)}
    values = {name: value for name, value in table.items() if name in known}
    check = values.get("check")
    if isinstance(check, dict):
        values["check"] = _check_state(check)
    if "suppress" in values:
        values["suppress"] = tuple(values["suppress"])  # type: ignore[arg-type]
    return Work(**values)  # type: ignore[arg-type]


def _check_state(table: dict[str, Any]) -> CheckState:
    known = {one.name for one in dataclasses.fields(CheckState)}
    lists = {name: tuple(table.get(name, ())) for name in ("header", "notes", "list_doubts")}
    parts = {
        "kinds": tuple(KindCount(**kind) for kind in table["kinds"]),
        "left_out": tuple(_left_out(one) for one in table["left_out"]),
        "feeding": {name: tuple(columns) for name, columns in table.get("feeding", {}).items()},
        "told": {
            code: ToldRows(one["rows"], _named_rows(one["first"]))
            for code, one in table.get("told", {}).items()
        },
    }
    return CheckState(**({name: table[name] for name in known & table.keys()} | lists | parts))


def _left_out(one: dict[str, Any]) -> LeftOut:
    first = _named_rows(one.get("first", ()))
    return LeftOut(one["status"], one["why"], one["rows"], first, one.get("code", ""))


def _named_rows(kept: Iterable[dict[str, Any]]) -> tuple[NamedRow, ...]:
    return tuple(NamedRow(**one) for one in kept)
