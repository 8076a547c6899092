//! Identity: whom a peer's certificate names. Proves nothing itself; the handshake has verified
//! the chain before.

use std::fmt;

use rustls_pki_types::CertificateDer;
use thiserror::Error;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// The scheme of SPIFFE ids; written exactly so.
const SCHEME: &str = "spiffe://";
/// SPIFFE-ID §2.3: an id has at most 2048 bytes, its trust domain at most 255.
const MAX_ID: usize = 2048;
const MAX_TRUST_DOMAIN: usize = 255;

/// Whom a certificate names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    name: String,
    spiffe: Option<SpiffeId>,
    not_after: i64,
}

/// Why a certificate names nobody.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdentityError {
    /// The peer showed no certificate.
    #[error("no certificate")]
    NoCertificate,
    /// It isn't valid X.509.
    #[error("the certificate is not valid X.509")]
    Unreadable,
    /// It has neither URI nor DNS name nor common name that we can show.
    #[error("the certificate carries no usable name")]
    NoName,
    /// X509-SVID §2: exactly one URI.
    #[error("a SPIFFE certificate must carry exactly one URI")]
    SeveralUris,
    /// X509-SVID §4.1 and §4.3: a leaf is no authority.
    #[error("a SPIFFE certificate must not be a certificate authority's")]
    Authority,
    /// X509-SVID §4.3: a leaf must be allowed to sign handshakes.
    #[error("a SPIFFE certificate's key usage must include digitalSignature")]
    KeyUsage,
    /// The URI is no SPIFFE id of a workload.
    #[error("{0}")]
    Spiffe(#[from] SpiffeError),
}

/// Why a text is no SPIFFE id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SpiffeError {
    /// It doesn't begin with `spiffe://`.
    #[error("a SPIFFE id begins with spiffe://")]
    Scheme,
    /// Over 2048 bytes, or 255 of its trust domain.
    #[error("the SPIFFE id is too long")]
    TooLong,
    /// Empty, or characters other than `a-z 0-9 . - _`.
    #[error("the trust domain of a SPIFFE id is made of a-z, 0-9, '.', '-' and '_'")]
    TrustDomain,
    /// An empty, `.` or `..` segment, or characters other than `a-z A-Z 0-9 . - _`.
    #[error("the path of a SPIFFE id is made of segments of a-z, A-Z, 0-9, '.', '-' and '_'")]
    Path,
    /// The id names a trust domain where a workload was expected.
    #[error("the SPIFFE id of a workload has a path")]
    NoPath,
}

/// A SPIFFE id: `spiffe://trust-domain/path`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SpiffeId {
    text: String,
    path_at: usize,
}

impl SpiffeId {
    /// Reads an id by the rules of SPIFFE-ID §2; what they don't allow is refused, not mended.
    pub fn parse(text: &str) -> Result<Self, SpiffeError> {
        let rest = text.strip_prefix(SCHEME).ok_or(SpiffeError::Scheme)?;
        if text.len() > MAX_ID {
            return Err(SpiffeError::TooLong);
        }
        let (domain, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        if domain.len() > MAX_TRUST_DOMAIN {
            return Err(SpiffeError::TooLong);
        }
        let in_domain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
        if domain.is_empty() || !domain.bytes().all(in_domain) {
            return Err(SpiffeError::TrustDomain);
        }
        if !path.is_empty() && !path.split('/').skip(1).all(is_segment) {
            return Err(SpiffeError::Path);
        }
        Ok(Self {
            text: text.to_owned(),
            path_at: SCHEME.len() + domain.len(),
        })
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The trust domain.
    pub fn trust_domain(&self) -> &str {
        self.text.get(SCHEME.len()..self.path_at).unwrap_or("")
    }

    /// The path with its leading `/`; empty for a trust domain's own id.
    pub fn path(&self) -> &str {
        self.text.get(self.path_at..).unwrap_or("")
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_segment(segment: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    !matches!(segment, "" | "." | "..") && segment.bytes().all(allowed)
}

impl Identity {
    /// Whom the chain's leaf names: its URI, else its first DNS name, else its common name.
    /// A certificate with a SPIFFE URI must keep all rules of X509-SVID.
    pub fn from_peer(chain: &[CertificateDer<'_>]) -> Result<Self, IdentityError> {
        let leaf = chain.first().ok_or(IdentityError::NoCertificate)?;
        let (_, leaf) = X509Certificate::from_der(leaf).map_err(|_| IdentityError::Unreadable)?;
        let names = Names::of(&leaf)?;
        let spiffe = names.spiffe()?;
        if spiffe.is_some() {
            check_svid(&leaf)?;
        }
        let common = || leaf.subject().iter_common_name().next()?.as_str().ok();
        let name = names
            .uris
            .first()
            .or_else(|| names.dns.first())
            .copied()
            .or_else(|| common().filter(|name| is_printable(name)))
            .ok_or(IdentityError::NoName)?;
        Ok(Self {
            name: name.to_owned(),
            spiffe,
            not_after: leaf.validity().not_after.timestamp(),
        })
    }

    /// Its name; printable, never empty.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its SPIFFE id, if it has one.
    pub fn spiffe(&self) -> Option<&SpiffeId> {
        self.spiffe.as_ref()
    }

    /// The end of the certificate's validity in seconds of Unix time.
    pub fn not_after(&self) -> i64 {
        self.not_after
    }
}

/// The names that can be shown. One that holds NUL or another control character, and every kind
/// of name that isn't asked for here (`otherName` for example), matches nothing.
struct Names<'a> {
    uris: Vec<&'a str>,
    dns: Vec<&'a str>,
    uri_count: usize,
}

impl<'a> Names<'a> {
    fn of(leaf: &'a X509Certificate<'_>) -> Result<Self, IdentityError> {
        let mut names = Self {
            uris: Vec::new(),
            dns: Vec::new(),
            uri_count: 0,
        };
        let extension = leaf
            .subject_alternative_name()
            .map_err(|_| IdentityError::Unreadable)?;
        for name in extension.iter().flat_map(|e| &e.value.general_names) {
            match name {
                GeneralName::URI(uri) => {
                    names.uri_count += 1;
                    names.uris.extend(is_graphic(uri).then_some(*uri));
                }
                GeneralName::DNSName(dns) => names.dns.extend(is_graphic(dns).then_some(*dns)),
                _ => {}
            }
        }
        Ok(names)
    }

    fn spiffe(&self) -> Result<Option<SpiffeId>, IdentityError> {
        let is_spiffe = |uri: &&&str| {
            let scheme = uri.as_bytes().get(..SCHEME.len());
            scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME.as_bytes()))
        };
        let Some(uri) = self.uris.iter().find(is_spiffe) else {
            return Ok(None);
        };
        if self.uri_count != 1 {
            return Err(IdentityError::SeveralUris);
        }
        let id = SpiffeId::parse(uri)?;
        if id.path().is_empty() {
            return Err(SpiffeError::NoPath.into());
        }
        Ok(Some(id))
    }
}

fn check_svid(leaf: &X509Certificate<'_>) -> Result<(), IdentityError> {
    let usage = leaf.key_usage().map_err(|_| IdentityError::Unreadable)?;
    let signs_others = usage
        .as_ref()
        .is_some_and(|usage| usage.value.key_cert_sign() || usage.value.crl_sign());
    if leaf.is_ca() || signs_others {
        return Err(IdentityError::Authority);
    }
    if usage.is_some_and(|usage| !usage.value.digital_signature()) {
        return Err(IdentityError::KeyUsage);
    }
    Ok(())
}

fn is_graphic(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())
}

fn is_printable(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
