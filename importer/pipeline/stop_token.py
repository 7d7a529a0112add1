"""Ask a run to stop: from a signal, a time limit, another thread."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from importer.errors import ImporterError


class StopToken:
    """Asks a run to stop, whatever it is doing at the moment."""

    def __init__(self, parent: StopToken | None = None) -> None:
        self._parent = parent
        self._own: ImporterError | None = None
        self._listener: Callable[[ImporterError], None] | None = None

    @property
    def reason(self) -> ImporterError | None:
        """Why the run is to stop, by this token or its parent; None if it is not."""
        return self._own or (self._parent.reason if self._parent else None)

    def stop(self, reason: ImporterError) -> None:
        """Send nothing more. Requests in flight are waited for. Safe in threads and signal handlers."""
        self._own = self._own or reason
        if self._listener is not None:
            self._listener(self._own)

    @contextlib.contextmanager
    def child(self) -> Iterator[StopToken]:
        """Yield a token for one run. It stops when this one stops; stopping it leaves this one alone."""
        token = StopToken(self)
        self.listen(token.stop)
        try:
            yield token
        finally:
            self._listener = None

    def listen(self, listener: Callable[[ImporterError], None]) -> None:
        """Call `listener`, in place of an earlier one, when the run is to stop: at once if it is already."""
        self._listener = listener
        if self.reason is not None:
            listener(self.reason)
