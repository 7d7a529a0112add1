"""`importer web`: the page in the browser."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import click

from importer.cli import app
from importer.cli import parameters as shared
from importer.cli.output import echo, lang_option, language
from importer.exit_codes import ExitCode
from importer.messages import sentence


@click.command("web", short_help="Import in the browser: a page on this machine.")
@click.option(
    "--port", type=click.IntRange(0, 65535), metavar="N", help="Where to serve (default: 8770, or any)."
)
@click.option("--no-browser", is_flag=True, help="Only print the link.")
@click.option("--sandbox", is_flag=True, help="Import into a CRM on this machine, to try the page out.")
@shared.profile_option
@lang_option
def web_command(port: int | None, no_browser: bool, sandbox: bool, profile: str | None) -> int:
    """Serve a page on this machine (127.0.0.1) that does what `run` does: upload a file, match its columns,
    correct cells in place, import, look at the result. Ctrl-C ends it; runs at work are stopped in order.

    The link that is printed opens the page once, in one browser.
    """
    from importer.private_files import make_private_folder
    from importer.sandbox import Sandbox
    from importer.user_folders import state_folder
    from importer.web import server
    from importer.web.app import WebApplication

    with ExitStack() as stack:
        box = None
        if sandbox:
            folder = state_folder() / "web"
            make_private_folder(folder)
            box = stack.enter_context(Sandbox(folder / "sandbox.db"))
        listener = server.listen(port)
        stack.callback(listener.close)
        application = WebApplication(listener.getsockname()[1], profile=profile, sandbox=box)
        app.startup_done()

        def lead() -> None:
            path = server.open_browser(application.gate)
            if path is not None:
                stack.callback(path.unlink, missing_ok=True)
            else:
                echo(sentence("web-no-browser", {}, language()), err=True)

        def ready() -> None:
            echo(sentence("web-serving", {}, language()), err=True)
            echo(application.gate.link)
            if not no_browser:
                threading.Thread(target=lead, daemon=True).start()

        server.WebServer(application, listener, ready).run_here()
        if application.site.tasks.running():
            echo(sentence("web-ended-early", {}, language()), err=True)
            return int(ExitCode.AWAY)
    return int(ExitCode.DONE)
