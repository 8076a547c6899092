//! Which certificate a client is shown: by its SNI, then by the signatures it accepts.
//!
//! An exact name wins over a wildcard, which stands for one label. A name that no certificate
//! covers, and a client without SNI, get the default (the first credential of the listener), as
//! nginx and Envoy do: the client's own name check refuses it if it is wrong. Among certificates
//! for the same name ECDSA and Ed25519 are preferred, as they cost far less to sign with.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::credentials::Chain;

/// Certificates for one name, best first; never empty.
type Choices = Vec<Arc<CertifiedKey>>;

/// The certificates of one listener.
#[derive(Debug)]
pub(super) struct Resolver {
    exact: HashMap<String, Choices>,
    /// By what follows the `*.`.
    wildcard: HashMap<String, Choices>,
    default: Choices,
}

impl Resolver {
    /// `first` is the default, with those of the others that carry the same names.
    pub(super) fn new(first: &Arc<Chain>, others: &[Arc<Chain>]) -> Self {
        let mut chains = vec![first];
        chains.extend(others);
        // Stable: within a kind of key the listener's order decides.
        chains.sort_by_key(|chain| chain.is_rsa());
        let mut resolver = Self {
            exact: HashMap::new(),
            wildcard: HashMap::new(),
            default: Vec::new(),
        };
        for chain in chains {
            if chain.names() == first.names() {
                resolver.default.push(Arc::clone(&chain.certified));
            }
            for name in chain.names() {
                let (map, key) = match name.strip_prefix("*.") {
                    Some(suffix) => (&mut resolver.wildcard, suffix),
                    None => (&mut resolver.exact, name.as_str()),
                };
                let choices = map.entry(key.to_owned()).or_default();
                choices.push(Arc::clone(&chain.certified));
            }
        }
        resolver
    }

    fn choices(&self, sni: Option<&str>) -> &Choices {
        let Some(sni) = sni else {
            return &self.default;
        };
        let name = if sni.bytes().any(|b| b.is_ascii_uppercase()) {
            Cow::Owned(sni.to_ascii_lowercase())
        } else {
            Cow::Borrowed(sni)
        };
        let by_wildcard = || {
            let (_, suffix) = name.split_once('.')?;
            self.wildcard.get(suffix)
        };
        self.exact
            .get(name.as_ref())
            .or_else(by_wildcard)
            .unwrap_or(&self.default)
    }

    /// The first choice that signs as the client wants it. Where none does, the first of all:
    /// the handshake then fails with the alert that says so.
    pub(super) fn choose(
        &self,
        sni: Option<&str>,
        schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        let choices = self.choices(sni);
        choices
            .iter()
            .find(|choice| choice.key.choose_scheme(schemes).is_some())
            .or_else(|| choices.first())
            .cloned()
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name(), hello.signature_schemes())
    }
}
