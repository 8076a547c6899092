"""What the tests of hooks share."""

import os
from pathlib import Path

import pytest

from tests.support.packages import installed


@pytest.fixture(scope="session")
def sample_hooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's filters, built once for all processes that run tests."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    return installed("hooks", base / "sample-hooks")


@pytest.fixture
def filters(sample_hooks: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Proxies that a test starts find the sample's filters."""
    before = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(sample_hooks), before])))
    return sample_hooks
