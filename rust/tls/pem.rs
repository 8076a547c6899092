//! PEM text to certificates and keys.

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::credentials::CredentialError;

/// Certificates of one credential; a bundle of public roots has about 150.
const MAX_CERTIFICATES: usize = 4096;

/// All certificates of `pem`, in their order; at least one.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CredentialError> {
    let mut found = Vec::new();
    for item in CertificateDer::pem_slice_iter(pem) {
        let certificate = item.map_err(|e| CredentialError::Pem(e.to_string()))?;
        found.push(certificate);
        if found.len() > MAX_CERTIFICATES {
            return Err(CredentialError::TooManyCertificates(MAX_CERTIFICATES));
        }
    }
    if found.is_empty() {
        return Err(CredentialError::NoCertificate);
    }
    Ok(found)
}

/// The first private key of `pem`: PKCS#8, PKCS#1 or SEC1.
pub(super) fn key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, CredentialError> {
    if is_encrypted(pem) {
        return Err(CredentialError::EncryptedKey);
    }
    match PrivateKeyDer::from_pem_slice(pem) {
        Ok(key) => Ok(key),
        Err(rustls_pki_types::pem::Error::NoItemsFound) => Err(CredentialError::NoKey),
        Err(e) => Err(CredentialError::KeyUnreadable(e.to_string())),
    }
}

/// PKCS#8's encrypted form has a label of its own, the older forms a header (RFC 1421).
fn is_encrypted(pem: &[u8]) -> bool {
    [
        &b"BEGIN ENCRYPTED PRIVATE KEY"[..],
        b"Proc-Type: 4,ENCRYPTED",
    ]
    .iter()
    .any(|mark| memchr::memmem::find(pem, mark).is_some())
}
