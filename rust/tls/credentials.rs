//! Credentials: what we show and what we trust, by the names that resources refer to them by.
//!
//! Keys and certificates never travel in resources. Nothing here prints a key.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use rustls::RootCertStore;
use rustls::SignatureAlgorithm;
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;
use thiserror::Error;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::{pem, provider, roots};

/// Why a credential is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CredentialError {
    /// The text isn't well-formed PEM.
    #[error("the PEM text is malformed: {0}")]
    Pem(String),
    /// There is no `BEGIN CERTIFICATE` in it.
    #[error("no certificate in the PEM text")]
    NoCertificate,
    /// More certificates than anyone needs.
    #[error("more than {0} certificates")]
    TooManyCertificates(usize),
    /// A certificate isn't valid X.509.
    #[error("certificate {0} of the PEM text is not valid X.509: {1}")]
    CertificateUnreadable(usize, String),
    /// There is no private key in it.
    #[error("no private key in the PEM text")]
    NoKey,
    /// The key can't be used.
    #[error("the private key is unreadable: {0}")]
    KeyUnreadable(String),
    /// The key asks for a password.
    #[error("the private key is encrypted")]
    EncryptedKey,
    /// Certificate and key are no pair.
    #[error("the private key does not belong to the (first) certificate")]
    KeyMismatch,
}

impl CredentialError {
    /// What to do about it; may be empty.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Pem(_) => "a PEM file has matching lines -----BEGIN …----- and -----END …-----",
            Self::NoCertificate => "is it the key's file, or DER? DER: openssl x509 -inform der",
            Self::NoKey => "PKCS#8, PKCS#1 and SEC1 are read; DER: openssl pkey -inform der",
            Self::EncryptedKey => "decrypt it: openssl pkey -in encrypted.pem -out plain.pem",
            Self::KeyMismatch => "the leaf's certificate comes first; is the key a renewed one?",
            Self::TooManyCertificates(_)
            | Self::CertificateUnreadable(..)
            | Self::KeyUnreadable(_) => "",
        }
    }
}

/// What we show: a certificate chain and its key.
#[derive(Debug)]
pub struct Chain {
    pub(super) certified: Arc<CertifiedKey>,
    names: Vec<String>,
    not_after: i64,
}

/// What we trust: certificate authorities.
#[derive(Debug)]
pub struct Anchors {
    pub(super) roots: Arc<RootCertStore>,
    not_after: i64,
}

/// One credential.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A certificate chain with its key.
    Chain(Arc<Chain>),
    /// Certificates to trust.
    Anchors(Arc<Anchors>),
}

/// All credentials, by name.
#[derive(Debug, Default)]
pub struct Credentials {
    by_name: HashMap<String, Credential>,
    system: OnceLock<Result<Arc<RootCertStore>, String>>,
}

impl Credentials {
    /// Adds or replaces the credential `name`: with a key it is what we show, without what we trust.
    /// An expired certificate is accepted, since clocks and renewals are mended while we run;
    /// `Credential::not_after` tells.
    pub fn insert(
        &mut self,
        name: &str,
        cert_pem: &[u8],
        key_pem: Option<&[u8]>,
    ) -> Result<(), CredentialError> {
        let certificates = pem::certificates(cert_pem)?;
        let credential = match key_pem {
            Some(key_pem) => Credential::Chain(Arc::new(Chain::new(certificates, key_pem)?)),
            None => Credential::Anchors(Arc::new(Anchors::new(&certificates)?)),
        };
        self.by_name.insert(name.to_owned(), credential);
        Ok(())
    }

    /// The credential `name`.
    pub fn get(&self, name: &str) -> Option<&Credential> {
        self.by_name.get(name)
    }

    /// Forgets every credential whose name `keep` refuses. Compiled configurations keep theirs.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.by_name.retain(|name, _| keep(name));
    }

    /// The names of all credentials, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// The system's roots, read at the first call and kept as long as this store.
    pub(super) fn system_roots(&self) -> Result<Arc<RootCertStore>, String> {
        self.system.get_or_init(roots::system).clone()
    }
}

impl Credential {
    /// The end of its validity in seconds of Unix time; of several trusted certificates the
    /// earliest.
    pub fn not_after(&self) -> i64 {
        match self {
            Self::Chain(chain) => chain.not_after,
            Self::Anchors(anchors) => anchors.not_after,
        }
    }
}

impl Chain {
    fn new(
        certificates: Vec<CertificateDer<'static>>,
        key_pem: &[u8],
    ) -> Result<Self, CredentialError> {
        let (names, not_after) = {
            let leaf = certificates.first().ok_or(CredentialError::NoCertificate)?;
            let leaf = parse(leaf, 1)?;
            (dns_names(&leaf), leaf.validity().not_after.timestamp())
        };
        let key = provider::provider()
            .key_provider
            .load_private_key(pem::key(key_pem)?)
            .map_err(|e| CredentialError::KeyUnreadable(e.to_string()))?;
        let certified = CertifiedKey::new(certificates, key);
        match certified.keys_match() {
            Ok(()) => {}
            Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
                return Err(CredentialError::KeyMismatch);
            }
            Err(e) => return Err(CredentialError::KeyUnreadable(e.to_string())),
        }
        Ok(Self {
            certified: Arc::new(certified),
            names,
            not_after,
        })
    }

    /// The DNS names it covers, in lower case, wildcards as `*.example.com`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether its key is of RSA, and so the dear choice.
    pub fn is_rsa(&self) -> bool {
        self.certified.key.algorithm() == SignatureAlgorithm::RSA
    }
}

impl Anchors {
    fn new(certificates: &[CertificateDer<'static>]) -> Result<Self, CredentialError> {
        let mut roots = RootCertStore::empty();
        let mut not_after = i64::MAX;
        for (index, der) in certificates.iter().enumerate() {
            let parsed = parse(der, index + 1)?;
            not_after = not_after.min(parsed.validity().not_after.timestamp());
            roots
                .add(der.clone())
                .map_err(|e| CredentialError::CertificateUnreadable(index + 1, e.to_string()))?;
        }
        Ok(Self {
            roots: Arc::new(roots),
            not_after,
        })
    }
}

fn parse<'a>(
    der: &'a CertificateDer<'_>,
    position: usize,
) -> Result<X509Certificate<'a>, CredentialError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err(CredentialError::CertificateUnreadable(
            position,
            "bytes after its end".to_owned(),
        )),
        Err(e) => Err(CredentialError::CertificateUnreadable(
            position,
            e.to_string(),
        )),
    }
}

/// The DNS names of the subject alternative names; where there is none, the common name, as
/// servers of old certificates choose by it. (Clients don't accept it, nor do we as a client.)
fn dns_names(leaf: &X509Certificate<'_>) -> Vec<String> {
    let alternative = leaf.subject_alternative_name().ok().flatten();
    let mut names: Vec<String> = alternative
        .iter()
        .flat_map(|extension| &extension.value.general_names)
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .collect();
    if names.is_empty() {
        let common = leaf.subject().iter_common_name().next();
        names.extend(common.and_then(|name| Some(name.as_str().ok()?.to_ascii_lowercase())));
    }
    names
}

#[cfg(test)]
#[path = "credentials_tests.rs"]
mod tests;
