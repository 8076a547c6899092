"""The engine's problems, which name resources, become problems of the user's document."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from meshcore.config.compile import http_routes, sni_routes
from meshcore.config.origin import Loc, Trouble
from meshcore.config.resources import (
    CLUSTER,
    CREDENTIAL,
    ENDPOINTS,
    HOOK,
    LISTENER,
    OVERLOAD,
    ROUTE_TABLE,
)
from meshcore.config.sources.credentials import references

if TYPE_CHECKING:
    from meshcore.config.model import Config, Listener, Route
    from meshcore.config.sources.credentials import Credentials
    from meshcore.errors import Problem

_STEP = re.compile(r"\[(\d+)\]|\[?\"([^\"]*)\"\]?|([^.\[\]]+)")
# The wire's names that the document writes otherwise.
_NAMES = {"hosts": "host", "methods": "method", "matches": "match", "route_table": "routes"}


def engine_problems(raw: bytes, config: Config, credentials: Credentials) -> list[Problem]:
    """The problems that the engine reports, each with its place in the document."""
    items: list[dict[str, str]] = json.loads(raw)
    bad = {item["name"] for item in items if item["kind"] == CREDENTIAL}
    found: list[Problem] = []
    for item in items:
        if item["kind"] == CREDENTIAL:
            locs = _uses(item["name"], config, credentials)
        elif item["code"] == "credential_unknown" and bad:
            continue  # what names it isn't at fault
        else:
            locs = [_loc(item["kind"], item["name"], _steps(item["path"]), config)]
        for loc in locs:
            trouble = Trouble(loc, item["code"], item["message"], item["hint"])
            found.append(config.origin.placed(trouble))
    return sorted(found, key=lambda problem: (problem.file, problem.line, problem.column))


def _uses(name: str, config: Config, credentials: Credentials) -> list[Loc]:
    """Where the document names the files of a credential."""
    found = [
        certificate
        for files, (certificate, _) in references(config)
        if credentials.names.get(files) == name
    ]
    return found or [()]


def _steps(path: str) -> Loc:
    """`routes[3].match.headers.x-a` as steps, in the document's words."""
    found: list[str | int] = []
    for index, quoted, word in _STEP.findall(path):
        if index:
            found.append(int(index))
        else:
            name = quoted or word
            found.append(_NAMES.get(name, name).removesuffix("_ms"))
    return tuple(found)


def _loc(kind: str, name: str, steps: Loc, config: Config) -> Loc:
    if kind in {LISTENER, ROUTE_TABLE}:
        for index, listener in enumerate(config.listeners):
            if listener.name == name:
                rest = _in_table(listener, steps) if kind == ROUTE_TABLE else _in(listener, steps)
                return ("listeners", index, *rest)
    if kind in {CLUSTER, ENDPOINTS}:
        return _of_cluster(name, steps, config)
    if kind == HOOK:
        return _of_hook(name, steps, config)
    if kind == OVERLOAD:
        return ("overload", *steps)
    return ("admin", *steps) if kind == "Admin" or name == "admin" else ()


def _of_cluster(name: str, steps: Loc, config: Config) -> Loc:
    for index, cluster in enumerate(config.clusters):
        if cluster.name == name:
            return ("clusters", index, *steps)
    return ()


def _of_hook(name: str, steps: Loc, config: Config) -> Loc:
    """The wire has what is one function's, or native code's, below a key of its own."""
    for index, hook in enumerate(config.hooks):
        if hook.name == name:
            if steps[:1] == ("python",) and len(steps) > 1:
                steps = ("body" if steps[1] == "body_bytes" else steps[1], *steps[2:])
            elif steps[:1] == ("native",):
                # It was found, or the engine would not have been asked: what it refuses is config.
                kind = "native" if hook.filter is None else "filter"
                steps = ("config" if "config" in hook.model_fields_set else kind,)
            return ("hooks", index, *steps)
    return ()


def _in_table(listener: Listener, steps: Loc) -> Loc:
    return _routes(http_routes(listener), steps)


def _in(listener: Listener, steps: Loc) -> Loc:
    if steps[:1] == ("sni_routes",):
        found = _routes(sni_routes(listener), steps)
        return (*found[:2], "match", *found[2:]) if "sni" in found[2:3] else found
    if steps[:2] == ("tls", "certificates"):
        if listener.tls is not None and listener.tls.certificate is not None:
            return ("tls", "certificate")
        return (*steps[:3], "certificate")
    return steps


def _routes(routes: list[tuple[int, Route]], steps: Loc) -> Loc:
    position = steps[1] if len(steps) > 1 else None
    if not isinstance(position, int) or position >= len(routes):
        return ("routes",)
    return ("routes", routes[position][0], *steps[2:])
