//! Certificates for tests.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
    SignatureAlgorithm,
};
use rustls::{ClientConnection, ServerConnection};
use rustls_pki_types::ServerName;

use super::accept::ServerTls;
use super::connect::ClientTls;
use super::credentials::Credentials;
use crate::wire::{Kind, Problems};

/// An authority that issues certificates.
pub(super) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key, in PEM.
pub(super) struct Issued {
    pub(super) cert: String,
    pub(super) key: String,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "test authority");
        let key = KeyPair::generate().unwrap();
        Self {
            pem: params.self_signed(&key).unwrap().pem(),
            issuer: Issuer::new(params, key),
        }
    }

    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    /// For DNS names and addresses, with an ECDSA key.
    pub(super) fn issue(&self, names: &[&str]) -> Issued {
        self.sign(&named(names), &rcgen::PKCS_ECDSA_P256_SHA256)
    }

    /// For DNS names and addresses, with an RSA key.
    pub(super) fn issue_rsa(&self, names: &[&str]) -> Issued {
        self.sign(&named(names), &rcgen::PKCS_RSA_SHA256)
    }

    /// As `params` say.
    pub(super) fn sign(
        &self,
        params: &CertificateParams,
        alg: &'static SignatureAlgorithm,
    ) -> Issued {
        let key = KeyPair::generate_for(alg).unwrap();
        Issued {
            cert: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// With these URIs and nothing else.
    pub(super) fn issue_uris(&self, uris: &[&str]) -> Issued {
        self.sign(&with_uris(uris), &rcgen::PKCS_ECDSA_P256_SHA256)
    }
}

pub(super) fn named(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
}

pub(super) fn with_uris(uris: &[&str]) -> CertificateParams {
    let mut params = named(&[]);
    params.subject_alt_names = uris
        .iter()
        .map(|uri| SanType::URI((*uri).try_into().unwrap()))
        .collect();
    params
}

/// A store with each certificate under its name, and the authority as `ca`.
pub(super) fn credentials(authority: &Authority, issued: &[(&str, &Issued)]) -> Credentials {
    let mut credentials = Credentials::default();
    credentials
        .insert("ca", authority.pem().as_bytes(), None)
        .unwrap();
    for (name, issued) in issued {
        let key = Some(issued.key.as_bytes());
        credentials
            .insert(name, issued.cert.as_bytes(), key)
            .unwrap();
    }
    credentials
}

pub(super) fn problems() -> Problems {
    Problems::new(Kind::Listener, "web")
}

/// A listener's TLS with these certificates, all else default.
pub(super) fn server_wire(certificates: &[&str]) -> crate::wire::listener::Tls {
    crate::wire::listener::Tls {
        certificates: certificates.iter().map(|name| (*name).to_owned()).collect(),
        ..Default::default()
    }
}

/// A cluster's TLS that trusts the test authority, all else default.
pub(super) fn client_wire() -> crate::wire::cluster::Tls {
    crate::wire::cluster::Tls {
        ca: Some("ca".to_owned()),
        ..Default::default()
    }
}

/// Compiles a listener's TLS that must compile.
pub(super) fn server(wire: &crate::wire::listener::Tls, store: &Credentials) -> ServerTls {
    let mut problems = problems();
    let compiled = ServerTls::compile(wire, &["http/1.1"], store, &mut problems);
    compiled.unwrap_or_else(|| panic!("{problems:?}"))
}

/// Compiles a cluster's TLS that must compile.
pub(super) fn client(wire: &crate::wire::cluster::Tls, store: &Credentials) -> ClientTls {
    let mut problems = problems();
    let compiled = ClientTls::compile(wire, store, &mut problems);
    compiled.unwrap_or_else(|| panic!("{problems:?}"))
}

/// Shakes hands in memory, up to and including the tickets.
pub(super) fn shake(
    client: &ClientTls,
    server: &ServerTls,
    name: &str,
) -> Result<(ClientConnection, ServerConnection), rustls::Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::clone(&client.config), name)?;
    let mut server = ServerConnection::new(Arc::clone(&server.config))?;
    while client.wants_write() || server.wants_write() {
        let mut flight = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut flight).unwrap();
        }
        server.read_tls(&mut flight.as_slice()).unwrap();
        let verdict = server.process_new_packets();
        let mut flight = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut flight).unwrap();
        }
        let mut flight = flight.as_slice();
        while !flight.is_empty() {
            client.read_tls(&mut flight).unwrap();
            client.process_new_packets()?;
        }
        verdict?;
    }
    Ok((client, server))
}
