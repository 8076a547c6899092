"""docs/istio.md: what becomes of each field of Istio's kinds, from the marks of the models.

`python -m meshcore.config.sources.istio.reference` writes the page; a test holds it against them.
"""

from __future__ import annotations

import typing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from meshcore.config.model.base import Part
from meshcore.config.sources.istio.analyze.catalogue import ENTRIES
from meshcore.config.sources.istio.model import KINDS
from meshcore.config.sources.istio.model.support import (
    Inside,
    Mark,
    Read,
    Refused,
    To,
    mark_of,
    refusal,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path("docs/istio.md")

_HEAD = """\
# Istio's documents

`meshcore proxy -c DIRECTORY` (and `check`) takes Istio's own documents beside native ones, as they
are: several in a file, all served versions of `networking.istio.io`, lists as `kubectl get -o yaml`
prints them. The tables below are generated from the code (`make docs`). An unknown field is an
error, and so is one that is not supported: nothing is ever ignored.

## How they bind

A native listener says which traffic it takes:

```yaml
listeners:
- {name: outbound, address: 127.0.0.1:15001, mesh: outbound}
- name: ingress
  address: 127.0.0.1:8080
  mesh: {traffic: gateway, port: 80}
  labels: {istio: ingressgateway}
```

- **`mesh: outbound`** gets a route for each service that a ServiceEntry describes, and for each
  host of a VirtualService whose `gateways` are left out or name `mesh`. A service is called by its
  host and, where that is `name.namespace.svc.cluster.local`, by the shorter names too. Of several
  ports, 80 or else the first answers to the bare name, the others to `name:port`; with `mesh.port`
  the listener is for that port alone. With `protocol: tcp` it stands for the TCP port of its
  address (or `mesh.port`), with `protocol: tls-passthrough` it routes by server name.
- **`mesh: gateway`** gets what Gateways say whose `selector` its `labels` fulfil and whose server
  has its port: `mesh.port`, or left out the port of its address. Certificates come from the
  server's files; relative names are relative to the document.
- A listener's own routes stand before those; with them it has `route_order: document`, unless it
  says otherwise: of the routes of the most specific host the first that matches wins, as Istio has
  it.
- `mesh.namespace` (`default`) and `labels` are also what short names, `exportTo`, `sourceLabels`,
  `sourceNamespace` and `workloadSelector` refer to.
- Endpoints, with the labels that subsets choose by, come from ServiceEntry and WorkloadEntry.
- A destination that doesn't exist answers 503, as with Istio; `meshcore analyze` finds it before.

What differs from Istio: retries that no document names are meshcore's (only what provably reached
nobody is sent again); a request that may do harm twice is not retried although `retryOn` names its
failure, unless it has an `Idempotency-Key`; a ServiceEntry may have a short host (`reviews`); a
host without a service is routed on every port, not on 80 alone; `tls` without `mode` is refused
instead of meaning the zero value; failover of localities counts whatever makes an endpoint
unavailable, with or without `outlierDetection` (with it, and nothing said, localities count as
Istio's do). The proxy's own locality is the document's `locality` or `meshcore proxy --locality`.
"""


ANALYZE_PAGE = Path("docs/analyze.md")

_ANALYZE_HEAD = """\
# What `meshcore analyze` finds

`meshcore analyze DIRECTORY` (or `-c DIRECTORY`) reads native and Istio documents together and says
what they probably don't mean, each with file, line and column. Codes that begin with IST are
Istio's own, with its names and levels; those that begin with MC are meshcore's.

- Exit code 0, or 65 when there is a finding of level `error` or above what `--fail-on` names.
- `-o json` and `-o yaml` print `findings`, each with `code`, `name`, `level`, `object`, `path`,
  `message`, `hint`, `file`, `line` and `column`.
- An object's annotation `galley.istio.io/analyze-suppress: "IST0130,MC0001"` keeps these findings
  about it quiet; `"*"` keeps all.
- What a document is refused for stands among the findings: IST0106 for Istio's documents, for
  native ones the problem's own code.

This page is generated from the code (`make docs`).

## Codes
"""
_TRAPS = """\
## Refused instead of found

Some traps of Istio can't be fallen into here, since the document is refused (IST0106):

- `tls: {}` in a DestinationRule or a server: its zero value would mean DISABLE, or PASSTHROUGH.
- A ServiceEntry with `resolution: NONE`: a TCP port without address would open the port to any IP.
- `PASSTHROUGH` balancing of headless services: there is no original destination.
- Traps of other kinds (RequestAuthentication, AuthorizationPolicy, Sidecar, Telemetry): these kinds
  are refused until they are understood. `REGISTRY_ONLY` of a Sidecar would be no firewall anyhow:
  whoever doesn't use the proxy goes around it.

## Different here

- `retries` sends a POST that may have been processed again only with an `Idempotency-Key`, whatever
  `retryOn` says; without `retries` only what provably reached nobody is sent again.
- A listener with `protocol: auto` waits for no time-out: a server that speaks first is heard.
- `meshcore explain` shows which object each setting comes from, with file and line: the
  DestinationRule that a client follows, and the settings of a port that replace the others.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One field."""

    path: str
    mark: Mark
    same_as: str = ""
    """Another field with the same fields inside."""

    @property
    def supported(self) -> bool:
        """Whether it can be used."""
        return not refusal(self.mark)


def rows(part: type[Part]) -> list[Row]:
    """Every field of a model, those of its parts after it; a part's once, where it stands first."""
    return list(_rows(part, "", {}))


def _rows(part: type[Part], path: str, seen: dict[type[Part], str]) -> Iterator[Row]:
    for name, field in part.model_fields.items():
        here = f"{path}.{field.alias or name}".removeprefix(".")
        mark = mark_of(field)
        inner, suffix = _inner(field.annotation)
        first = seen.setdefault(inner, here) if inner is not None else here
        yield Row(here, mark, "" if first == here else first)
        if inner is not None and first == here and not isinstance(mark, Refused):
            yield from _rows(inner, here + suffix, seen)


def share(kind: str) -> tuple[int, int]:
    """How many fields of a kind's spec are supported, and how many there are."""
    found = rows(spec_of(kind))
    return sum(row.supported for row in found), len(found)


def page() -> str:
    """docs/istio.md."""
    lines = [_HEAD, "## Fields\n", "| kind | supported |", "|---|---|"]
    for kind in KINDS:
        good, whole = share(kind)
        lines.append(f"| {kind} | {good} of {whole} fields, {100 * good // whole} % |")
    for kind in KINDS:
        lines += ["", f"### {kind}", "", "| field | | what becomes of it |", "|---|---|---|"]
        for row in rows(spec_of(kind)):
            state = "supported" if row.supported else "refused"
            words = [_words(row.mark), f"like `{row.same_as}`" if row.same_as else ""]
            lines.append(f"| `{row.path}` | {state} | {', '.join(filter(None, words))} |")
    return "\n".join(lines) + "\n"


def spec_of(kind: str) -> type[Part]:
    """The model of a kind's spec."""
    spec = KINDS[kind].model_fields["spec"].annotation
    assert isinstance(spec, type)
    assert issubclass(spec, Part)
    return spec


def _words(mark: Mark) -> str:
    match mark:
        case To():
            keys = ", ".join(f"`{_shown(key)}`" for key in mark.keys.split())
            note = f": {mark.note}" if mark.note else ""
            reason = "" if not refusal(mark) else " (not yet a native key)"
            return f"{keys}{note}{reason}"
        case Refused():
            return mark.reason
        case Read() | Inside():
            return mark.note


def _shown(key: str) -> str:
    roots = {"route": "listeners.routes", "cluster": "clusters", "listener": "listeners"}
    root, _, rest = key.partition(".")
    return f"{roots[root]}.{rest}"


def _inner(annotation: object) -> tuple[type[Part] | None, str]:
    """The model within an annotation, and how a path goes on."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation, ""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple:
        return _inner(arguments[0])[0], "[]"
    if origin is dict:
        return _inner(arguments[1])[0], ".<name>"
    found = (_inner(argument) for argument in arguments)
    return next((one for one in found if one[0] is not None), (None, ""))


def analyze_page() -> str:
    """docs/analyze.md."""
    lines = [_ANALYZE_HEAD]
    for entry in ENTRIES.values():
        lines += [f"### {entry.code} {entry.name} ({entry.level})", ""]
        lines += [f"- **Cause.** {entry.cause}", f"- **Remedy.** {entry.remedy}", ""]
    lines += [_TRAPS]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page())
    ANALYZE_PAGE.write_text(analyze_page())
