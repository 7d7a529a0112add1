"""Sending over time, in a bounded number of steps however long the run is."""

from __future__ import annotations

from dataclasses import dataclass

STEPS = 240


@dataclass(frozen=True, slots=True)
class Step:
    """What was answered during `width` seconds from `start` (seconds since the first request) on."""

    start: float
    width: float
    rows: int
    requests: int
    retries: int
    latency: float
    """Seconds, mean of the answers; 0 without any."""
    slowest: float


class Timeline:
    """Takes every answer; when it has more than STEPS steps, two become one."""

    def __init__(self, width: float = 0.25) -> None:
        self._width = width
        self._rows = [0] * STEPS
        self._requests = [0] * STEPS
        self._retries = [0] * STEPS
        self._seconds = [0.0] * STEPS
        self._slowest = [0.0] * STEPS

    def add(self, at: float, rows: int, seconds: float, *, attempt: int = 1) -> None:
        """One answer: `at` seconds after the first request, for `rows` rows settled by it (0 if it will be
        sent again), `seconds` after it was sent, on its `attempt`th time."""
        while at >= self._width * STEPS:
            self._halve()
        step = int(max(at, 0.0) / self._width)
        self._rows[step] += rows
        self._requests[step] += 1
        self._retries[step] += attempt > 1
        self._seconds[step] += seconds
        self._slowest[step] = max(self._slowest[step], seconds)

    def steps(self) -> tuple[Step, ...]:
        """From the first answer's step to the last one's, none left out."""
        used = [number for number in range(STEPS) if self._requests[number]]
        if not used:
            return ()
        return tuple(
            Step(
                round(number * self._width, 6),
                self._width,
                self._rows[number],
                self._requests[number],
                self._retries[number],
                self._seconds[number] / self._requests[number] if self._requests[number] else 0.0,
                self._slowest[number],
            )
            for number in range(used[-1] + 1)
        )

    def _halve(self) -> None:
        self._width *= 2
        for values in (self._rows, self._requests, self._retries):
            values[:] = [values[n] + values[n + 1] for n in range(0, STEPS, 2)] + [0] * (STEPS // 2)
        seconds, slowest = self._seconds, self._slowest
        seconds[:] = [seconds[n] + seconds[n + 1] for n in range(0, STEPS, 2)] + [0.0] * (STEPS // 2)
        slowest[:] = [max(slowest[n], slowest[n + 1]) for n in range(0, STEPS, 2)] + [0.0] * (STEPS // 2)
