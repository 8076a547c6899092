//! TLS termination: a listener's TLS settings, compiled.
//!
//! The ticket key belongs to the compiled configuration. A change of certificates or trust
//! compiles a new one, so that no session outlives the trust that it was begun with (ID-6).

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::ClientCertVerifier;

use super::credentials::{Anchors, Chain, Credential, Credentials};
use super::resolver::Resolver;
use super::verify::PeerVerifier;
use super::{connect, provider};
use crate::wire::Problems;
use crate::wire::listener::{Resumption, Tls};

/// Tickets sent after a TLS 1.3 handshake. rustls would send two, for clients that open several
/// connections at once; one costs less, and its key is ours, so that it may be shown twice.
const TICKETS: usize = 1;

/// How a listener ends TLS.
#[derive(Debug, Clone)]
pub struct ServerTls {
    /// What rustls needs.
    pub config: Arc<ServerConfig>,
    /// Whether clients must show a certificate.
    pub mutual: bool,
}

impl ServerTls {
    /// Compiles `tls`; `alpn_default` holds where it names no ALPN. `None` has added a problem.
    pub fn compile(
        tls: &Tls,
        alpn_default: &[&str],
        credentials: &Credentials,
        problems: &mut Problems,
    ) -> Option<Self> {
        let chains = chains(tls, credentials, problems);
        let verifier = verifier(tls, credentials, problems);
        let alpn = if tls.alpn.is_empty() {
            Some(
                alpn_default
                    .iter()
                    .map(|name| name.as_bytes().to_vec())
                    .collect(),
            )
        } else {
            connect::alpn(&tls.alpn, problems)
        };
        let (chains, verifier, alpn) = (chains?, verifier?, alpn?);
        let (first, others) = chains.split_first()?;
        let mutual = verifier.is_some();
        let builder = ServerConfig::builder_with_provider(provider::provider())
            .with_protocol_versions(provider::versions(tls.min_version));
        let builder = match builder {
            Ok(builder) => builder,
            Err(e) => {
                problems.add("tls_invalid", "tls", e.to_string(), "");
                return None;
            }
        };
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(Resolver::new(first, others)));
        config.alpn_protocols = alpn;
        // Our order of suites, so that a client's habit of AES-256 first doesn't set our cost.
        config.ignore_client_order = true;
        // Tickets carry the state; nothing is remembered here.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        if tls.session_resumption == Resumption::On {
            enable_tickets(&mut config, problems)?;
        }
        Some(Self {
            config: Arc::new(config),
            mutual,
        })
    }
}

fn enable_tickets(config: &mut ServerConfig, problems: &mut Problems) -> Option<()> {
    match Ticketer::new() {
        Ok(ticketer) => {
            config.ticketer = ticketer;
            config.send_tls13_tickets = TICKETS;
            Some(())
        }
        Err(e) => {
            let message = format!("no key for session tickets: {e}");
            problems.add("tls_invalid", "tls.session_resumption", message, "");
            None
        }
    }
}

fn chains(
    tls: &Tls,
    credentials: &Credentials,
    problems: &mut Problems,
) -> Option<Vec<Arc<Chain>>> {
    if tls.certificates.is_empty() {
        problems.add(
            "certificate_missing",
            "tls.certificates",
            "TLS termination needs at least one certificate",
            "add a certificate and its key",
        );
        return None;
    }
    let mut found = Vec::with_capacity(tls.certificates.len());
    for (index, name) in tls.certificates.iter().enumerate() {
        let path = format!("tls.certificates[{index}]");
        found.push(chain(name, &path, credentials, problems));
    }
    found.into_iter().collect()
}

/// `Some(None)` where clients need no certificate.
#[expect(
    clippy::option_option,
    reason = "the outer None stands for a problem noted"
)]
fn verifier(
    tls: &Tls,
    credentials: &Credentials,
    problems: &mut Problems,
) -> Option<Option<Arc<dyn ClientCertVerifier>>> {
    let Some(name) = &tls.client_ca else {
        return Some(None);
    };
    let anchors = anchors(name, "tls.client_ca", credentials, problems)?;
    match PeerVerifier::new(Arc::clone(&anchors.roots)) {
        Ok(verifier) => Some(Some(Arc::new(verifier))),
        Err(e) => {
            problems.add("credential_invalid", "tls.client_ca", e, "");
            None
        }
    }
}

/// The certificate and key `name`, or a problem at `path`.
pub(super) fn chain(
    name: &str,
    path: &str,
    credentials: &Credentials,
    problems: &mut Problems,
) -> Option<Arc<Chain>> {
    match credentials.get(name) {
        Some(Credential::Chain(chain)) => return Some(Arc::clone(chain)),
        Some(Credential::Anchors(_)) => problems.add(
            "credential_kind",
            path,
            format!("credential {name:?} has no private key"),
            "name a certificate together with its key",
        ),
        None => unknown(name, path, problems),
    }
    None
}

/// The trusted certificates `name`, or a problem at `path`.
pub(super) fn anchors(
    name: &str,
    path: &str,
    credentials: &Credentials,
    problems: &mut Problems,
) -> Option<Arc<Anchors>> {
    match credentials.get(name) {
        Some(Credential::Anchors(anchors)) => return Some(Arc::clone(anchors)),
        Some(Credential::Chain(_)) => problems.add(
            "credential_kind",
            path,
            format!("credential {name:?} is a certificate with a key, not a set to trust"),
            "name a PEM file with the certificates of the authorities to trust",
        ),
        None => unknown(name, path, problems),
    }
    None
}

fn unknown(name: &str, path: &str, problems: &mut Problems) {
    problems.add(
        "credential_unknown",
        path,
        format!("there is no credential {name:?}"),
        "",
    );
}

#[cfg(test)]
#[path = "accept_tests.rs"]
mod tests;
