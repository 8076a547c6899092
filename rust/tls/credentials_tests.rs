use super::super::fixtures::{Authority, credentials, named};
use super::*;

fn insert(cert: &str, key: Option<&str>) -> Result<Credentials, CredentialError> {
    let mut store = Credentials::default();
    store.insert("x", cert.as_bytes(), key.map(str::as_bytes))?;
    Ok(store)
}

#[test]
fn a_pair_tells_its_names_and_kind_of_key() {
    let ca = Authority::new();
    let (ecdsa, rsa) = (ca.issue(&["A.test", "*.b.test"]), ca.issue_rsa(&["a.test"]));
    let store = credentials(&ca, &[("ecdsa", &ecdsa), ("rsa", &rsa)]);
    let Some(Credential::Chain(chain)) = store.get("ecdsa") else {
        panic!("no chain");
    };
    assert_eq!(chain.names(), ["a.test", "*.b.test"]);
    assert!(!chain.is_rsa());
    assert!(matches!(store.get("rsa"), Some(Credential::Chain(chain)) if chain.is_rsa()));
    assert!(matches!(store.get("ca"), Some(Credential::Anchors(_))));
}

#[test]
fn a_pair_may_stand_in_one_text() {
    let issued = Authority::new().issue(&["a.test"]);
    let both = format!("{}{}", issued.key, issued.cert);
    assert!(insert(&both, Some(&both)).is_ok());
}

#[test]
fn another_certificates_key_is_refused() {
    let ca = Authority::new();
    let (a, b, rsa) = (ca.issue(&["a"]), ca.issue(&["b"]), ca.issue_rsa(&["c"]));
    assert_eq!(
        insert(&a.cert, Some(&b.key)).unwrap_err(),
        CredentialError::KeyMismatch
    );
    assert_eq!(
        insert(&a.cert, Some(&rsa.key)).unwrap_err(),
        CredentialError::KeyMismatch
    );
}

#[test]
fn what_is_missing_or_broken_is_named() {
    let issued = Authority::new().issue(&["a"]);
    let error = |cert: &str, key| insert(cert, key).unwrap_err();
    assert_eq!(error("", None), CredentialError::NoCertificate);
    assert_eq!(error(&issued.key, None), CredentialError::NoCertificate);
    assert_eq!(error(&issued.cert, Some("")), CredentialError::NoKey);
    assert_eq!(
        error(&issued.cert, Some(&issued.cert)),
        CredentialError::NoKey
    );
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----";
    assert_eq!(
        error(&issued.cert, Some(encrypted)),
        CredentialError::EncryptedKey
    );
    let older = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----";
    assert_eq!(
        error(&issued.cert, Some(older)),
        CredentialError::EncryptedKey
    );
    let no_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(
        error(no_der, None),
        CredentialError::CertificateUnreadable(1, _)
    ));
    let second = format!("{}{no_der}", issued.cert);
    assert!(matches!(
        error(&second, None),
        CredentialError::CertificateUnreadable(2, _)
    ));
    let cut = issued.cert.replace("-----END", "----");
    assert!(matches!(error(&cut, None), CredentialError::Pem(_)));
    let no_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let error = error(&issued.cert, Some(no_key));
    assert!(matches!(error, CredentialError::KeyUnreadable(_)));
    assert!(!error.to_string().contains("AAAA"), "{error}");
}

#[test]
fn an_expired_certificate_is_kept_and_tells_it() {
    let mut params = named(&["a"]);
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2001, 1, 2);
    let issued = Authority::new().sign(&params, &rcgen::PKCS_ECDSA_P256_SHA256);
    let store = insert(&issued.cert, Some(&issued.key)).unwrap();
    assert_eq!(store.get("x").map(Credential::not_after), Some(978_393_600));
}

#[test]
fn retain_forgets_the_others() {
    let ca = Authority::new();
    let mut store = credentials(&ca, &[("a", &ca.issue(&["a"])), ("b", &ca.issue(&["b"]))]);
    store.retain(|name| name != "a");
    let mut left: Vec<_> = store.names().collect();
    left.sort_unstable();
    assert_eq!(left, ["b", "ca"]);
}
