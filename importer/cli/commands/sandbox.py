"""`importer sandbox`: the remote API on this machine, as a process of its own."""

from __future__ import annotations

from pathlib import Path

import click

from importer.cli import app
from importer.cli.output import echo, lang_option
from importer.exit_codes import ExitCode

FAULTS_HELP = """
\b
A fault file is TOML, one table for each fault:
  [[fault]]
  kind = "code"            # what happens, see below
  requests = "3"           # the 3rd; also "2-5", "10-", "1,4,7", "every 5";
                           # default: all
  endpoint = "batch_create" # default; also create_app, phone_list, fields,
                           # query, any
  times = 2                # at most so often; default: no bound
  rows = { email = "*@bad.example" }
                           # only batches with a customer that matches
  code = 9001

\b
Kinds, and what belongs to them:
  status      HTTP status = 503, retry_after = "3" or "date:3"
  code        code = 9001, message = "…": any code of the API
  rate-limit  429 beyond per_second = 5; retry_after as above; with code = 28
              and message = "TPS" an answer of status 200 that says so
  slow        answers after seconds = 2.0
  no-answer   never answers (or hangs up after seconds = …)
  reset       resets the connection, nothing stored
  lost        stores, then resets the connection: the answer is lost
  late        never answers, and stores seconds = 2.0 after the connection is
              gone; the client ends it, or the sandbox after hang_up = 1.0
  away        cuts all connections and refuses new ones for seconds = 3.0
  truncated   the answer breaks off
  not-json    an HTML page with status 200
  wrong-json  JSON that breaks off
  no-code     JSON without a code
  clock       a server whose clock is ahead by offset_ms = 120000
  text-code   the code of the answer is a text: "0"
  utf-16      lengths are counted in UTF-16 units, not in code points
  form        answer customers/query in another form: form=camel endpoint=query
  cut-field   customers/query shows a field without its last character
  hide        customers/query finds nobody
  twice       customers/query finds each customer twice

\b
stored = true (or false) says whether the request is stored before it goes
wrong. As a flag a fault is one line:
  --fault "code code=9001 requests=2-4"
  --fault "lost requests=3 rows.email=*@bad.example"
Requests are counted from 1 for each endpoint. The first fault that fits
happens; slow, clock, text-code, utf-16 and what customers/query shows happen
along with another one.
Nothing is random.
"""


@click.command(
    "sandbox", short_help="Serve the remote API on this machine, for trying things out.", epilog=FAULTS_HELP
)
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0: any free one."
)
@click.option(
    "--store", type=click.Path(dir_okay=False, path_type=Path), help="Keep the customers in this file."
)
@click.option("--faults", type=click.Path(dir_okay=False, path_type=Path), help="A fault file, see below.")
@click.option("--fault", "lines", multiple=True, metavar="LINE", help="One fault; may be repeated.")
@click.option(
    "--latency", type=click.FloatRange(0, 3600), default=0.0, metavar="SECONDS", help="Before every answer."
)
@click.option(
    "--clock-offset", type=float, default=0.0, metavar="SECONDS", help="How far its clock is ahead."
)
@click.option("--no-integrator", is_flag=True, help="createApp and phoneList answer 9007.")
@lang_option
def sandbox_command(
    host: str,
    port: int,
    store: Path | None,
    faults: Path | None,
    lines: tuple[str, ...],
    latency: float,
    clock_offset: float,
    no_integrator: bool,
) -> int:
    """Serve the remote API on this machine until Ctrl-C: every call, every limit and every code that the
    vendor documents, and a page at / that shows what is stored.

    It accepts one set of credentials, which it prints; they open nothing but a sandbox.
    """
    from importer.config import is_loopback
    from importer.errors import UsageError
    from importer.sandbox.embedded import TEST_CREDENTIALS, Sandbox
    from importer.sandbox.faults import Fault, load_faults

    if not is_loopback(host):
        raise UsageError("sandbox-host", host=host)
    script: tuple[Fault | str, ...] = (*(load_faults(faults) if faults else ()), *lines)
    box = Sandbox(
        store,
        faults=script,
        latency=latency,
        clock_offset_ms=int(clock_offset * 1000),
        credentials=TEST_CREDENTIALS,
        integrator=not no_integrator,
        host=host,
        port=port,
    )
    app.startup_done()
    box.serve(lambda: _announce(box.base_url, store))
    return int(ExitCode.DONE)


def _announce(url: str, store: Path | None) -> None:
    from importer.sandbox.embedded import TEST_CREDENTIALS as WHO

    where = f"customers are kept in {store}" if store else "customers are forgotten at the end"
    echo(f"The sandbox serves at {url} ({where}; Ctrl-C ends it). For another terminal:\n")
    for name, value in (
        ("BASE_URL", url),
        ("ACCESS_KEY", WHO.access_key),
        ("ACCESS_SECRET", WHO.access_secret),
        ("TENANT_ID", WHO.tenant_id),
        ("APP_KEY", WHO.app_key),
    ):
        echo(f"export NXLINK_{name}={value}")
