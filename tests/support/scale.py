"""The share of an issue's full counts that this run makes."""

import os

# 1 is the table of the issue; `make test` sets a hundredth.
SCALE = float(os.environ.get("MESHCORE_SCALE", "0.01"))


def scaled(full: int, at_least: int) -> int:
    """`full` times the scale, but never fewer than still prove something."""
    return max(at_least, round(full * SCALE))
