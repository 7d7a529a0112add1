"""`importer doctor`: whether an import would get through, without importing anything."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from importer import contracts, messages
from importer.cli.output import echo, lang_option, language, padded, print_json
from importer.cli.parameters import profile_option, run_options
from importer.config import Connection, is_loopback, load_config
from importer.credentials import VARIABLES, ResolvedConnection, resolve
from importer.errors import ImporterError
from importer.exit_codes import ExitCode
from importer.models import Action, Verdict
from importer.option_layers import GivenOptions

if TYPE_CHECKING:
    from importer.api.client import Client

OK, BAD, OPEN = "ok", "bad", "open"
MARKS = {OK: ("✓", "green"), BAD: ("✗", "red"), OPEN: ("–", "yellow")}
CLOCK_WINDOW_MS = 60_000


@dataclass(frozen=True, slots=True)
class DoctorCheck:
    """One thing looked at. `state`: `ok`, `bad`, or `open` where it could not be told."""

    name: str
    state: str
    code: str
    message: str
    hint: str = ""
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """One setting: never a secret's text."""

    name: str
    shown: str
    origin: str


@click.command("doctor", short_help="Check settings, reachability, clock and credentials.")
@run_options("contract")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@profile_option
@lang_option
def doctor_command(given: GivenOptions, as_json: bool, profile: str | None) -> int:
    """Check that settings are complete, the host is reached, the clock is right and the credentials are
    accepted. Asks the server for the tenant's fields; imports nothing.

    Exit codes: 0 all is well · 4 settings are missing or refused · 5 the server is not reached; of several
    faults the first one in the list decides.
    """
    resolved = resolve(load_config().profile(profile), given.options.contract)
    settings = _settings(resolved)
    offset, checks = _examine(resolved)
    code = next((check.exit_code for check in checks if check.exit_code), 0)
    if as_json:
        found = {
            "ok": code == 0,
            "exit_code": code,
            "clock_offset_ms": offset,
            "settings": [asdict(setting) for setting in settings],
            "checks": [_check_json(check) for check in checks],
        }
        print_json(found)
    else:
        _print(settings, checks)
    return code


def _settings(resolved: ResolvedConnection) -> list[ShownSetting]:
    connection = resolved.connection
    contract = contracts.load(connection.contract)
    values: Mapping[str, str] = {
        "access_key": "•••" if connection.access_key else "",
        "access_secret": "•••" if connection.access_secret else "",
        "tenant_id": connection.tenant_id,
        "app_key": connection.app_key,
        "base_url": connection.base_url or contract.endpoint.base_url,
    }
    rows = [ShownSetting(name, values[name] or "–", resolved.origins.get(name, "")) for name in VARIABLES]
    return [
        replace(row, origin=f"contract {contract.name}") if row.name == "base_url" and not row.origin else row
        for row in rows
    ] + [ShownSetting("contract", contract.name, "")]


def _examine(resolved: ResolvedConnection) -> tuple[int | None, list[DoctorCheck]]:
    """All checks in order, and the clock offset in milliseconds if the server told its time."""
    from importer.api.transport import Timeouts
    from importer.delivery.account_client import AccountClient

    checks = [_complete(resolved), _journal()]
    try:
        client = AccountClient(resolved.connection, timeouts=Timeouts(connect=10.0, read=20.0))
    except ImporterError as error:
        lang = language()
        checks.append(
            DoctorCheck("host", BAD, error.code, error.sentence(lang), error.hint(lang), int(error.exit_code))
        )
        return None, checks
    with client:
        verdict = _ask(client)
        offset = _offset(verdict)
        checks += _hosts(client, resolved.connection, verdict)
        checks.append(_clock(verdict, offset))
        if offset is not None and abs(offset) > CLOCK_WINDOW_MS and verdict.server_time_ms is not None:
            client.correct_clock(verdict.server_time_ms)
            verdict = _ask(client)
        checks.append(_credentials(resolved, verdict))
    if not resolved.missing:
        checks.append(_tenant(resolved.connection))
    return offset, checks


def _complete(resolved: ResolvedConnection) -> DoctorCheck:
    if not resolved.missing:
        return _check("settings", OK, "doctor-settings-complete")
    found = {
        "missing": ", ".join(resolved.missing),
        "variables": ", ".join(VARIABLES[name] for name in resolved.missing),
    }
    return _check("settings", BAD, "doctor-settings-missing", found, int(ExitCode.REFUSED))


def _journal() -> DoctorCheck:
    """Which journal the runs share, and with it turns and rate; whether it has lost any."""
    from importer.journal import Journal
    from importer.journal_place import journal_place, shown_place
    from importer.losses import read_losses

    try:
        place = journal_place()
        if isinstance(place, str) or place.exists():  # no journal is made to find out
            Journal.open(place).close()
        for loss in read_losses(place) if isinstance(place, Path) else ():
            return _check("journal", BAD, loss.code, dict(loss.found), int(ExitCode.ROWS_LEFT))
        return _check("journal", OK, "doctor-journal", {"path": shown_place(place)})
    except ImporterError as error:
        lang = language()
        exit_code = int(error.exit_code)
        return DoctorCheck("journal", BAD, error.code, error.sentence(lang), error.hint(lang), exit_code)


def _ask(client: Client) -> Verdict:
    """The fields call: it reads, and is refused if anything about the credentials is wrong."""
    connection = client.connection
    query = (("tenant_id", connection.tenant_id), ("app_key", connection.app_key))
    return client.attempt(contracts.endpoints()["fields"], b"", query)


def _hosts(client: Client, connection: Connection, verdict: Verdict) -> Iterator[DoctorCheck]:
    """The host of the fields call, and that of the import where it is another one."""
    endpoint = contracts.endpoints()["fields"]
    target = contracts.load(connection.contract).endpoint
    host = connection.base_url or endpoint.base_url
    yield from _host(host, verdict)
    if connection.base_url is None and target.base_url != endpoint.base_url:
        there = client.attempt(replace(endpoint, base_url=target.base_url), b"")
        yield from _host(target.base_url, there)


def _host(host: str, verdict: Verdict) -> Iterator[DoctorCheck]:
    from importer.api.answers import explain

    if verdict.http_status is not None:
        found = {"host": host, "milliseconds": round(verdict.seconds * 1000)}
        yield _check("host", OK, "doctor-reached", found)
        secure = not host.lower().startswith("http://")
        yield _check("tls", OK, "doctor-tls-verified" if secure else "doctor-tls-loopback")
        return
    message, hint = explain(verdict.code, verdict.message, language())
    shown = messages.sentence("doctor-not-reached", {"host": host, "why": message}, language())
    name = "tls" if verdict.code in ("certificate", "tls") else "host"
    yield DoctorCheck(name, BAD, verdict.code, shown, hint, _exit_code(verdict))


def _offset(verdict: Verdict) -> int | None:
    """How far the server's clock is ahead, from an answer that came just now; whole seconds are all it
    tells."""
    import time

    if verdict.server_time_ms is None:
        return None
    sent = time.time() * 1000 - verdict.seconds * 500
    return int(verdict.server_time_ms + 500 - sent)


def _clock(verdict: Verdict, offset: int | None) -> DoctorCheck:
    if offset is None:
        known = verdict.http_status is not None
        return _check("clock", OPEN, "doctor-clock-unknown" if known else "doctor-unanswered")
    found = {"offset": f"{offset / 1000:+.0f}" if abs(offset) >= 1000 else "0"}
    if abs(offset) > CLOCK_WINDOW_MS:
        return _check("clock", BAD, "doctor-clock-wrong", found)
    return _check("clock", OK, "doctor-clock-right", found)


def _credentials(resolved: ResolvedConnection, verdict: Verdict) -> DoctorCheck:
    from importer.api.answers import explain

    if resolved.missing:
        return _check("credentials", OPEN, "doctor-skipped")
    if verdict.http_status is None:
        return _check("credentials", OPEN, "doctor-unanswered")
    if verdict.action is Action.DONE:
        fields = json.loads(verdict.data) if verdict.data else []
        own = [field for field in fields if isinstance(field, dict) and not field.get("is_preset", True)]
        found = {"tenant": resolved.connection.tenant_id, "fields": len(fields), "own": len(own)}
        return _check("credentials", OK, "doctor-credentials-accepted", found)
    message, hint = explain(verdict.code, verdict.message, language())
    return DoctorCheck("credentials", BAD, verdict.code, message, hint, _exit_code(verdict))


def _tenant(connection: Connection) -> DoctorCheck:
    """Whether a run from here has got rows into the tenant before. No journal is made to find out."""
    from importer.journal import Journal
    from importer.journal_place import journal_place

    there = connection.destination(contracts.load(connection.contract).endpoint.base_url)
    found = {"tenant": there.tenant_id}
    reached = False
    try:
        place = journal_place()
        if isinstance(place, str) or place.exists():
            with Journal.open(place) as journal:
                reached = journal.has_reached(there)
    except ImporterError as error:
        lang = language()
        return DoctorCheck("tenant", OPEN, error.code, error.sentence(lang), error.hint(lang))
    check = _check("tenant", OK, "doctor-tenant-reached" if reached else "doctor-tenant-new", found)
    return replace(check, hint="") if is_loopback(urlsplit(there.host).hostname or "") else check


def _exit_code(verdict: Verdict) -> int:
    away = verdict.action in (Action.WAIT, Action.RETRY)
    return int(ExitCode.AWAY if away else ExitCode.REFUSED)


def _check(
    name: str, state: str, code: str, found: Mapping[str, object] | None = None, exit_code: int = 0
) -> DoctorCheck:
    lang = language()
    found = found or {}
    return DoctorCheck(
        name, state, code, messages.sentence(code, found, lang), messages.hint(code, found, lang), exit_code
    )


def _check_json(check: DoctorCheck) -> dict[str, object]:
    """The check as `--json` prints it: scripts know message and hint as `says` and `do`."""
    keys = {"message": "says", "hint": "do"}
    return {keys.get(name, name): value for name, value in asdict(check).items()}


def _print(settings: list[ShownSetting], checks: list[DoctorCheck]) -> None:
    for setting in settings:
        origin, _, variable = setting.origin.partition(" (")
        origin = messages.value_word(origin, language()) + f" ({variable}" * bool(variable)
        echo(f"  {setting.name:<14} {setting.shown:<28} {origin}".rstrip())
    echo()
    for check in checks:
        mark, colour = MARKS[check.state]
        name = padded(messages.value_word(check.name, language()), 12)
        echo(f" {name} {check.message}", label=click.style(mark, fg=colour))
        if check.hint:
            echo(f"  {'':<12} {check.hint}")
