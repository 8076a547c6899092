"""Prints what was measured: a table for each scenario, and the bars with their verdicts."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.judge import Launch, Results, Verdict
    from harness.scenarios import Scenario


def table(scenario: Scenario, launch: Launch) -> Iterator[str]:
    """Yield a scenario's lines: median (lowest..highest) of each metric, and meshcore's ratio."""
    yield f"\n{scenario.title} [{scenario.name}]"
    first = scenario.metrics[0]
    ours = launch.get("meshcore", {}).get(first, ())
    for peer, metrics in launch.items():
        cells = [f"{name} {spread(values)}" for name, values in metrics.items() if values]
        theirs = metrics.get(first, ())
        ratios = [a / b for a, b in zip(ours, theirs, strict=False) if b > 0]
        if ratios and peer != "meshcore":
            cells.append(f"meshcore/{peer} {spread(ratios)}")
        yield f"  {peer:14} " + "  ".join(cells)


def spread(values: Sequence[float]) -> str:
    """Write a median with its range."""
    middle = statistics.median(values)
    if len(values) == 1:
        return number(middle)
    return f"{number(middle)} ({number(min(values))}..{number(max(values))})"


def number(value: float) -> str:
    """Write three significant digits."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def verdicts(found: Sequence[Verdict]) -> Iterator[str]:
    """Yield a line for each bar: PASS or MISS, and for a goal GOAL (reached) or OPEN."""
    if not found:
        return
    head = ("limit", "median", "lowest..highest", "launches")
    yield "\n{:45} {:>7} {:>8}  {:18}  {}".format("bar", *head)
    for verdict in found:
        bar = verdict.bar
        against = f"/{bar.peer}" if bar.peer else ""
        name = f"{bar.scenario} {bar.metric} {bar.ours}{against}"
        launches = " ".join(number(value) for value in verdict.launches)
        spread_ = f"{number(verdict.lowest)}..{number(verdict.highest)}"
        figure = number(verdict.figure)
        yield f"{verdict.word} {name:40} {bar.limit:>7} {figure:>8}  {spread_:18}  {launches}"


def markdown(
    scenarios: Sequence[Scenario], results: Results, versions: Mapping[str, str]
) -> Iterator[str]:
    """Yield the tables of docs/benchmarks.md: medians over all launches."""
    yield "Versions: " + "; ".join(f"{name} {version}" for name, version in versions.items()) + "."
    peers = [name for name in versions if name != "direct"]
    yield ""
    yield "| scenario | figure | " + " | ".join(peers) + " |"
    yield "|---|---|" + "---|" * len(peers)
    for scenario in scenarios:
        for metric in scenario.metrics:
            cells = [_cell(results.get(scenario.name, ()), peer, metric) for peer in peers]
            if metric not in {"busy", "rps"} and any(cell != "-" for cell in cells):
                yield f"| {scenario.title} | {metric} | " + " | ".join(cells) + " |"


def _cell(launches: Sequence[Launch], peer: str, metric: str) -> str:
    values = [
        statistics.median(launch[peer][metric])
        for launch in launches
        if launch.get(peer, {}).get(metric)
    ]
    return number(statistics.median(values)) if values else "-"
