"""Draws benches/history.jsonl: how many instructions a request cost in each version.

history.py [--picture docs/history.png]      prints the table, and draws it where asked
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness.environment import ROOT, enter_venv

HISTORY = ROOT / "benches/history.jsonl"


def main() -> None:
    """Print and draw."""
    parser = argparse.ArgumentParser(description="Instructions per request over the versions.")
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    if not HISTORY.exists():
        raise SystemExit(f"{HISTORY.relative_to(ROOT)} has no entry yet")
    entries = [json.loads(line) for line in HISTORY.read_text().splitlines() if line.strip()]
    names = sorted({name for entry in entries for name in entry["instructions_per_request"]})
    for entry in entries:
        figures = entry["instructions_per_request"]
        cells = "  ".join(f"{name} {figures[name]:,}" for name in names if name in figures)
        print(f"{entry['label']:20} {cells}")
    if arguments.picture:
        enter_venv()
        draw(entries, names, arguments.picture)


def draw(entries: list[dict[str, dict[str, int]]], names: list[str], target: Path) -> None:
    """Draw a line for each script."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3.5))
    labels = [str(entry["label"]) for entry in entries]
    for name in names:
        values = [entry["instructions_per_request"].get(name) for entry in entries]
        points = [(at, value) for at, value in enumerate(values) if value is not None]
        axes.plot(*zip(*points, strict=True), marker="o", label=name)
    axes.set_xticks(range(len(labels)), labels)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("instructions per request")
    axes.legend(fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(target, dpi=130)


if __name__ == "__main__":
    main()
