"""Draws the README's picture: meshcore beside its peers, scenario by scenario."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.judge import Results

PANELS = (
    ("http1", "cpu_us", "HTTP/1.1, 1 KiB", "CPU µs per request"),
    ("tls", "cpu_us", "TLS 1.3, 1 KiB", "CPU µs per request"),
    ("pair", "cpu_us", "sidecar pair, mutual TLS", "CPU µs per request, both"),
    ("body-64k", "cpu_s_per_gib", "64 KiB bodies", "CPU s per GiB"),
    ("rate-1000", "added_p50_us", "1,000 requests/s", "added latency, p50 µs"),
    ("hosts-one", "pss_mib", "10,000 hosts", "memory, MiB"),
)
COLOURS = {
    "meshcore": "#0b6e4f",
    "haproxy": "#8c8c8c",
    "nginx": "#a8a8a8",
    "envoy": "#bdbdbd",
    "envoy-mesh": "#cfcfcf",
    "relay": "#e3e3e3",
}


def draw(results: Results, target: Path) -> bool:
    """Write the picture; false when none of its scenarios was run."""
    panels = [panel for panel in PANELS if panel[0] in results]
    if not panels:
        return False
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    across = min(3, len(panels))
    down = -(-len(panels) // across)
    figure, grid = plt.subplots(down, across, figsize=(4.2 * across, 2.6 * down), squeeze=False)
    for axes, panel in zip(grid.flat, panels, strict=False):
        scenario, metric, title, unit = panel
        bars = medians(results, scenario, metric)
        names = list(bars)
        axes.barh(names, list(bars.values()), color=[COLOURS[name] for name in names])
        axes.bar_label(axes.containers[0], fmt="%.3g", padding=3, fontsize=8)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(unit, fontsize=8)
        axes.tick_params(labelsize=8)
        axes.margins(x=0.18)
        axes.invert_yaxis()
        axes.spines[["top", "right"]].set_visible(False)
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_visible(False)
    figure.suptitle("One worker on one core, same machine, same run; less is better", fontsize=11)
    figure.tight_layout()
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=130)
    return True


def medians(results: Results, scenario: str, metric: str) -> dict[str, float]:
    """Return each peer's median over all launches, in the order of the colours."""
    found: dict[str, float] = {}
    for peer in COLOURS:
        values: Sequence[float] = [
            value for launch in results[scenario] for value in launch.get(peer, {}).get(metric, ())
        ]
        if values:
            found[peer] = statistics.median(values)
    return found
