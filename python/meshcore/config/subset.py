"""Clusters of some of another cluster's endpoints: the subsets of a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore.config.origin import Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshcore.config.model import Cluster, Config, Endpoint


def with_endpoints(clusters: Sequence[Cluster]) -> Iterator[Cluster]:
    """The same clusters, subsets with the endpoints that they choose."""
    if all(cluster.subset_of is None for cluster in clusters):
        yield from clusters
        return
    named = {cluster.name: cluster for cluster in clusters}
    for cluster in clusters:
        if cluster.subset_of is None:
            yield cluster
        else:
            yield cluster.model_copy(update={"endpoints": chosen(cluster, named)})


def chosen(cluster: Cluster, named: dict[str, Cluster]) -> tuple[Endpoint, ...]:
    """A cluster's endpoints: its own, or those of the other that have all labels."""
    if (of := cluster.subset_of) is None:
        return cluster.endpoints
    whole = named[of.cluster].endpoints if of.cluster in named else ()
    return tuple(one for one in whole if of.labels.items() <= one.labels.items())


def check_subsets(config: Config) -> Iterator[Trouble]:
    """All that is wrong with what subsets are of."""
    named = {cluster.name: cluster for cluster in config.clusters}
    for index, cluster in enumerate(config.clusters):
        if (of := cluster.subset_of) is None:
            continue
        at = ("clusters", index, "subset_of", "cluster")
        whole = named.get(of.cluster)
        if cluster.endpoints:
            message = "a subset has the endpoints of another cluster, and none of its own"
            loc = ("clusters", index, "endpoints")
            yield Trouble(loc, "one_of", message, "leave endpoints or subset_of out", at_key=True)
        if whole is None:
            message = f"there is no cluster {of.cluster!r}"
            yield Trouble(at, "unknown_cluster", message, "name the one that has the endpoints")
        elif whole.subset_of is not None:
            message = f"{of.cluster!r} is a subset itself"
            hint = f"write cluster: {whole.subset_of.cluster}, and the labels of both"
            yield Trouble(at, "subset_of_subset", message, hint)
