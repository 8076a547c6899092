"""Certificates of an authority of the test's own."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

import trustme


@dataclass(slots=True)
class Pair:
    """Files of one certificate."""

    certificate: Path
    key: Path
    leaf: trustme.LeafCert

    @property
    def document(self) -> dict[str, str]:
        """As the document names it."""
        return {"certificate": str(self.certificate), "key": str(self.key)}


@dataclass(slots=True)
class Authority:
    """Signs leaf certificates and writes them below `folder`."""

    folder: Path
    ca: trustme.CA = field(default_factory=trustme.CA)

    @property
    def roots(self) -> Path:
        """The file of its own certificate."""
        path = self.folder / f"ca-{id(self):x}.pem"
        self.ca.cert_pem.write_to_path(path)
        return path

    def pair(
        self,
        *names: str,
        file: str = "leaf",
        key_type: trustme.KeyType = trustme.KeyType.ECDSA,
    ) -> Pair:
        """A certificate for these names, written over what stands in `file`."""
        leaf = self.ca.issue_cert(*names, key_type=key_type)
        pair = Pair(self.folder / f"{file}.pem", self.folder / f"{file}.key", leaf)
        # Key first: whoever watches the certificate finds its pair complete.
        leaf.private_key_pem.write_to_path(pair.key)
        chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        pair.certificate.write_bytes(chain)
        return pair

    def client(self, pair: Pair | None = None, *alpn: str) -> ssl.SSLContext:
        """A client that trusts this authority, and shows `pair` when asked."""
        context = ssl.create_default_context()
        self.ca.configure_trust(context)
        if pair is not None:
            pair.leaf.configure_cert(context)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context

    def server(self, pair: Pair, *, mutual: bool = False) -> ssl.SSLContext:
        """A server that shows `pair`, and demands a client's certificate where `mutual`."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        pair.leaf.configure_cert(context)
        if mutual:
            context.verify_mode = ssl.CERT_REQUIRED
            self.ca.configure_trust(context)
        return context
