//! The generator's TLS: whom it trusts, what it shows, and never a resumed session.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use crate::options::TlsFiles;

/// A client configuration with one suite and one curve, so that all peers do the same work.
pub(crate) fn client(files: &TlsFiles) -> Result<(Arc<ClientConfig>, ServerName<'static>), String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&files.ca)? {
        roots
            .add(certificate)
            .map_err(|error| format!("{}: {error}", files.ca))?;
    }
    let provider = CryptoProvider {
        cipher_suites: vec![
            aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256,
            aws_lc_rs::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        ],
        kx_groups: vec![aws_lc_rs::kx_group::X25519],
        ..aws_lc_rs::default_provider()
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let mut config = match (&files.certificate, &files.key) {
        (Some(chain), Some(key)) => {
            let key =
                PrivateKeyDer::from_pem_file(key).map_err(|error| format!("{key}: {error}"))?;
            builder
                .with_client_auth_cert(certificates(chain)?, key)
                .map_err(|error| format!("{chain}: {error}"))?
        }
        (None, None) => builder.with_no_client_auth(),
        _ => return Err("--certificate and --key go together".to_owned()),
    };
    config.resumption = Resumption::disabled();
    let name = ServerName::try_from(files.server_name.clone())
        .map_err(|error| format!("{}: {error}", files.server_name))?;
    Ok((Arc::new(config), name))
}

fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_file_iter(path)
        .map_err(|error| format!("{path}: {error}"))?
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{path}: {error}"))
}
