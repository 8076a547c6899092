"""What a proxy shall do in a scenario, said once for all peers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files of one authority and of one identity under it, valid for `localhost`."""

    ca: Path
    certificate: Path
    key: Path

    @property
    def joined(self) -> Path:
        """Return the one file with certificate and key that HAProxy wants."""
        return self.certificate.with_name("joined.pem")


@dataclass(frozen=True, slots=True)
class Plan:
    """One proxy: where it listens, where it sends, and how much it has to choose from."""

    listen: int
    target: int
    protocol: Literal["http", "tcp"] = "http"
    tls_in: Literal["none", "server", "mutual"] = "none"
    tls_out: bool = False
    #: HTTP/2 on both sides; `grpc` where a proxy tells gRPC from other HTTP/2.
    http2: bool = False
    grpc: bool = False
    certificates: Certificates | None = None
    hosts: int = 0
    routes: int = 0
    #: Routing by fields, a rate limit, circuit limits and outlier detection, none of which acts.
    policies: bool = False
    workers: int = 1
    admin: int = 0

    def pem(self) -> Certificates:
        """Return the certificates of a plan that uses TLS."""
        if self.certificates is None:
            raise ValueError("a plan with TLS needs certificates")
        return self.certificates

    def host_address(self, index: int) -> str:
        """Return the loopback address of the host's own endpoint."""
        return f"127.1.{index // 250}.{index % 250 + 1}:{self.target}"


def certificates(folder: Path) -> Certificates:
    """Make an authority and one P-256 certificate for servers and clients."""
    import trustme

    folder.mkdir(parents=True, exist_ok=True)
    made = Certificates(folder / "ca.pem", folder / "certificate.pem", folder / "key.pem")
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    leaf = authority.issue_cert("localhost", "127.0.0.1", key_type=trustme.KeyType.ECDSA)
    authority.cert_pem.write_to_path(made.ca)
    made.certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(made.key)
    made.joined.write_bytes(made.certificate.read_bytes() + made.key.read_bytes())
    return made
