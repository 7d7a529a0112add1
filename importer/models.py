"""The types that travel between the parts of an import.

A row is known by its sheet and by the number that its owner sees beside it. Nothing here does I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from enum import Enum, IntEnum, StrEnum
from typing import TYPE_CHECKING, overload

from importer import messages
from importer.dataclass import dataclass
from importer.exit_codes import ExitCode

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa


class Mode(IntEnum):
    """What the CRM does with a customer it already has: the API's `type` (batch_create, body parameters)."""

    REPLACE = 0
    UPDATE = 1
    KEEP = 2

    @property
    def label(self) -> str:
        return self.name.lower()


class Status(StrEnum):
    """The one final status of a row."""

    IMPORTED = "imported"
    VALID = "valid"
    INVALID = "invalid"
    DUPLICATE = "duplicate"
    SKIPPED = "skipped"
    REJECTED = "rejected"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_SENT = "not_sent"

    @property
    def done(self) -> bool:
        """True if nothing is left to do for a row with this status."""
        return self in _DONE


_DONE = frozenset({Status.IMPORTED, Status.VALID, Status.DUPLICATE, Status.SKIPPED})


class Severity(StrEnum):
    """How grave an issue is, the gravest first.

    An error keeps the row from being sent. A warning is doubtful, and counts as an error under `--strict`. A
    note tells what was made of a cell, and never keeps a row back.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 for the gravest: what to sort by."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Issue:
    """Something about one row, mostly about one cell of it. Its sentence stands in `importer.messages`."""

    code: str
    severity: Severity
    row: int
    sheet: str = ""
    column: str | None = None
    """The column as its owner named it."""
    field: str | None = None
    """The API field that the column goes to."""
    found: str | None = None
    """The cell as it was read."""
    limit: int | None = None
    length: int | None = None
    expected: str | None = None
    """What would have been right, where the sentence needs it: allowed words, two readings of a date."""
    suggestion: str | None = None
    """A corrected value, where one is likely."""
    other_row: int | None = None
    """The earlier row that this one is compared with."""
    wording: str | None = None
    """The code of the message that says it, where the issue code's own would not be to the point."""


@dataclass(frozen=True, slots=True)
class RepeatedIssue:
    """One issue that several rows have in the same column: all but row and cell is said once."""

    code: str
    severity: Severity
    rows: np.ndarray
    """Row numbers, int64, each once."""
    sheet: str = ""
    column: str | None = None
    field: str | None = None
    cells: pa.Array | None = None
    """The cells as they were read, one for each row."""
    limit: int | None = None
    lengths: np.ndarray | None = None
    """int64, one for each row."""
    expected: Callable[[str], str | None] | None = None
    """Returns what would have been right, from the cell."""
    wording: str | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Issue]:
        nothing: list[None] = [None] * len(self.rows)
        cells = nothing if self.cells is None else self.cells.to_pylist()
        lengths = nothing if self.lengths is None else self.lengths.tolist()
        for row, cell, length in zip(self.rows.tolist(), cells, lengths, strict=True):
            expected = None if self.expected is None else self.expected(cell)
            yield Issue(
                *(
                    self.code,
                    self.severity,
                    row,
                    self.sheet,
                    self.column,
                    self.field,
                    cell,
                    self.limit,
                    length,
                ),
                expected=expected,
                wording=self.wording,
            )

    def where(self, mask: np.ndarray) -> RepeatedIssue:
        """Return the same issue of the rows at which the mask (bool) is true."""
        if mask.all():
            return self
        cells = None if self.cells is None else self.cells.filter(mask)
        lengths = None if self.lengths is None else self.lengths[mask]
        return replace(self, rows=self.rows[mask], cells=cells, lengths=lengths)


class Issues(Sequence[Issue]):
    """Issues in order. Those that many rows have in common are made one by one only for who asks."""

    __slots__ = ("parts",)

    def __init__(self, parts: Iterable[Issue | RepeatedIssue]) -> None:
        self.parts: tuple[Issue | RepeatedIssue, ...] = tuple(parts)

    def __len__(self) -> int:
        return sum(1 if isinstance(part, Issue) else len(part) for part in self.parts)

    def __iter__(self) -> Iterator[Issue]:
        for part in self.parts:
            yield from (part,) if isinstance(part, Issue) else part

    @overload
    def __getitem__(self, place: int) -> Issue: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Issue, ...]: ...
    def __getitem__(self, place: int | slice) -> Issue | tuple[Issue, ...]:
        return tuple(self)[place]

    @staticmethod
    def rows_of(parts: Iterable[Issue | RepeatedIssue]) -> np.ndarray:
        """Return the rows of these parts, in their order, as int64."""
        import numpy as np

        rows = [(part.row,) if isinstance(part, Issue) else part.rows for part in parts]
        return np.concatenate(rows, dtype=np.int64) if rows else np.empty(0, dtype=np.int64)

    @staticmethod
    def parts_of(issues: Sequence[Issue]) -> Sequence[Issue | RepeatedIssue]:
        """Return the parts of any sequence of issues; an ordinary one consists of its issues."""
        return issues.parts if isinstance(issues, Issues) else issues


@dataclass(frozen=True, slots=True)
class Skip:
    """Rows (int64) that are not to be sent, and why: the code of a message (`filtered`, `footer-row`, …)."""

    rows: np.ndarray
    code: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some thousand consecutive rows of one sheet, as they were read.

    `frame` holds text only: dtype string[pyarrow], no missing values (an empty or absent cell is ""), one
    column for each header cell under its unique name, index = row numbers (int64, strictly increasing).
    """

    sheet: str
    frame: pd.DataFrame
    issues: tuple[Issue, ...] = ()
    skips: tuple[Skip, ...] = ()
    """Rows that hold no customer: a repeated header, a hint, a total."""
    as_read: pd.DataFrame | None = None
    """Rows that a person has corrected, as they were read."""
    texts: dict[str, pa.Array] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What `arrow.text` has asked of the frame, or whoever made it knew."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth telling about a file or a mapping as a whole; its sentence is in the catalogue."""

    code: str
    found: tuple[tuple[str, object], ...] = ()
    """What fills the places in the sentence."""
    quotes: bool = False
    """Whether it quotes cells: such a note belongs in no log, and in no masked report."""

    def sentence(self, lang: str = "en", *, on_page: bool = False, advise: bool = False) -> str:
        """What was found, and what was made of it. `advise`: what to do, too."""
        return messages.note_text(self.code, dict(self.found), lang, on_page=on_page, advise=advise)


@dataclass(frozen=True, slots=True)
class MappedChunk:
    """The same rows as API fields.

    `frame`: dtype string[pyarrow], columns are API field names in the contract's order, index = row numbers;
    a missing value is left out of the request, "" is sent as an empty string. Only columns that some header
    or constant feeds are there. `columns` names for each field the person's column (for issues).
    """

    sheet: str
    frame: pd.DataFrame
    columns: Mapping[str, str]
    issues: Sequence[Issue] = ()
    skips: tuple[Skip, ...] = ()
    texts: dict[str, pa.Array] = field(default_factory=dict, init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Batch:
    """At most a hundred customers of one sheet, in file order, each encoded once.

    `rows[i]`, `customers[i]` and `contacts[i]` belong together.
    """

    ordinal: int
    """Counts from 1 within a run; a part made by isolation keeps its parent's."""
    sheet: str
    rows: tuple[int, ...]
    customers: Sequence[bytes]
    """Each one JSON object, UTF-8."""
    contacts: Sequence[tuple[int, ...]]
    """64-bit fingerprints of each row's phones and e-mail; empty if it has none."""

    def __post_init__(self) -> None:
        if not len(self.rows) == len(self.customers) == len(self.contacts):
            raise ValueError("a batch needs rows, customers and contacts of one length")

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, start: int, stop: int) -> Batch:
        """The rows start:stop of this batch, for isolating a refused one."""
        cut = slice(start, stop)
        return Batch(self.ordinal, self.sheet, self.rows[cut], self.customers[cut], self.contacts[cut])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of some rows of one sheet that share one fate."""

    sheet: str
    rows: tuple[int, ...]
    status: Status
    batch: int | None = None
    attempts: int = 0
    code: str = ""
    """The server's code as text, or ours in kebab-case; empty where there is nothing to say."""
    message: str = ""
    trace_id: str = ""


class Action(Enum):
    """What an answer, or the lack of one, makes the client do (docs/remote-api.md, “Answers”)."""

    DONE = "done"
    RETRY = "retry"
    """Send again after a wait; counts against the attempts."""
    WAIT = "wait"
    """Send again after a wait; counts against the patience, not the attempts."""
    CORRECT_CLOCK = "correct-clock"
    ISOLATE = "isolate"
    RETRY_THEN_ISOLATE = "retry-then-isolate"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the answer to one attempt means."""

    action: Action
    maybe_processed: bool
    """True if the server may have processed the request although it did not say so."""
    code: str = ""
    """The server's code as text, or ours: `http-503`, `read-timeout`, `connection-lost`, `not-json`, …"""
    message: str = ""
    trace_id: str = ""
    retry_after: float | None = None
    """Seconds, as the server asked."""
    server_time_ms: int | None = None
    """The answer's `Date` header as milliseconds, for the clock."""
    http_status: int | None = None
    seconds: float = 0.0
    """How long the attempt took."""
    data: str = ""
    """The answer's `data` as JSON text, where it is a list or object: undocumented, so kept."""
    unanswered: bool = False
    """True if nobody answered: the server may still be at work on the request, and carry it out later."""
    payload: object = field(default=None, repr=False, compare=False)
    """The answer's `data` as it was parsed."""
    body: bytes = field(default=b"", repr=False, compare=False)
    """The whole answer as it came; empty if none did."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where customers go: what makes two runs the same as far as the CRM is concerned. No secret in it."""

    host: str
    """Scheme and host as sent to, `https://api-hk.nxlink.ai`; a throwaway sandbox has one of its own."""
    tenant_id: str
    app_key: str
    contract: str
    store: str = ""
    """For the sandbox: what tells one store from another, since its port says nothing."""

    @property
    def key(self) -> str:
        return "|".join((self.store or self.host, self.tenant_id, self.app_key, self.contract))

    @property
    def lane(self) -> str:
        """The place where customers go, whichever contract describes them: one run at a time sends to it."""
        return "|".join((self.store or self.host.lower(), self.tenant_id, self.app_key))


@dataclass(frozen=True, slots=True)
class TenantField:
    """A field of the tenant's customers, as `customers/fields` answers it."""

    name: str
    """`customize_1_14`: the key inside `customize_field`."""
    label: str
    label_en: str
    required: bool
    preset: bool
    """False for a custom field."""
    field_type: int
    """1 text, 2 number, 3 single choice, 4 multiple choice, 5 date, 6 date-time, 7 tags."""
    choices: tuple[tuple[str, str], ...] = ()
    """(id, name) of each choice."""
    date_format: str = ""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A finished (or stopped) run, counted. `counts` adds up to `rows`."""

    run_id: str
    source: str
    sha256: str
    mode: Mode
    dry_run: bool
    destination: Destination | None
    mapping: str
    rows: int
    counts: Mapping[Status, int]
    issues: tuple[IssueGroup, ...]
    exit_code: ExitCode
    report_dir: str
    seconds: float
    requests: int = 0
    stop: str = ""
    """Why it ended early, as a sentence; empty if it didn't."""
    notes: tuple[str, ...] = ()
    not_imported: tuple[UnusedColumn, ...] = ()


@dataclass(frozen=True, slots=True)
class UnusedColumn:
    """A column that goes nowhere, what its name means (if nothing feeds that field), and its filled cells."""

    name: str
    usual_field: str = ""
    filled: int = 0


@dataclass(frozen=True, slots=True)
class IssueGroup:
    """All issues of one kind in one column: the first three, and in how many rows that are sent."""

    code: str
    severity: Severity
    column: str
    rows: int
    examples: tuple[Issue, ...] = field(default_factory=tuple)
    longest: int | None = None
    limit: int | None = None
    sent: int = 0
