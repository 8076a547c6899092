"""Istio's documents in tests: read, translated, as native words."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from meshcore.config.origin import Trouble
from meshcore.config.sources.istio.model import support
from meshcore.config.sources.istio.objects import Objects, read_objects
from meshcore.config.sources.istio.translate import Translated, translate
from meshcore.config.sources.istio.validate import validate
from meshcore.config.sources.merged import At, Foreign, Merged
from meshcore.config.sources.text import Document, Value

OUTBOUND = "listeners: [{name: out, address: '127.0.0.1:1', mesh: outbound}]\n---\n"
SERVICES = """\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: reviews}
spec:
  hosts: [reviews.default.svc.cluster.local]
  ports: [{number: 9080, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints:
  - {address: 10.0.0.1, labels: {version: v1}}
  - {address: 10.0.0.2, labels: {version: v2}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ratings}
spec:
  hosts: [ratings.default.svc.cluster.local]
  ports: [{number: 9080, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 10.0.1.1}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: subsets}
spec:
  host: reviews
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
---
"""


def every_key_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Translate into all of the native words, also those that the models don't have yet."""
    monkeypatch.setattr(support, "has_key", lambda _path: True)


def virtual_service(spec: str, name: str = "vs", namespace: str = "default") -> str:
    """A VirtualService; `spec` is YAML, indented by two."""
    return _object("VirtualService", spec, name, namespace)


def destination_rule(spec: str, name: str = "dr", namespace: str = "default") -> str:
    """A DestinationRule."""
    return _object("DestinationRule", spec, name, namespace)


def _object(kind: str, spec: str, name: str, namespace: str) -> str:
    return (
        f"apiVersion: networking.istio.io/v1\nkind: {kind}\n"
        f"metadata: {{name: {name}, namespace: {namespace}}}\nspec:\n{spec}\n---\n"
    )


@cache
def _read(index: int, text: str) -> Objects:
    """One document, read once however often it stands among others."""
    return read_objects([Foreign(At(index), json.loads(text))])


@dataclass
class Scene:
    """Documents, and what they mean."""

    merged: Merged
    objects: Objects
    translated: Translated

    @classmethod
    def of(cls, *texts: str) -> "Scene":
        """These documents together."""
        merged = Merged()
        for index, text in enumerate(texts):
            merged.add(Document(f"{index}.yaml", text))
        assert merged.problems == []
        objects = read_objects(merged.foreign)
        validate(objects)
        return cls(merged, objects, translate(objects, merged.value.get("listeners")))

    @classmethod
    def of_values(cls, parts: list[dict[str, Value]]) -> "Scene":
        """Documents that are parsed already."""
        merged = Merged()
        objects = Objects()
        for index, part in enumerate(parts):
            if "kind" in part:
                one = _read(index, json.dumps(part))
                for name in Objects.__slots__:
                    getattr(objects, name).extend(getattr(one, name))
            else:
                merged.value |= part
        objects.sort()
        validate(objects)
        return cls(merged, objects, translate(objects, merged.value.get("listeners")))

    @classmethod
    def reading(cls, folder: Path, *more: Path) -> "Scene":
        """The documents of a folder, and some files besides."""
        return cls.of(*(path.read_text() for path in (*sorted(folder.glob("*.yaml")), *more)))

    @property
    def troubles(self) -> list[Trouble]:
        """All that is wrong."""
        return [trouble for _, trouble in (*self.objects.troubles, *self.translated.troubles)]

    def routes(self, listener: int = 0) -> list[dict[str, Value]]:
        """The native routes of a listener."""
        return [made.value for made in self.translated.routes.get(listener, [])]

    def route(self, name: str, listener: int = 0) -> dict[str, Value]:
        """One of them."""
        (found,) = (route for route in self.routes(listener) if route["name"] == name)
        return found

    def clusters(self) -> dict[str, dict[str, Value]]:
        """The native clusters by name."""
        return {name: made.value for name, made in self.translated.clusters.items()}

    def everything(self) -> object:
        """All that came out, to compare."""
        found = self.translated
        streams = [
            {index: made.value for index, made in part.items()} for part in (found.to, found.tls)
        ]
        routes = {index: self.routes(index) for index in found.routes}
        return routes, self.clusters(), streams, [str(trouble) for trouble in self.troubles]
