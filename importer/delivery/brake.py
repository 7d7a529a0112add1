"""The one place that says whether the run stops, and why."""

from __future__ import annotations

import threading
from collections.abc import Callable

from importer.errors import ImporterError


class Brake:
    """Pulled once; the first reason counts. `pulled` wakes every wait of the delivery."""

    def __init__(self) -> None:
        self.pulled = threading.Event()
        self.reason: ImporterError | None = None
        self._lock = threading.Lock()
        self._wakes: list[Callable[[], None]] = []

    def on_pull(self, wake: Callable[[], None]) -> None:
        """Also wakes those who wait for something else than the event."""
        self._wakes.append(wake)

    def pull(self, reason: ImporterError) -> None:
        with self._lock:
            if self.reason is None:
                self.reason = reason
        self.pulled.set()
        for wake in self._wakes:
            wake()
