"""The pictures of the page as numbers: arcs, bars and lines in SVG coordinates. No text, no colours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from importer.models import Status
from importer.reports.timeline import Step

SMALLEST_ARC = 0.9
"""Percent: what is there is to be seen, even one row in a million."""
GAP = 0.4
WIDTH, HEIGHT = 1000, 100
"""Of a plot's own coordinates; the page stretches it to fit."""


@dataclass(frozen=True, slots=True)
class Arc:
    """A part of the ring, in percent of its length from the top on."""

    status: Status
    rows: int
    percent: float
    start: float
    length: float

    @property
    def dash(self) -> str:
        """The arc as stroke-dasharray; a little shorter than it is, so that neighbours are told apart."""
        drawn = self.length if self.length >= 100 else max(self.length - GAP, GAP)
        return f"{drawn:.3f} {100 - drawn:.3f}"


def arcs(counts: Mapping[Status, int]) -> tuple[Arc, ...]:
    """The outcome as a ring: one arc for each status that occurs."""
    total = sum(counts.values())
    found = [(status, rows) for status, rows in counts.items() if rows]
    if not total:
        return ()
    lengths = [max(100 * rows / total, SMALLEST_ARC) for _, rows in found]
    over = sum(lengths)
    made = []
    start = 0.0
    for (status, rows), length in zip(found, lengths, strict=True):
        share = 100 * length / over
        made.append(Arc(status, rows, 100 * rows / total, round(start, 3), round(share, 3)))
        start += share
    return tuple(made)


@dataclass(frozen=True, slots=True)
class Plot:
    """A quantity over time: SVG path data in WIDTH × HEIGHT; `top` is the end of its scale."""

    line: str
    area: str
    top: float
    bars: tuple[tuple[float, float, float, float], ...] = ()
    """x, y, width, height."""


@dataclass(frozen=True, slots=True)
class Sending:
    """The three plots of sending, over `seconds`."""

    throughput: Plot
    latency: Plot
    slowest: Plot
    retries: Plot
    seconds: float
    requests: int
    retried: int


def sending(steps: Sequence[Step]) -> Sending | None:
    """Plots of a timeline; None if there is too little of it to make a picture."""
    if len(steps) < 2:
        return None
    rates = [step.rows / step.width for step in steps]
    slowest = [step.slowest for step in steps]
    top = ceiling(max(slowest))
    return Sending(
        throughput=_curve(rates, ceiling(max(rates))),
        latency=_curve(_filled([step.latency for step in steps]), top),
        slowest=_curve(_filled(slowest), top),
        retries=_bars([float(step.retries) for step in steps]),
        seconds=steps[-1].start + steps[-1].width,
        requests=sum(step.requests for step in steps),
        retried=sum(step.retries for step in steps),
    )


def ceiling(value: float) -> float:
    """The next round number at or above: 1, 1.5, 2, 3, 4, 5, 6 or 8 of a power of ten. 1 for zero."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(
        factor * power for factor in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if factor * power >= value * 0.999
    )


def _filled(values: Sequence[float]) -> list[float]:
    """Steps in which nothing was answered show the value before: silence is no quick answer."""
    filled: list[float] = []
    for value in values:
        filled.append(value or (filled[-1] if filled else 0.0))
    return filled


def _curve(values: Sequence[float], top: float) -> Plot:
    step = WIDTH / (len(values) - 1)
    points = [f"{place * step:.1f} {HEIGHT - HEIGHT * value / top:.1f}" for place, value in enumerate(values)]
    line = "M" + " L".join(points)
    return Plot(line, f"{line} L{WIDTH} {HEIGHT} L0 {HEIGHT} Z", top)


def _bars(values: Sequence[float]) -> Plot:
    top = ceiling(max(values))
    step = WIDTH / len(values)
    bars = []
    for place, value in enumerate(values):
        height = round(HEIGHT * value / top, 1)
        if height:
            bars.append((round(place * step, 1), round(HEIGHT - height, 1), round(step * 0.8, 1), height))
    return Plot("", "", top, tuple(bars))
