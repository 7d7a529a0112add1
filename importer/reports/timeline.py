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

    def request(self, at: float, seconds: float, *, again: bool = False) -> None:
        """One request ended `at` seconds after the first one left; it took `seconds`."""
        step = self._step(at)
        self._requests[step] += 1
        self._retries[step] += again
        self._seconds[step] += seconds
        self._slowest[step] = max(self._slowest[step], seconds)

    def settled(self, at: float, rows: int) -> None:
        """So many rows got their final status `at` seconds after the first request left."""
        self._rows[self._step(at)] += rows

    def _step(self, at: float) -> int:
        while at >= self._width * STEPS:
            self._halve()
        return int(max(at, 0.0) / self._width)

    def steps(self) -> tuple[Step, ...]:
        """From the first answer's step to the last one's, none left out."""
        used = [number for number in range(STEPS) if self._requests[number] or self._rows[number]]
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
