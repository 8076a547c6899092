"""ServiceEntry and WorkloadEntry: which services there are, and where."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictStr

from meshcore.config.model.base import Part
from meshcore.config.sources.istio.model.metadata import Kind, NetworkingVersion
from meshcore.config.sources.istio.model.scalars import Integer, PortNumber
from meshcore.config.sources.istio.model.support import Inside, Read, Refused, To

Protocol = Literal[
    "", "HTTP", "HTTPS", "GRPC", "GRPC-WEB", "HTTP2", "MONGO", "TCP", "TLS", "http", "https",
    "grpc", "grpc-web", "http2", "mongo", "tcp", "tls",
]  # fmt: skip


class WorkloadEntrySpec(Part):
    """One endpoint."""

    address: Annotated[
        StrictStr, To("cluster.endpoints.address", "an IP, a name for DNS, or unix:///path")
    ] = ""
    ports: Annotated[dict[StrictStr, PortNumber], To("cluster.endpoints.address")] = Field(
        default_factory=dict
    )
    labels: Annotated[dict[StrictStr, StrictStr], Read("subsets choose by them")] = Field(
        default_factory=dict
    )
    network: Annotated[StrictStr, Refused("there is one network")] = ""
    locality: Annotated[StrictStr, To("cluster.endpoints.locality")] = ""
    weight: Annotated[Integer, To("cluster.endpoints.weight")] = 0
    serviceAccount: Annotated[StrictStr, Refused("there are no mesh certificates yet")] = ""


class ServicePort(Part):
    """A port of a service."""

    number: Annotated[PortNumber, Read("what destinations call it")]
    name: Annotated[StrictStr, Read("what an endpoint's ports call it")] = ""
    protocol: Annotated[
        Protocol,
        To("cluster.protocol", "GRPC and HTTP2 are HTTP/2; others are served by their listeners"),
    ] = ""
    targetPort: Annotated[PortNumber | None, To("cluster.endpoints.address")] = None


class LabelSelector(Part):
    """WorkloadEntries by their labels."""

    labels: Annotated[dict[StrictStr, StrictStr], Read("of the same namespace")] = Field(
        default_factory=dict
    )


class ServiceEntrySpec(Part):
    """What a ServiceEntry says."""

    hosts: Annotated[
        tuple[StrictStr, ...], Field(min_length=1, max_length=256), To("route.match.host")
    ]
    addresses: Annotated[
        tuple[StrictStr, ...],
        Field(max_length=256),
        To("route.match.host", "hosts that requests may name; a CIDR has no use yet"),
    ] = ()
    ports: Annotated[tuple[ServicePort, ...], Inside()] = ()
    location: Annotated[
        Literal["MESH_EXTERNAL", "MESH_INTERNAL"], Read("no mesh certificates either way")
    ] = "MESH_EXTERNAL"
    resolution: Annotated[
        Literal["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"],
        To(
            "cluster.endpoints",
            "NONE and DYNAMIC_DNS are refused: there is no original destination yet",
        ),
    ] = "NONE"
    endpoints: Annotated[
        tuple[WorkloadEntrySpec, ...], Field(max_length=4096), To("cluster.endpoints")
    ] = ()
    workloadSelector: Annotated[LabelSelector | None, Inside()] = None
    subjectAltNames: Annotated[
        tuple[StrictStr, ...],
        To("cluster.tls.server_name", "one DNS name, where the DestinationRule names none"),
    ] = ()
    exportTo: Annotated[tuple[StrictStr, ...], Read("which mesh.namespace sees it")] = ()


class ServiceEntry(Kind):
    """A service and its endpoints."""

    apiVersion: Annotated[NetworkingVersion, Read("all served versions have one form")]
    kind: Annotated[Literal["ServiceEntry"], Read("the kind")]
    spec: Annotated[ServiceEntrySpec, Inside()]


class WorkloadEntry(Kind):
    """An endpoint that ServiceEntries select by its labels."""

    apiVersion: Annotated[NetworkingVersion, Read("all served versions have one form")]
    kind: Annotated[Literal["WorkloadEntry"], Read("the kind")]
    spec: Annotated[WorkloadEntrySpec, Inside()]

    def endpoint(self) -> WorkloadEntrySpec:
        """As an endpoint: the object's labels stand for those that the spec doesn't give."""
        labels = {**self.metadata.labels, **self.spec.labels}
        return self.spec.model_copy(update={"labels": labels})
