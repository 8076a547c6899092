//! Verification of clients' certificates: the chain by webpki, then the rules of X509-SVID where
//! the certificate carries a SPIFFE id, and the key usage that a handshake needs everywhere.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::identity::{Identity, IdentityError};
use super::provider;

/// Demands a certificate that chains to the roots it was made with.
#[derive(Debug)]
pub(super) struct PeerVerifier {
    chain: Arc<dyn ClientCertVerifier>,
}

impl PeerVerifier {
    /// Fails where `roots` is empty.
    pub(super) fn new(roots: Arc<RootCertStore>) -> Result<Self, String> {
        let chain = WebPkiClientVerifier::builder_with_provider(roots, provider::provider())
            .build()
            .map_err(|e| e.to_string())?;
        Ok(Self { chain })
    }
}

impl ClientCertVerifier for PeerVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self
            .chain
            .verify_client_cert(end_entity, intermediates, now)?;
        match Identity::from_peer(std::slice::from_ref(end_entity)) {
            // A certificate without a name still proves that its holder was let in.
            Ok(_) | Err(IdentityError::NoName) => Ok(verified),
            Err(error) => Err(refusal(error)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// The client sees `certificate_unknown`, the log the reason.
fn refusal(error: IdentityError) -> Error {
    CertificateError::Other(OtherError(Arc::new(error))).into()
}
