//! The system's trusted roots.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;

use super::pem;

/// Names a PEM bundle that replaces the system's; OpenSSL reads the same variable.
const VARIABLE: &str = "SSL_CERT_FILE";

/// Where distributions keep their bundle.
const BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
];

/// The roots that the system trusts, or why there are none.
pub(super) fn system() -> Result<Arc<RootCertStore>, String> {
    let path = bundle(std::env::var_os(VARIABLE))?;
    read(&path).map(Arc::new)
}

fn bundle(variable: Option<OsString>) -> Result<PathBuf, String> {
    if let Some(path) = variable.filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    let found = BUNDLES.iter().map(Path::new).find(|path| path.exists());
    found.map(Path::to_owned).ok_or_else(|| {
        format!(
            "no bundle of trusted certificates found at {}",
            BUNDLES.join(", ")
        )
    })
}

/// A root that can't be used is passed over, since others' bundles hold odd ones; none at all is
/// an error.
fn read(path: &Path) -> Result<RootCertStore, String> {
    let pem = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let certificates = pem::certificates(&pem).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(certificates);
    if usable == 0 {
        return Err(format!("{}: no usable certificate", path.display()));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_wins_and_an_empty_one_counts_as_unset() {
        assert_eq!(bundle(Some("/x/y.pem".into())), Ok("/x/y.pem".into()));
        assert_ne!(bundle(Some("".into())), Ok(PathBuf::new()));
    }

    #[test]
    fn a_missing_bundle_is_named() {
        let error = read(Path::new("/nonexistent/roots.pem")).unwrap_err();
        assert!(error.starts_with("/nonexistent/roots.pem: "), "{error}");
    }
}
