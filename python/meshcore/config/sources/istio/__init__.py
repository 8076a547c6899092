"""Istio's own documents: VirtualService, DestinationRule, ServiceEntry, WorkloadEntry, Gateway.

They are read beside native documents and become native routes and clusters, so that everything
behind (check, compile, engine) knows one form only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshcore.config.sources.istio.translate import Translated
    from meshcore.config.sources.merged import Merged


def understand(merged: Merged) -> None:
    """Put what Istio's documents mean into the native value, and note what is wrong with them."""
    if not merged.foreign:
        return
    # A configuration without such documents is read without the cost of these.
    from meshcore.config.sources.istio.objects import read_objects
    from meshcore.config.sources.istio.translate import translate
    from meshcore.config.sources.istio.validate import validate

    objects = read_objects(merged.foreign)
    validate(objects)
    translated = translate(objects, merged.value.get("listeners"))
    _insert(merged, translated)
    for at, trouble in (*objects.troubles, *translated.troubles):
        merged.problems.append(merged.placed_at(at, trouble))


def _insert(merged: Merged, translated: Translated) -> None:
    from meshcore.config.sources.istio.translate import places

    listeners = merged.value.get("listeners")
    changed = {*translated.routes, *translated.to, *translated.tls}
    for index in changed if isinstance(listeners, list) else ():
        assert isinstance(listeners, list)
        found = listeners[index]
        assert isinstance(found, dict)
        # A copy: an alias may name the same mapping elsewhere.
        listener = dict(found)
        listeners[index] = listener
        if (tls := translated.tls.get(index)) is not None:
            listener["tls"] = tls.value
            merged.made |= places(tls, ("listeners", index, "tls"))
        if (target := translated.to.get(index)) is not None and "to" not in listener:
            listener["to"] = target.value["to"]
            merged.made |= places(target, ("listeners", index))
            del merged.made["listeners", index]
        _insert_routes(merged, translated, index)
    clusters = merged.value.setdefault("clusters", [])
    for cluster in translated.clusters.values() if isinstance(clusters, list) else ():
        assert isinstance(clusters, list)
        merged.made |= places(cluster, ("clusters", len(clusters)))
        clusters.append(cluster.value)


def _insert_routes(merged: Merged, translated: Translated, index: int) -> None:
    from meshcore.config.sources.istio.model.support import has_key
    from meshcore.config.sources.istio.translate import places

    made = translated.routes.get(index)
    listeners = merged.value["listeners"]
    assert isinstance(listeners, list)
    listener = listeners[index]
    assert isinstance(listener, dict)
    own = listener.get("routes", [])
    if not made or not isinstance(own, list):
        return
    routes = list(own)
    for route in made:
        merged.made |= places(route, ("listeners", index, "routes", len(routes)))
        routes.append(route.value)
    listener["routes"] = routes
    if listener.get("protocol", "http") in {"http", "http2"} and has_key("listener.route_order"):
        listener.setdefault("route_order", "document")
