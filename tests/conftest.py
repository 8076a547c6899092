"""Which tests may run beside each other: `make test` runs those in twos, then the rest."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.figures import Figure

ROOT = Path(__file__).parent
# They measure times, rates or memory, or take both cores or all descriptors for themselves.
ALONE = frozenset({
    "border/test_gil.py",
    "config/test_scale.py",
    "e2e/test_cancellation.py",
    "e2e/test_change.py",
    "e2e/test_detect_measured.py",
    "e2e/test_drain_under_load.py",
    "e2e/test_http2_neighbour.py",
    "e2e/test_limits.py",
    "e2e/test_mirrors_measured.py",
    "e2e/test_route_limits.py",
    "e2e/test_workers.py",
})  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what runs alone."""
    for item in items:
        if item.path.relative_to(ROOT).as_posix() in ALONE:
            item.add_marker("alone")


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Figure:
    """Notes what a test measured; `make prove` puts it on its page."""

    def note(name: str, value: str) -> None:
        record_property(name, value)
        print(f"{name}: {value}")

    return note
