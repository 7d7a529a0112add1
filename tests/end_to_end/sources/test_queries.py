"""The result of a query is imported like a file, from SQLite and PostgreSQL, and nothing is written there."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from importer.sandbox import Sandbox
from importer.sources import spool
from tests.support.commands import Command, results, summary
from tests.support.postgres import USER, PostgresServer

pytestmark = pytest.mark.extras

ROWS = 250
PASSWORD = "geheim-server"
TABLE = """
create table customers (
    id integer primary key, "Phone" varchar(20), "First Name" text, "Last Name" text, "Birthday" date,
    spent numeric(10, 2)
)
"""
QUERY = 'select "Phone", "First Name", "Last Name", "Birthday" from customers where spent % 1 = 0 order by id'


def fill(at: int) -> tuple[object, ...]:
    return at, f"8613800{at:06d}", "Ann", "Lee:x", "1990-05-07", 12


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer(PASSWORD) as running:
        with running.connect() as connection:
            connection.execute(TABLE)
            with connection.cursor() as cursor:
                statement = "insert into customers values (%s, %s, %s, %s, %s, %s)"
                cursor.executemany(statement, [fill(at) for at in range(ROWS)])
            connection.execute("create user reader password 'geheim-reader'")
            connection.execute("create table closed (x text)")
            connection.execute("grant select on customers to reader")
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, work: Path) -> str:
    if request.param == "sqlite":
        with sqlite3.connect("crm.db") as connection:
            connection.execute(TABLE)
            connection.executemany("insert into customers values (?, ?, ?, ?, ?, ?)", map(fill, range(ROWS)))
        connection.close()
        table = 'url = "sqlite:///crm.db"'
    else:
        port = request.getfixturevalue("server").port
        table = (
            f'url = "postgresql://127.0.0.1:{port}/postgres"\nuser = "{USER}"\n'
            f'secret_command = "echo {PASSWORD}"'
        )
    Path("importer.toml").write_text(f"[source.crm]\n{table}\n")
    return str(request.param)


def copies() -> list[Path]:
    return [path for path in spool.spool_folder().rglob("*") if path.is_file()]


def test_a_result_is_imported_row_by_row(
    importer: Command, box: Sandbox, settings: object, database: str
) -> None:
    ended = importer("run", "--database", "crm", "--query", QUERY, "--report-dir", "out")
    assert ended.code == 0, ended.err
    stored = {customer.fields["sms_phone"]: customer.fields for customer in box.customers()}
    assert len(stored) == ROWS
    assert stored["8613800000007"]["last_name"] == "Lee:x"
    assert stored["8613800000007"]["birthday"] == "1990-05-07"
    assert [row["_row"] for row in results(Path("out"))] == [str(at) for at in range(1, ROWS + 1)]
    assert summary(Path("out"))["source"]["name"] == "sql:crm"
    assert "geheim" not in ended.out + ended.err


def test_a_run_of_a_query_is_taken_up_without_the_database(
    importer: Command, box: Sandbox, settings: object, database: str
) -> None:
    box.misbehave("code code=1005 requests=2-")
    ended = importer("run", "--database", "crm", "--query", QUERY, "--concurrency", "1")
    assert ended.code == 4
    Path("importer.toml").unlink()
    box.misbehave()
    again = importer("resume")
    assert again.code == 0, again.err
    assert len(box.customers()) == ROWS


def test_what_is_proposed_next_asks_the_database_again(importer: Command, database: str) -> None:
    ended = importer("validate", "--database", "crm", "--query", QUERY)
    assert f"importer run --query '{QUERY}' --database crm" in ended.out
    assert importer("validate", "--database", "crm", "--query", QUERY, "--limit", "3").code == 0


@pytest.mark.parametrize(
    ("query", "code", "kind"),
    [
        ("delete from customers", 3, "query-writes"),
        ("drop table customers", 3, "query-writes"),
        ("select * from missing", 3, "query-failed"),
        ("select from where", 3, "query-failed"),
        (f"{QUERY}; select 1", 3, "query-several"),
        (f"{QUERY}; delete from customers", 3, "query-several"),
        ("", 2, "query-needs-database"),
    ],
)
def test_a_query_that_cannot_be_imported_is_told(
    importer: Command, settings: object, database: str, query: str, code: int, kind: str
) -> None:
    ended = importer("run", "--database", "crm", "--query", query)
    assert (ended.code, kind in ended.err) == (code, True), ended.err
    assert copies() == []
    assert importer("validate", "--database", "crm", "--query", QUERY).code == 0


def test_a_query_without_rows_is_told_and_done(importer: Command, settings: object, database: str) -> None:
    ended = importer("run", "--database", "crm", "--query", QUERY.replace("= 0", "= 1"))
    assert ended.code == 0, ended.err
    assert "no rows" in ended.out + ended.err


def test_a_write_hidden_in_a_query_is_refused(
    importer: Command, settings: object, server: PostgresServer
) -> None:
    connect(server)
    hidden = "with gone as (delete from customers returning *) select * from gone"
    several = (f"{QUERY}; delete from customers", f"{QUERY}; commit; delete from customers; select 1")
    for query in (hidden, *several, "select setval('x', 1)"):
        ended = importer("run", "--database", "crm", "--query", query)
        assert ended.code == 3, (query, ended.err)
        assert ("query-several" in ended.err) == (query in several)

    with server.connect() as connection:
        assert connection.execute("select count(*) from customers").fetchone() == (ROWS,)


def connect(server: PostgresServer, *, user: str = USER, secret: str = PASSWORD, port: int = 0) -> None:
    Path("importer.toml").write_text(
        f'[source.crm]\nurl = "postgresql://127.0.0.1:{port or server.port}/postgres"\n'
        f'user = "{user}"\nsecret_command = "echo {secret}"\n'
    )


def test_who_may_not_come_in_is_told(importer: Command, settings: object, server: PostgresServer) -> None:
    connect(server, secret="geheim-wrong")
    ended = importer("run", "--database", "crm", "--query", QUERY)
    assert (ended.code, "database-login" in ended.err) == (4, True), ended.err
    connect(server, user="reader", secret="geheim-reader")
    ended = importer("run", "--database", "crm", "--query", "select * from closed")
    assert (ended.code, "database-rights" in ended.err) == (4, True), ended.err
    connect(server, port=1)
    ended = importer("run", "--database", "crm", "--query", QUERY)
    assert (ended.code, "database-away" in ended.err) == (5, True), ended.err
    assert "geheim" not in ended.err


@pytest.mark.parametrize(
    ("number", "text", "code"),
    [
        (1142, "SELECT command denied to user 'reader'@'%' for table `crm`.`closed`", "database-rights"),
        (1044, "Access denied for user 'reader'@'%' to database 'other'", "database-rights"),
        (1064, "You have an error in your SQL syntax", "query-failed"),
        (1792, "Cannot execute statement in a READ ONLY transaction", "query-writes"),
    ],
)
def test_what_mysql_says_is_told_by_its_number(
    importer: Command,
    settings: object,
    work: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    text: str,
    code: str,
) -> None:
    """As the driver of MySQL raises it; the server itself is not there."""
    import sqlalchemy as sa

    class RefusedError(Exception):
        sqlstate = {1792: "25006"}.get(number, "42000")

    def refuse(*words: object) -> None:
        raise sa.exc.ProgrammingError("select", None, RefusedError(number, text))

    monkeypatch.setattr("importer.sources.database._execute", refuse)
    sqlite3.connect("crm.db").close()
    Path("importer.toml").write_text('[source.crm]\nurl = "sqlite:///crm.db"\n')
    ended = importer("run", "--database", "crm", "--query", QUERY)
    assert code in ended.err, ended.err
    assert text in ended.err or code == "query-writes"
    assert str(number) not in ended.err


def test_settings_that_lead_to_no_database_are_told(
    importer: Command, settings: object, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pymysql", None)
    assert "unknown-source" in importer("run", "--database", "crm", "--query", QUERY).err
    for url, code in (
        ("sqlite:///missing.db", "no-file"),
        ("nonsense://x/y", "database-unknown"),
        ("mysql+pymysql://x/y", "database-driver"),
    ):
        Path("importer.toml").write_text(f'[source.crm]\nurl = "{url}"\n')
        ended = importer("run", "--database", "crm", "--query", QUERY)
        assert code in ended.err, ended.err
    assert not Path("missing.db").exists()


@pytest.mark.parametrize(
    "words", [["--query", "select 1"], ["--database", "crm"], ["x.csv", "--query", "x"], []]
)
def test_words_that_do_not_go_together(importer: Command, settings: object, words: list[str]) -> None:
    assert importer("run", *words).code == 2
