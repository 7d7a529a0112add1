"""The journal's tables, as migrations in order, for SQLite and PostgreSQL alike.

A released migration is never changed. A change is a new migration at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from importer.fingerprints import keyed_mark
from importer.journal.database import Cursor, Database, Statements

Execute = Callable[[str, Sequence[Any]], Cursor]

_FIRST = """
CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    parent TEXT NOT NULL,
    job TEXT NOT NULL,
    source TEXT NOT NULL,
    path TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size INTEGER NOT NULL,
    read_options TEXT NOT NULL,
    mode INTEGER NOT NULL,
    contract TEXT NOT NULL,
    mapping TEXT NOT NULL,
    mapping_name TEXT NOT NULL,
    mapping_digest TEXT NOT NULL,
    destination_key TEXT NOT NULL,
    host TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    app_key TEXT NOT NULL,
    store TEXT NOT NULL,
    settings TEXT NOT NULL,
    dry_run INTEGER NOT NULL,
    report_dir TEXT NOT NULL,
    started TEXT NOT NULL,
    finished TEXT,
    state TEXT NOT NULL,
    exit_code INTEGER,
    stop TEXT NOT NULL,
    counts TEXT NOT NULL,
    resumes INTEGER NOT NULL
);
CREATE INDEX runs_by_source ON runs (sha256, destination_key);
CREATE INDEX runs_by_parent ON runs (parent) WHERE parent <> '';

CREATE TABLE batches (
    run INTEGER NOT NULL REFERENCES runs (number),
    entry INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    part INTEGER NOT NULL,
    sheet TEXT NOT NULL,
    rows TEXT NOT NULL,
    body_sha256 BLOB NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    data TEXT NOT NULL,
    begun REAL NOT NULL,
    ended REAL,
    PRIMARY KEY (run, entry)
) WITHOUT ROWID;

-- One line for rows that share a fate. rows and sheet are NULL where they are all those of the request.
CREATE TABLE outcomes (
    number INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs (number),
    entry INTEGER NOT NULL,
    sheet TEXT,
    rows TEXT,
    status TEXT NOT NULL,
    final INTEGER NOT NULL,
    batch INTEGER,
    attempts INTEGER NOT NULL,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    trace_id TEXT NOT NULL
);
CREATE INDEX outcomes_by_run ON outcomes (run, entry);
"""

_JOBS = """
CREATE TABLE job_rounds (
    number INTEGER PRIMARY KEY,
    job TEXT NOT NULL,
    started TEXT NOT NULL,
    ended TEXT,
    result TEXT NOT NULL,
    exit_code INTEGER,
    reason TEXT NOT NULL
);
CREATE INDEX job_rounds_by_job ON job_rounds (job, number);

-- One line for each file that a job took. fate and target are set before the file moves there, settled after.
CREATE TABLE job_files (
    number INTEGER PRIMARY KEY,
    job TEXT NOT NULL,
    round INTEGER NOT NULL,
    name TEXT NOT NULL,
    place TEXT NOT NULL,
    target TEXT NOT NULL,
    after_run INTEGER NOT NULL,
    released INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    fate TEXT NOT NULL,
    reason TEXT NOT NULL,
    run TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    mapping_digest TEXT NOT NULL,
    destination_key TEXT NOT NULL,
    header TEXT NOT NULL,
    rows INTEGER NOT NULL,
    filled TEXT NOT NULL,
    counts TEXT NOT NULL,
    taken TEXT NOT NULL,
    settled TEXT
);
CREATE INDEX job_files_by_job ON job_files (job, number);
CREATE INDEX job_files_by_content ON job_files (sha256);
"""

_SETTLED = "ALTER TABLE runs ADD COLUMN settled TEXT NOT NULL DEFAULT ''"

# Rows of a report that was imported again, and the rows of the run that the report is of.
_ORIGINS = """
CREATE TABLE origins (
    run INTEGER NOT NULL REFERENCES runs (number),
    sheet TEXT NOT NULL,
    rows TEXT NOT NULL,
    from_run TEXT NOT NULL,
    from_sheet TEXT NOT NULL,
    from_rows TEXT NOT NULL
);
CREATE INDEX origins_by_run ON origins (from_run);
"""

# One line for each run that sends, or waits for its turn to. `lock` names the file that its process keeps
# locked: where the lock is free the run has ended.
_TICKETS = """
CREATE TABLE tickets (
    number INTEGER PRIMARY KEY,
    lane TEXT NOT NULL,
    lock TEXT NOT NULL,
    pid INTEGER NOT NULL,
    run TEXT NOT NULL,
    source TEXT NOT NULL,
    rows INTEGER,
    drawn TEXT NOT NULL
);
CREATE INDEX tickets_by_lane ON tickets (lane, number);
"""

# Whose customers a request carries, as keyed fingerprints (int64), for as long as somebody may have to
# know: until it is answered, while it may still be carried out, and while a run that is older can be taken
# up again. age: the number of the run whose file the rows come from. fields (uint32): what a row brings, one
# for all fingerprints or one for each. silent: when the last attempt ended that nobody answered. sent: a time
# not long before the latest attempt. forgotten: runs that were pruned, but not what they imported.
_CONTACTS = """
CREATE TABLE contacts (
    number INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    age INTEGER NOT NULL,
    keys BLOB NOT NULL,
    fields BLOB NOT NULL
);
CREATE INDEX contacts_by_request ON contacts (run, entry);
ALTER TABLE batches ADD COLUMN silent REAL;
CREATE INDEX batches_silent ON batches (silent) WHERE silent IS NOT NULL;
CREATE INDEX batches_open ON batches (run) WHERE ended IS NULL;
ALTER TABLE runs ADD COLUMN lane TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN fields TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN sent REAL;
UPDATE runs SET lane = coalesce(nullif(store, ''), lower(host)) || '|' || tenant_id || '|' || app_key
    WHERE destination_key <> '' AND NOT dry_run;
CREATE INDEX runs_by_lane ON runs (lane, number) WHERE lane <> '';
CREATE TABLE forgotten (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    lane TEXT NOT NULL,
    fields TEXT NOT NULL
);
CREATE TABLE fingerprint_key (key BLOB NOT NULL);
INSERT INTO fingerprint_key VALUES (randomblob(16));
"""

_COMMITS = """
CREATE TABLE commits (journal TEXT NOT NULL, count INTEGER NOT NULL);
INSERT INTO commits VALUES (lower(hex(randomblob(16))), 0);
"""

# What the customers of a lane hold: for each request the keys of its rows' contacts (int64) and a line for
# each row (int64: what was sent, and how many keys it has). run and entry are NULL once lines were put
# together.
_CONTENTS = """
CREATE TABLE contents (
    number INTEGER PRIMARY KEY,
    lane TEXT NOT NULL,
    run INTEGER,
    entry INTEGER,
    keys BLOB NOT NULL,
    contents BLOB NOT NULL
);
CREATE INDEX contents_by_lane ON contents (lane, number);
"""

_WHOSE = """
ALTER TABLE runs ADD COLUMN profile TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN machine TEXT NOT NULL DEFAULT '';
"""

# What machines that share a journal know of each other; nothing of it is needed in a file. fence: counts the
# senders of a lane, and each write of one carries its number. clean: whether the last one gave the lane back.
_MACHINES = """
CREATE TABLE lanes (
    lane TEXT PRIMARY KEY,
    fence INTEGER NOT NULL,
    clean INTEGER NOT NULL
);
CREATE TABLE lock_holders (
    name TEXT PRIMARY KEY,
    pid INTEGER NOT NULL,
    host TEXT NOT NULL,
    run TEXT NOT NULL,
    since TEXT NOT NULL
);
CREATE TABLE rates (
    name TEXT PRIMARY KEY,
    state TEXT NOT NULL
);
"""

# When somebody took note of a file in failed/ or held/.
_ACKNOWLEDGED = "ALTER TABLE job_files ADD COLUMN acknowledged TEXT"

# As what the rows of a request were sent: see sent_rows.
_SENT = "ALTER TABLE batches ADD COLUMN sent BLOB"

# A form that nothing reads any more.
_SENT_ANEW = "UPDATE batches SET sent = NULL"

# The rate of an access key over several machines, by the database's clock: one row, taken in one statement.
# next: when the next request may leave. counted: turns taken since. bounds: those of the runs at work.
_RATES = """
DROP TABLE rates;
CREATE TABLE rate_turns (
    name TEXT PRIMARY KEY,
    next REAL NOT NULL DEFAULT 0,
    slow REAL NOT NULL DEFAULT 0,
    slowed_at REAL NOT NULL DEFAULT 0,
    paused_until REAL NOT NULL DEFAULT 0,
    counted INTEGER NOT NULL DEFAULT 0,
    since REAL NOT NULL DEFAULT 0
);
CREATE TABLE rate_bounds (
    name TEXT NOT NULL,
    run TEXT NOT NULL,
    rate REAL NOT NULL,
    PRIMARY KEY (name, run)
);
"""

# Marks of damage (outcomes.message where the code is `marked`) under the journal's key: see `key_marks`.
_MARKS = "-- key_marks"

# The lists of people who must not be sent: their hashes, and what each did.
_LISTS = "ALTER TABLE runs ADD COLUMN suppression TEXT NOT NULL DEFAULT '[]'"

# The same in a table of its own: to note the end of a request would write it once more.
_SENT_APART = """
CREATE TABLE sent_rows (
    run INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    sent BLOB NOT NULL,
    PRIMARY KEY (run, entry)
);
INSERT INTO sent_rows SELECT run, entry, sent FROM batches WHERE sent IS NOT NULL;
UPDATE batches SET sent = NULL WHERE sent IS NOT NULL;
"""

MIGRATIONS: tuple[str, ...] = (
    _FIRST,
    _JOBS,
    _SETTLED,
    _ORIGINS,
    _TICKETS,
    _CONTACTS,
    _COMMITS,
    _WHOSE,
    _CONTENTS,
    _ACKNOWLEDGED,
    _SENT,
    _MACHINES,
    _SENT_ANEW,
    _RATES,
    _MARKS,
    _LISTS,
    _SENT_APART,
)


def statements(migration: str) -> Iterator[str]:
    """Yield the SQL of a migration, statement by statement."""
    yield from (sql for sql in migration.split(";\n") if sql.strip() and sql != _MARKS)


def key_marks(migration: str, execute: Execute) -> None:
    """Put the marks of older versions, plain SHA-256 of a phone or a row, under the journal's key.

    Does nothing for another migration. `execute` carries out a statement inside the migration's transaction.
    """
    if migration != _MARKS:
        return
    first, second = np.frombuffer(execute("SELECT key FROM fingerprint_key", ()).fetchone()[0], dtype="<u8")
    key = int(first), int(second)
    found = execute("SELECT number, message FROM outcomes WHERE code = 'marked' AND message <> ''", ())
    for number, message in found.fetchall():
        marks = (keyed_mark(mark, key) if mark else "" for mark in message.split(","))
        execute("UPDATE outcomes SET message = ? WHERE number = ?", (",".join(marks), number))


def next_number(database: Database, connection: Statements) -> int:
    """The next number for a run or a ticket, which share one count; inside the transaction that uses it."""
    latest = (
        "SELECT max(number) FROM"
        " (SELECT max(number) AS number FROM runs UNION ALL SELECT max(number) FROM tickets"
        " UNION ALL SELECT max(number) FROM forgotten) AS latest"
    )
    database.alone(connection)
    return int(connection.execute(latest).fetchone()[0] or 0) + 1
