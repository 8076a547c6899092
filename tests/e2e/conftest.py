"""What end-to-end tests share; everything that a test starts ends with it."""

from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.scale import SCALE


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything below this folder."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("e2e")


def pytest_report_header() -> str:
    """Say at which scale the counts run."""
    return f"meshcore: counts at {SCALE:g} of the full ones (MESHCORE_SCALE)"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority whose files stand in the test's folder."""
    return Authority(tmp_path)
