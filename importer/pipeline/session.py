"""From settings to a run: the connection, the client behind the delivery, and what opens and closes them."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

from importer import contracts
from importer.config import Connection, Profile, require, resolve
from importer.options import RunOptions
from importer.pipeline.run import SendTarget


@contextlib.contextmanager
def open_connection(
    profile: Profile, options: RunOptions, *, sandbox: bool = False, store: Path | None = None
) -> Iterator[Connection | None]:
    """Where to send to; for a dry run None unless the settings say which tenant and application. A sandbox
    (thrown away, or kept in the file `store`) lives as long as the block. Raises SettingsError."""
    if sandbox or store is not None:
        from importer.sandbox import Sandbox

        with Sandbox(store) as box:
            contract = options.contract or profile.contract or "sea"
            yield dataclasses.replace(
                box.connection, contract=contract, strict_binding=profile.strict_binding
            )
        return
    resolved = resolve(profile, options.contract)
    if options.dry_run:
        known = "tenant_id" in resolved.origins and "app_key" in resolved.origins
        yield resolved.connection if known else None
    else:
        yield require(resolved)


@contextlib.contextmanager
def open_target(connection: Connection, options: RunOptions) -> Iterator[SendTarget]:
    """A client for batch_create, with as many pooled connections as there are workers."""
    from importer.api.client import Client  # a dry run does without

    contract = contracts.load(options.contract or connection.contract)
    with Client(connection, pool_size=options.concurrency) as client:
        yield SendTarget(connection, client.sender(contract.endpoint))
