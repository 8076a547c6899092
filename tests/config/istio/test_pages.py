"""The pages about Istio are current, and nothing is missing from them."""

from pathlib import Path

import pytest

from meshcore.config.sources.istio.analyze.catalogue import ENTRIES
from meshcore.config.sources.istio.model import KINDS
from meshcore.config.sources.istio.model.support import To
from meshcore.config.sources.istio.reference import (
    ANALYZE_PAGE,
    PAGE,
    analyze_page,
    page,
    rows,
    share,
    spec_of,
)
from tests.config.istio.scene import every_key_exists

ROOT = Path(__file__).parents[3]


def test_the_pages_are_current() -> None:
    assert (ROOT / PAGE).read_text() == page(), "run: make docs"
    assert (ROOT / ANALYZE_PAGE).read_text() == analyze_page(), "run: make docs"


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_says_what_becomes_of_it(kind: str) -> None:
    found = rows(spec_of(kind))
    assert len({row.path for row in found}) == len(found)
    for row in found:
        if isinstance(row.mark, To):
            assert row.mark.keys.split(), row.path


@pytest.mark.parametrize("kind", ["VirtualService", "DestinationRule"])
def test_nine_tenths_are_supported_with_every_native_key(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    every_key_exists(monkeypatch)
    good, whole = share(kind)
    assert good >= 0.9 * whole


def test_every_finding_has_a_cause_and_a_remedy() -> None:
    for entry in ENTRIES.values():
        assert entry.cause.endswith(".")
        assert entry.remedy.endswith(".")
