"""One HTTP rule of a VirtualService as native routes: one for each of its match blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshcore.config.sources.istio.translate.clusters.destinations import Wanted
from meshcore.config.sources.istio.translate.http.actions import (
    put_actions,
    put_redirect,
    put_rewrite,
)
from meshcore.config.sources.istio.translate.http.headers import authority, operations
from meshcore.config.sources.istio.translate.http.match import concerns, put_match
from meshcore.config.sources.istio.translate.made import Made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.config.sources.istio.model.virtual_service import HttpMatch, HttpRule, HttpTarget
    from meshcore.config.sources.istio.translate.client import Client
    from meshcore.config.sources.istio.translate.clusters.destinations import Destinations
    from meshcore.config.sources.istio.translate.http.delegates import PlacedRule
    from meshcore.config.sources.istio.translate.http.match import Bound
    from meshcore.config.sources.merged import At
    from meshcore.config.sources.text import Value

_EVERYTHING = 100


@dataclass(frozen=True, slots=True)
class Scene:
    """For whom and for which port rules are translated."""

    destinations: Destinations
    client: Client
    bound: Bound
    port: int
    """The port that requests are for."""


def http_routes(scene: Scene, placed: PlacedRule, name: str) -> Iterator[Made]:
    """The routes of one rule; none where all of its match blocks are for others."""
    rule = placed.rule
    blocks: list[tuple[HttpMatch | None, At]] = [
        (match, placed.match_at(index))
        for index, match in enumerate(rule.match)
        if concerns(match, scene.client, scene.bound, scene.port)
    ]
    if not rule.match and scene.bound.everywhere:
        blocks = [(None, placed.at)]
    for number, (match, at) in enumerate(blocks):
        made = _route(scene, placed, match, at)
        whole = name if rule.name else f"{name}/{placed.number}"
        parts = [whole, rule.name, match.name if match is not None else ""]
        made.value["name"] = ".".join(filter(None, parts))
        if len(blocks) > 1 and not (match is not None and match.name):
            made.value["name"] = f"{made.value['name']}.{number}"
        yield made


def _route(scene: Scene, placed: PlacedRule, match: HttpMatch | None, at: At) -> Made:
    rule, rule_at = placed.rule, placed.at
    made = Made("route", at)
    if match is not None:
        put_match(made, match, at)
    if rule.rewrite is not None:
        uri = match.uri if match is not None else None
        put_rewrite(made, rule.rewrite, uri, rule_at / "rewrite")
    put_actions(made, rule, rule_at)
    if rule.redirect is not None:
        put_redirect(made, rule.redirect, scene.client, rule_at / "redirect")
    elif rule.directResponse is None:
        _put_targets(scene, made, placed)
    _put_mirrors(scene, made, placed)
    return made


def _put_targets(scene: Scene, made: Made, placed: PlacedRule) -> None:
    rule: HttpRule = placed.rule
    targets: list[Value] = []
    hashed: list[Value] = []
    single = len(rule.route) == 1
    for index, target in enumerate(rule.route):
        at = placed.at / "route" / index
        wanted = Wanted.of(target.destination, placed.namespace, at / "destination")
        cluster = scene.destinations.cluster(wanted, scene.client, scene.port)
        for key in scene.destinations.hashed(wanted, scene.client, scene.port):
            if key not in hashed:
                hashed.append(key)
        made.origins["to", len(targets)] = at
        # A single destination takes everything, whatever its weight.
        targets.append(_target(cluster, target, 1 if single else target.weight, at))
    made.put("to", targets, placed.at / "route")
    made.put("hash_on", hashed or None)


def _target(cluster: str, target: HttpTarget, weight: int, at: At) -> Value:
    made = Made("route.to", at)
    made.put("cluster", cluster)
    made.put("weight", weight)
    if target.headers is not None:
        if target.headers.request is not None:
            made.put("host_rewrite", authority(target.headers.request))
            made.put("request_headers", operations(target.headers.request) or None)
        if target.headers.response is not None:
            made.put("response_headers", operations(target.headers.response) or None)
    return made.value


def _put_mirrors(scene: Scene, made: Made, placed: PlacedRule) -> None:
    rule, mirrors = placed.rule, []
    if rule.mirror is not None:
        share: float | None = None
        if rule.mirrorPercentage is not None:
            share = rule.mirrorPercentage.value
        elif rule.mirrorPercent is not None:
            share = rule.mirrorPercent
        mirrors.append((rule.mirror, share, placed.at / "mirror"))
    for index, mirror in enumerate(rule.mirrors):
        share = mirror.percentage.value if mirror.percentage is not None else None
        mirrors.append((mirror.destination, share, placed.at / "mirrors" / index))
    copies: list[Value] = []
    for destination, share, at in mirrors:
        if share == 0:
            continue
        wanted = Wanted.of(destination, placed.namespace, at)
        cluster = scene.destinations.cluster(wanted, scene.client, scene.port)
        made.origins["mirrors", len(copies)] = at
        copies.append({"cluster": cluster, "percentage": _EVERYTHING if share is None else share})
    made.put("mirrors", copies or None)
