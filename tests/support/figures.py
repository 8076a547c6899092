"""What a test measured, for whoever reads a page of `docs/proof` or runs `pytest -s`."""

from collections.abc import Callable

# A name and what was measured, with its unit.
Figure = Callable[[str, str], None]


def quantile(values: list[float], share: float) -> float:
    """The value below which this share of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def spread(seconds: list[float]) -> str:
    """Median, p99 and maximum of times, in milliseconds."""
    shown = [quantile(seconds, share) * 1e3 for share in (0.5, 0.99, 1.0)]
    return "p50 {:.2f} ms, p99 {:.2f} ms, max {:.2f} ms of {}".format(*shown, len(seconds))
