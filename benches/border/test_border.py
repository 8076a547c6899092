"""What a change and a look at the counters cost, seen from Python: `pytest benches/border`."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import meshcore

# The design's figure for an apply is at this many clusters.
CLUSTERS = 10_000


def document(last: str) -> dict[str, object]:
    """Many hosts with a cluster each; `last` is the address of the last one."""
    names = [f"c{number}" for number in range(CLUSTERS)]
    clusters: list[dict[str, object]] = [
        {"name": name, "endpoints": ["127.0.0.1:9001"]} for name in names[:-1]
    ]
    clusters.append({"name": names[-1], "endpoints": [last]})
    routes = [{"match": {"host": f"{name}.test"}, "to": name} for name in names]
    listener = {"name": "web", "address": "127.0.0.1:0", "routes": routes}
    return {"listeners": [listener], "clusters": clusters, "admin": False}


@pytest.fixture(scope="module")
def variants() -> list[meshcore.Config]:
    base = meshcore.loads(json.dumps(document("127.0.0.1:9001")))
    return [base, base.with_endpoints(f"c{CLUSTERS - 1}", ("127.0.0.1:9002",))]


@pytest.fixture(scope="module")
def served(variants: list[meshcore.Config]) -> Iterator[meshcore.Served]:
    with meshcore.serve(variants[0], workers=1) as engine:
        yield engine


def test_apply_of_one_endpoints(
    benchmark: BenchmarkFixture, served: meshcore.Served, variants: list[meshcore.Config]
) -> None:
    turns = itertools.cycle(reversed(variants))
    before = served.generation
    benchmark(lambda: served.apply(next(turns)))
    assert served.generation > before


def test_stats(benchmark: BenchmarkFixture, served: meshcore.Served) -> None:
    stats = benchmark(served.stats)
    assert "clusters" in stats


def test_load(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    path = tmp_path / "proxy.json"
    path.write_text(json.dumps(document("127.0.0.1:9001")))
    config = benchmark(meshcore.load, path)
    assert len(config.clusters) == CLUSTERS
