"""Clusters of some of another cluster's endpoints."""

import json
from pathlib import Path

import pytest

from meshcore import ConfigError, Endpoint, loads
from meshcore.config.compile import compile_config
from meshcore.config.resources import ENDPOINTS, Compiled
from meshcore.config.sources.examine import examine
from meshcore.config.sources.prepare import prepare
from tests.support.engine_in_memory import check

REVIEWS = """\
listeners: [{name: web, address: "127.0.0.1:8080", routes: [{to: [{cluster: v1, weight: 9}, v2]}]}]
clusters:
  - name: reviews
    endpoints:
      - {address: "127.0.0.1:9001", labels: {version: v1, zone: a}}
      - {address: "127.0.0.1:9002", labels: {version: v2}}
      - {address: "127.0.0.1:9003", labels: {version: v1}}
  - {name: v1, subset_of: {cluster: reviews, labels: {version: v1}}, balance: random}
  - {name: v2, subset_of: {cluster: reviews, labels: {version: v2}}}
"""


def endpoints(compiled: Compiled) -> dict[str, list[str]]:
    """The addresses of each cluster, as the engine gets them."""
    return {
        name: [endpoint["address"] for endpoint in json.loads(body)["endpoints"]]
        for (kind, name), body in compiled.resources.items()
        if kind == ENDPOINTS
    }


def compiled(text: str) -> Compiled:
    """The document in the engine's terms."""
    return compile_config(loads(text), {}, {})


def test_a_subset_has_the_endpoints_with_all_its_labels() -> None:
    assert endpoints(compiled(REVIEWS)) == {
        "reviews": ["127.0.0.1:9001", "127.0.0.1:9002", "127.0.0.1:9003"],
        "v1": ["127.0.0.1:9001", "127.0.0.1:9003"],
        "v2": ["127.0.0.1:9002"],
    }
    both = REVIEWS.replace(
        "reviews, labels: {version: v1}", "reviews, labels: {version: v1, zone: a}"
    )
    assert endpoints(compiled(both))["v1"] == ["127.0.0.1:9001"]


def test_the_other_clusters_endpoints_change_a_subset(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(REVIEWS)
    before = examine(str(tmp_path / "a.yaml"), check).or_refuse()
    labelled = Endpoint(address="127.0.0.1:9009", labels={"version": "v2"})
    after = prepare(before.config.with_endpoints("reviews", (labelled,)), after=before)
    assert endpoints(after.compiled) == {
        "reviews": ["127.0.0.1:9009"],
        "v1": [],
        "v2": ["127.0.0.1:9009"],
    }


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("cluster: reviews, labels: {version: v2}", "cluster: views, labels: {a: b}",
         "clusters[2].subset_of.cluster: there is no cluster 'views'"),
        ("cluster: reviews, labels: {version: v2}", "cluster: v1, labels: {a: b}",
         "clusters[2].subset_of.cluster: 'v1' is a subset itself"),
        ("labels: {version: v2}}}", "labels: {version: v2}}, endpoints: [127.0.0.1:1]}",
         "clusters[2].endpoints: a subset has the endpoints of another cluster"),
        ("{version: v2}}}", "{}}}", "clusters[2].subset_of.labels:"),
    ],
)  # fmt: skip
def test_what_is_no_subset_is_refused(old: str, new: str, expected: str) -> None:
    assert old in REVIEWS
    with pytest.raises(ConfigError) as refused:
        loads(REVIEWS.replace(old, new))
    assert any(expected in str(problem) for problem in refused.value.problems)
