"""Damage everything that comes from outside, at random, and look whether anything but a clear error follows.

`python -m tests.support.fuzz SECONDS` (`make fuzz`) goes through the targets in turn, with new damage each
time; a case is known by its target and number, and `… fuzz 0 TARGET NUMBER` repeats it.
"""

from __future__ import annotations

import contextlib
import io
import random
import resource
import signal
import socket
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from importer import mapping
from importer.api import answers
from importer.api.http_answer import AnswerFault
from importer.api.transport import PlainConnection
from importer.config import load_config
from importer.errors import ImporterError
from importer.jobs.tables import load_job
from importer.journal import Journal
from importer.models import Outcome, Status
from importer.readers import ReadOptions, open_source
from tests.support.journal import batch
from tests.support.journal import record as run_record
from tests.support.workbooks import write_table

BOUND = 20
"""Seconds that one case may take: a busy machine is slow, and a hang has no end."""
MEMORY = 500
"""Megabytes that the process may grow by."""
ROOT = Path(__file__).parents[2]
ROWS = [
    ["First name", "Last name", "WhatsApp", "E-mail", "Birthday"],
    *(
        [f"Ann{at}", 'Lee, "B"', f"+86138000000{at}", f"a{at}@x.example", f"19{at}-05-07"]
        for at in range(50, 62)
    ),
]
OPTIONS = ReadOptions(any_table=True)
SETTINGS = """
[profile.default]
contract = "sea"
tenant_id = "1000"
base_url = "https://api-hk.nxlink.ai"
rate = 10
concurrency = 4
[job.nightly]
inbox = "inbox"
schedule = "0 3 * * 1-5"
max_lag = "2d"
mode = "keep"
[job.nightly.tripwires]
max_invalid = 5
[job.nightly.notices]
webhook = "https://hooks.example.com/a"
"""
ANSWERS = (
    b"HTTP/1.1 200 OK\r\nDate: Fri, 27 Nov 2026 12:00:00 GMT\r\nContent-Length: 57\r\n"
    b'Connection: keep-alive\r\n\r\n{"code": 0, "message": "ok", "data": "", "traceId": "a1"}',
    b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'a\r\n{"code":0}\r\n0\r\nX-Trailer: 1\r\n\r\n',
    b"HTTP/1.1 429 Slow\r\nRetry-After: Fri, 27 Nov 2026 12:00:09 GMT\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 500 No\r\nContent-Type: application/json\r\n\r\n"
    b'{"code":-1,"message":"\xe5\xa4\xb1\xe8\xb4\xa5"}',
)
WORDS = (
    *(b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\n", b'"', b"'", b",", b"=", b"[", b"{", b"-1"),
    *(b"99999999999999999999", b"1e999", b"<!DOCTYPE x>", b"&a;", b"\xed\xa0\x80", b"\x1a"),
    *(b"*" * 40, b"A" * 5000, b"0" * 300),
)

Case = Callable[[random.Random, Path], None]


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Change a few places: bytes, bits, pieces doubled, dropped, moved, or bad words put in."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at, length = rng.randrange(len(data) + 1), rng.choice((1, 2, 4, 64, 1000))
        piece = bytes(data[at : at + length])
        match rng.randrange(7):
            case 0:
                data[at : at + length] = rng.randbytes(len(piece))
            case 1 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 2:
                del data[at : at + length]
            case 3:
                data[at:at] = piece * rng.choice((1, 3, 50))
            case 4:
                data[at : at + rng.choice((0, 1, 8))] = rng.choice(WORDS)
            case 5:
                del data[at:]
            case _:
                to = rng.randrange(len(data) + 1)
                data[to:to] = piece
    return bytes(data)


@cache
def _sources() -> dict[str, bytes]:
    """A small real file of each format."""
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for ending in (".csv", ".xlsx", ".ods", ".xls"):
            path = Path(folder, f"a{ending}")
            write_table(path, ROWS)
            found[ending] = path.read_bytes()
    for name in ("customers.ods", "customers.xls", "customers.xlsx"):
        found[name] = (ROOT / "tests" / "data" / name).read_bytes()
    found["bom"] = found[".csv"].decode().replace("Lee", "牛小信").encode("utf-8-sig")
    found["utf-16"] = found[".csv"].decode().encode("utf-16")
    return found


def read_file(rng: random.Random, folder: Path) -> None:
    """Read a damaged spreadsheet whole; of an archive, often the files inside it are damaged instead."""
    name = rng.choice(sorted(_sources()))
    content = _sources()[name]
    if content.startswith(b"PK") and rng.random() < 0.8:
        content = _with_damage_inside(content, rng)
    else:
        content = damaged(content, rng)
    path = folder / "customers"
    path.write_bytes(content)
    with open_source(path, OPTIONS) as source:
        for _ in source.chunks():
            pass


def _with_damage_inside(content: bytes, rng: random.Random) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        hit = rng.choice(old.namelist())
        for name in old.namelist():
            inside = old.read(name)
            new.writestr(name, damaged(inside, rng) if name == hit else inside)
    return made.getvalue()


def read_mapping(rng: random.Random, folder: Path) -> None:
    """Read a damaged mapping file."""
    text = mapping.ready_text(rng.choice(mapping.ready()).name)
    path = folder / "damaged.toml"
    path.write_bytes(damaged(text.encode(), rng))
    mapping.load(str(path))


def read_settings(rng: random.Random, folder: Path) -> None:
    """Read damaged settings, with every profile and job in them."""
    path = folder / "importer.toml"
    path.write_bytes(damaged(SETTINGS.encode(), rng))
    path.chmod(0o600)
    file = load_config(path)
    for name in file.names("profile"):
        file.profile(name)
    for name in file.names("job"):
        load_job(file, name)


def read_answer(rng: random.Random, folder: Path) -> None:
    """Read a damaged answer off a connection, and judge it."""
    ours, theirs = socket.socketpair()
    connection = PlainConnection("127.0.0.1", timeout=BOUND)
    connection.sock = ours
    with theirs, contextlib.closing(connection):
        connection.request("POST", "/", b"{}")
        theirs.sendall(damaged(rng.choice(ANSWERS), rng))
        theirs.shutdown(socket.SHUT_WR)
        try:
            heard = connection.getresponse()
        except AnswerFault as fault:
            answers.judge_fault(fault.key, fault.detail, 0.0)
        except ConnectionError:
            answers.judge_fault("connection-lost", "", 0.0)
        else:
            headers = {name.lower(): value for name, value in heard.headers.items()}
            answers.judge(answers.Answer(heard.status, headers, heard.data, 0.0, 0.0))


@cache
def _journal() -> dict[str, bytes]:
    """The files of a journal with some runs, as a crash leaves them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "journal.db")
        with Journal.open(path) as journal:
            for number in range(4):
                with journal.start(run_record(f"run-{number}")) as run:
                    for ordinal in range(1, 9):
                        run.begin(batch(ordinal, *range(ordinal * 100, ordinal * 100 + 50)), b"h" * 32)
                        run.settle([Outcome("", (ordinal,), Status.FAILED)])
            files = [file for file in Path(folder).glob("journal.db*") if not file.name.endswith("-shm")]
            return {file.name: file.read_bytes() for file in files}


def use_journal(rng: random.Random, folder: Path) -> None:
    """Damage the pages of a journal, then use it as several commands would, one after the other."""
    hit = rng.choice(sorted(_journal()))
    for name, content in _journal().items():
        (folder / name).write_bytes(damaged(content, rng) if name == hit else content)
    for _ in range(3):
        with contextlib.suppress(ImporterError), Journal.open(folder / "journal.db") as journal:
            for record in journal.runs():
                journal.row_states(record.id)
                journal.family(record)
                journal.children(record.id)
            with journal.start(run_record("new")) as run:
                run.settle([Outcome("", (2,), Status.FAILED)])
    with Journal.open(folder / "journal.db") as journal:
        assert journal.losses or hit.endswith(".count") or journal.find("new")


TARGETS: dict[str, Case] = {
    "file": read_file,
    "mapping": read_mapping,
    "settings": read_settings,
    "answer": read_answer,
    "journal": use_journal,
}


def run_case(target: str, number: int) -> None:
    """Run one case. Raises AssertionError if it ends otherwise than well or with an ImporterError."""
    rng = random.Random(f"{target} {number}")
    case = f"python -m tests.support.fuzz 0 {target} {number}"
    with tempfile.TemporaryDirectory() as folder, _bounded(case):
        try:
            with contextlib.suppress(ImporterError):
                TARGETS[target](rng, Path(folder))
        except Exception as error:
            raise AssertionError(f"{case}: {type(error).__name__}: {error}") from error


@contextlib.contextmanager
def _bounded(case: str) -> Iterator[None]:
    def hang(*_: object) -> None:
        raise AssertionError(f"{case}: takes longer than {BOUND} s")

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    usual = signal.signal(signal.SIGALRM, hang)
    signal.alarm(BOUND)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, usual)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < MEMORY, f"{case}: takes {grown:.0f} MB"


def main(seconds: float, target: str | None = None, number: int | None = None) -> int:
    """Run cases for so many seconds, or one that is named. Return how many went wrong."""
    if target is not None and number is not None:
        run_case(target, number)
        return 0
    end = time.monotonic() + seconds
    at, wrong = int(time.time()) * 1000, 0
    begun = at
    while time.monotonic() < end:
        for name in TARGETS if target is None else (target,):
            try:
                run_case(name, at)
            except AssertionError as error:
                wrong += 1
                print(error, flush=True)
        at += 1
    print(f"{at - begun} cases of each target, {wrong} went wrong")
    return wrong


if __name__ == "__main__":
    named = sys.argv[2] if len(sys.argv) > 2 else None
    sys.exit(min(main(float(sys.argv[1]), named, int(sys.argv[3]) if len(sys.argv) > 3 else None), 1))
