"""The bars that meshcore has to reach, and whether it does."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

#: Scenario → launches → peer → metric → the values of its rounds.
Launch = Mapping[str, Mapping[str, Sequence[float]]]
Results = Mapping[str, Sequence[Launch]]


@dataclass(frozen=True, slots=True)
class Bar:
    """At most `limit` times a peer's figure of the same round; without a peer, at most `limit`.

    A goal is told beside the bars, but nothing fails if it isn't reached.
    """

    scenario: str
    metric: str
    limit: float
    peer: str | None = None
    ours: str = "meshcore"
    goal: bool = False


BARS = (
    Bar("http1", "cpu_us", 0.9, "haproxy"),
    Bar("http1", "cpu_us", 0.9, "nginx"),
    Bar("http1", "cpu_us", 0.25, "envoy"),
    Bar("policies", "cpu_us", 0.25, "envoy"),
    Bar("one-connection", "added_p50_us", 1.0, "haproxy"),
    Bar("one-connection", "added_p50_us", 0.55, "envoy"),
    Bar("rate-1000", "added_p50_us", 1.0, "haproxy"),
    Bar("rate-1000", "added_p50_us", 0.55, "envoy"),
    Bar("rate-4000", "added_p99_us", 1.0, "haproxy"),
    Bar("two-workers", "two_over_one", 1.1),
    Bar("body-64k", "cpu_s_per_gib", 0.7, "haproxy"),
    Bar("body-1m", "cpu_s_per_gib", 0.8, "haproxy"),
    Bar("tls", "cpu_us", 1.0, "haproxy"),
    Bar("tls", "cpu_us", 0.3, "envoy"),
    Bar("tls-1m", "cpu_s_per_gib", 1.0, "envoy"),
    Bar("tls-handshake", "cpu_us", 1.0, "envoy"),
    Bar("pair", "cpu_us", 1.0, "haproxy"),
    Bar("pair", "cpu_us", 0.3, "envoy"),
    Bar("http2", "cpu_us", 0.4, "envoy"),
    Bar("http2", "cpu_us", 1.0, "haproxy", goal=True),
    Bar("grpc", "cpu_us", 0.4, "envoy"),
    Bar("grpc", "cpu_us", 1.0, "haproxy", goal=True),
    Bar("h2-streams", "added_p99_us", 1_000.0),
    Bar("h2-streams", "kib_per_stream", 48.0),
    Bar("tcp-1m", "cpu_s_per_gib", 0.8, "haproxy"),
    Bar("tcp-connect", "cpu_us", 1.0, "nginx"),
    Bar("hosts-one", "cpu_us", 1.0, "nginx"),
    Bar("hosts-1000", "cpu_us", 1.0, "nginx"),
    Bar("routes", "cpu_us", 1.0, "nginx"),
    Bar("hosts-one", "pss_mib", 150.0),
    Bar("routes", "pss_mib", 150.0),
    Bar("hosts-one", "start_s", 1.5),
    Bar("hosts-one", "start_s", 4.0, ours="meshcore-yaml"),
    Bar("idle", "rss_mib", 40.0),
    Bar("idle", "mib_per_10k", 20.0),
    Bar("apply", "apply_ms", 5.0),
    Bar("apply", "applying_over_quiet", 1.5),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A bar beside what was measured: a figure a launch, and the median over them."""

    bar: Bar
    launches: Sequence[float]
    lowest: float
    highest: float

    @property
    def figure(self) -> float:
        """Return the median over the launches."""
        return statistics.median(self.launches)

    @property
    def holds(self) -> bool:
        """Tell whether the bar is reached."""
        return self.figure <= self.bar.limit

    @property
    def word(self) -> str:
        """Return the verdict in four letters."""
        if self.bar.goal:
            return "GOAL" if self.holds else "OPEN"
        return "PASS" if self.holds else "MISS"


def judge(results: Results) -> Iterator[Verdict]:
    """Judge every bar whose scenario was run with meshcore and the bar's peer."""
    for bar in BARS:
        launches = [figures(bar, launch) for launch in results.get(bar.scenario, ())]
        values = [launch for launch in launches if launch]
        if values:
            medians = [statistics.median(launch) for launch in values]
            every = [value for launch in values for value in launch]
            yield Verdict(bar, medians, min(every), max(every))


def unjudged(results: Results) -> Iterator[Bar]:
    """Return the bars whose scenario was run but gave no figure."""
    for bar in BARS:
        launches = results.get(bar.scenario, ())
        if launches and not any(figures(bar, launch) for launch in launches):
            yield bar


def figures(bar: Bar, launch: Launch) -> list[float]:
    """Return a launch's figures for a bar: values, or ratios of the same round."""
    ours = launch.get(bar.ours, {}).get(bar.metric, ())
    if bar.peer is None:
        return list(ours)
    theirs = launch.get(bar.peer, {}).get(bar.metric, ())
    # Added latencies below zero mean a disturbed round, and no ratio.
    return [a / b for a, b in zip(ours, theirs, strict=False) if a > 0 and b > 0]
