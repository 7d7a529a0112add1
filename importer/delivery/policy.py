"""How hard, how fast and how long to try: the delivery's settings as one object."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """Times are seconds. The defaults are the design's."""

    concurrency: int = 4
    """Requests in flight at once, at most."""
    rate: float | None = None
    """Requests a second over all workers, at most; None for no bound."""
    attempts: int = 8
    """For one body; attempts that count against the patience are not among them."""
    patience: float = 300.0
    """How long a server may stay away before the run stops."""
    first_wait: float = 1.0
    """The longest wait before the second attempt; it doubles from attempt to attempt."""
    longest_wait: float = 30.0
    retries: int = 500
    """For the whole run: retries that led nowhere. A batch that gets in at last gives its own back."""
    resend_unknown: bool = False
    """Rows without phone and e-mail go out again too after an attempt that may have been processed, although
    the CRM may then have them twice."""
    drain: float = 30.0
    """How long a stopping run waits for the answers to what is in flight."""
    alike_batches: int = 2
    alike_rows: int = 20
    """Every row refused alike: so many batches and single rows, and no success (API.md, “Answers”)."""

    @property
    def window(self) -> int:
        """Batches handed in and not yet final, at most: enough that no worker waits for reading."""
        return 4 * self.concurrency + 16
