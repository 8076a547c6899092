"""Gateway: which hosts a gateway's listeners serve."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictStr

from meshcore.config.model.base import Part
from meshcore.config.sources.istio.model.metadata import Kind, NetworkingVersion
from meshcore.config.sources.istio.model.scalars import PortNumber
from meshcore.config.sources.istio.model.support import Inside, Read, Refused, To

_NO_SECRETS = "there is no store of secrets: name files instead"
_VERSIONS = Literal["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"]


class ServerPort(Part):
    """The port of a server."""

    number: Annotated[PortNumber, Read("that of a mesh: gateway listener")]
    protocol: Annotated[
        Literal[
            "HTTP", "HTTPS", "GRPC", "GRPC-WEB", "HTTP2", "TCP", "TLS", "MONGO",
            "http", "https", "grpc", "grpc-web", "http2", "tcp", "tls", "mongo",
        ],
        Read("the listener's protocol must agree"),
    ]  # fmt: skip
    name: Annotated[StrictStr, Field(min_length=1), Read("single in the Gateway")]
    targetPort: Annotated[PortNumber | None, Refused("deprecated and without effect")] = None


class CertificatePair(Part):
    """A certificate and its key."""

    serverCertificate: Annotated[StrictStr, To("listener.tls.certificates.certificate")] = ""
    privateKey: Annotated[StrictStr, To("listener.tls.certificates.key")] = ""
    caCertificates: Annotated[StrictStr, Refused("one client CA: write it beside mode")] = ""


class ServerTls(Part):
    """TLS of a server."""

    httpsRedirect: Annotated[StrictBool, To("route.redirect")] = False
    mode: Annotated[
        Literal[
            "PASSTHROUGH", "SIMPLE", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL",
            "OPTIONAL_MUTUAL",
        ]
        | None,
        To("listener.tls", "AUTO_PASSTHROUGH, ISTIO_MUTUAL and OPTIONAL_MUTUAL are refused"),
    ] = None  # fmt: skip
    serverCertificate: Annotated[StrictStr, To("listener.tls.certificates.certificate")] = ""
    privateKey: Annotated[StrictStr, To("listener.tls.certificates.key")] = ""
    caCertificates: Annotated[StrictStr, To("listener.tls.client_ca")] = ""
    caCrl: Annotated[StrictStr, Refused("revocation lists are not looked at yet")] = ""
    credentialName: Annotated[StrictStr, Refused(_NO_SECRETS)] = ""
    credentialNames: Annotated[tuple[StrictStr, ...], Refused(_NO_SECRETS)] = ()
    tlsCertificates: Annotated[
        tuple[CertificatePair, ...], Field(max_length=2), To("listener.tls.certificates")
    ] = ()
    caCertCredentialName: Annotated[StrictStr, Refused(_NO_SECRETS)] = ""
    subjectAltNames: Annotated[
        tuple[StrictStr, ...], Refused("write route conditions on the client's identity")
    ] = ()
    verifyCertificateSpki: Annotated[tuple[StrictStr, ...], Refused("not looked at yet")] = ()
    verifyCertificateHash: Annotated[tuple[StrictStr, ...], Refused("not looked at yet")] = ()
    minProtocolVersion: Annotated[
        _VERSIONS, To("listener.tls.min_version", "TLS 1.2 and 1.3; lower is refused")
    ] = "TLS_AUTO"
    maxProtocolVersion: Annotated[_VERSIONS, Read("TLSV1_3 and TLS_AUTO; lower is refused")] = (
        "TLS_AUTO"
    )
    cipherSuites: Annotated[
        tuple[StrictStr, ...], Refused("the library's list is not for changing")
    ] = ()
    insecureSkipVerify: Annotated[
        StrictBool | None, Refused("whoever is not verified could be anyone")
    ] = None


class Server(Part):
    """A port, and the hosts that are served on it."""

    port: Annotated[ServerPort, Inside()]
    bind: Annotated[StrictStr, Refused("where it listens is the listener's address")] = ""
    hosts: Annotated[tuple[StrictStr, ...], Field(min_length=1), To("route.match.host")]
    name: Annotated[StrictStr, Read("single in the Gateway")] = ""
    tls: Annotated[ServerTls | None, Inside()] = None
    defaultEndpoint: Annotated[StrictStr, Refused("Istio has not implemented it either")] = ""


class GatewaySpec(Part):
    """What a Gateway says."""

    selector: Annotated[
        dict[StrictStr, StrictStr], Read("labels that a mesh: gateway listener must have")
    ] = Field(default_factory=dict)
    servers: Annotated[tuple[Server, ...], Field(min_length=1), Inside()]


class Gateway(Kind):
    """Which hosts a gateway's listeners serve."""

    apiVersion: Annotated[NetworkingVersion, Read("all served versions have one form")]
    kind: Annotated[Literal["Gateway"], Read("the kind")]
    spec: Annotated[GatewaySpec, Inside()]
