//! TLS origination: a cluster's TLS settings, compiled.
//!
//! The name in the upstream's certificate is always checked; there is no switch to trust anyone.
//! Sessions are resumed within one compiled configuration only.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;

use super::credentials::{Chain, Credentials};
use super::{accept, provider};
use crate::wire::Problems;
use crate::wire::cluster::Tls;
use crate::wire::listener::TlsVersion;

/// Upstream names whose sessions one configuration remembers; a cluster has few.
const SESSIONS: usize = 64;
/// An ALPN name is 1 to 255 bytes long (RFC 7301 §3.1).
const MAX_ALPN: usize = 255;

/// How a cluster's endpoints are reached by TLS.
#[derive(Debug, Clone)]
pub struct ClientTls {
    /// What rustls needs.
    pub config: Arc<ClientConfig>,
    /// The name that the certificate must carry; `None`: the endpoint's host name or address.
    pub server_name: Option<ServerName<'static>>,
}

impl ClientTls {
    /// Compiles `tls`. `None` has added a problem.
    pub fn compile(tls: &Tls, credentials: &Credentials, problems: &mut Problems) -> Option<Self> {
        let roots = roots(tls, credentials, problems);
        let chain = match &tls.certificate {
            Some(name) => accept::chain(name, "tls.certificate", credentials, problems).map(Some),
            None => Some(None),
        };
        let alpn = alpn(&tls.alpn, problems);
        let server_name = server_name(tls, problems);
        let (roots, chain, alpn, server_name) = (roots?, chain?, alpn?, server_name?);
        match config(roots, chain) {
            Ok(mut config) => {
                config.alpn_protocols = alpn;
                Some(Self {
                    config: Arc::new(config),
                    server_name,
                })
            }
            Err(message) => {
                problems.add("tls_invalid", "tls", message, "");
                None
            }
        }
    }
}

impl ClientTls {
    /// The same, but with these ALPN names. Sessions are shared: a resumed one agrees on a protocol
    /// anew (RFC 7301 §3.1, RFC 8446 §4.2.10).
    #[must_use]
    pub fn offering(&self, names: &[&str]) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = names.iter().map(|name| name.as_bytes().to_vec()).collect();
        Self {
            config: Arc::new(config),
            server_name: self.server_name.clone(),
        }
    }

    /// The name that an endpoint's certificate must carry: the configured one, the host name that
    /// the endpoint was written with, or its address. `None` for a unix socket without any.
    pub fn name_for(&self, host: Option<&str>, ip: Option<IpAddr>) -> Option<ServerName<'static>> {
        if let Some(name) = &self.server_name {
            return Some(name.clone());
        }
        match host {
            Some(host) => ServerName::try_from(host.to_owned()).ok(),
            None => ip.map(|ip| ServerName::IpAddress(ip.into())),
        }
    }
}

fn config(roots: Arc<RootCertStore>, chain: Option<Arc<Chain>>) -> Result<ClientConfig, String> {
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider::provider())
        .build()
        .map_err(|e| e.to_string())?;
    let builder = ClientConfig::builder_with_provider(provider::provider())
        .with_protocol_versions(provider::versions(TlsVersion::V1_2))
        .map_err(|e| e.to_string())?
        .with_webpki_verifier(verifier);
    let mut config = match chain {
        Some(chain) => {
            let shown = SingleCertAndKey::from(Arc::clone(&chain.certified));
            builder.with_client_cert_resolver(Arc::new(shown))
        }
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    Ok(config)
}

fn roots(
    tls: &Tls,
    credentials: &Credentials,
    problems: &mut Problems,
) -> Option<Arc<RootCertStore>> {
    if let Some(name) = &tls.ca {
        let anchors = accept::anchors(name, "tls.ca", credentials, problems)?;
        return Some(Arc::clone(&anchors.roots));
    }
    match credentials.system_roots() {
        Ok(roots) => Some(roots),
        Err(message) => {
            problems.add(
                "system_roots_missing",
                "tls",
                message,
                "set tls.ca, install the package ca-certificates, or set SSL_CERT_FILE",
            );
            None
        }
    }
}

#[expect(
    clippy::option_option,
    reason = "the outer None stands for a problem noted"
)]
fn server_name(tls: &Tls, problems: &mut Problems) -> Option<Option<ServerName<'static>>> {
    let Some(name) = &tls.server_name else {
        return Some(None);
    };
    if let Ok(name) = ServerName::try_from(name.clone()) {
        return Some(Some(name));
    }
    problems.add(
        "server_name_invalid",
        "tls.server_name",
        format!("{name:?} is neither a host name nor an IP address"),
        "",
    );
    None
}

/// ALPN names as rustls takes them, or a problem.
pub(super) fn alpn(names: &[String], problems: &mut Problems) -> Option<Vec<Vec<u8>>> {
    let bad = names
        .iter()
        .position(|name| name.is_empty() || name.len() > MAX_ALPN);
    if let Some(index) = bad {
        problems.add(
            "alpn_invalid",
            format!("tls.alpn[{index}]"),
            "an ALPN name has 1 to 255 bytes",
            "",
        );
        return None;
    }
    Some(names.iter().map(|name| name.as_bytes().to_vec()).collect())
}

#[cfg(test)]
#[path = "connect_tests.rs"]
mod tests;
