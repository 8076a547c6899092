use rcgen::{CertificateParams, DnType, IsCa, KeyUsagePurpose, SanType};
use rustls_pki_types::pem::PemObject;

use super::super::fixtures::{Authority, named, with_uris};
use super::*;

fn identity(params: &CertificateParams) -> Result<Identity, IdentityError> {
    let issued = Authority::new().sign(params, &rcgen::PKCS_ECDSA_P256_SHA256);
    let der = CertificateDer::from_pem_slice(issued.cert.as_bytes()).unwrap();
    Identity::from_peer(&[der])
}

#[test]
fn ids_that_the_specification_allows() {
    for (text, domain, path) in [
        ("spiffe://a", "a", ""),
        (
            "spiffe://cluster.local/ns/prod/sa/web",
            "cluster.local",
            "/ns/prod/sa/web",
        ),
        ("spiffe://a_b-c.9/X/y.Z/...", "a_b-c.9", "/X/y.Z/..."),
        ("spiffe://1.2.3.4/9", "1.2.3.4", "/9"),
    ] {
        let id = SpiffeId::parse(text).unwrap();
        assert_eq!(
            (id.trust_domain(), id.path(), id.as_str()),
            (domain, path, text)
        );
    }
}

#[test]
fn ids_that_it_forbids() {
    use SpiffeError::{Path, Scheme, TrustDomain};
    for (text, error) in [
        ("", Scheme),
        ("spiffe:", Scheme),
        ("spiffe:/a/b", Scheme),
        ("http://a/b", Scheme),
        ("SPIFFE://a/b", Scheme),
        (" spiffe://a/b", Scheme),
        ("spiffe://", TrustDomain),
        ("spiffe:///b", TrustDomain),
        ("spiffe://A/b", TrustDomain),
        ("spiffe://a:80/b", TrustDomain),
        ("spiffe://u@a/b", TrustDomain),
        ("spiffe://[::1]/b", TrustDomain),
        ("spiffe://ä/b", TrustDomain),
        ("spiffe://a%41/b", TrustDomain),
        ("spiffe://a?q", TrustDomain),
        ("spiffe://a#f", TrustDomain),
        ("spiffe://a\0/b", TrustDomain),
        ("spiffe://a/", Path),
        ("spiffe://a/b/", Path),
        ("spiffe://a//b", Path),
        ("spiffe://a/./b", Path),
        ("spiffe://a/..", Path),
        ("spiffe://a/b%2fc", Path),
        ("spiffe://a/b?q=1", Path),
        ("spiffe://a/b#f", Path),
        ("spiffe://a/b c", Path),
        ("spiffe://a/ü", Path),
        ("spiffe://a/b\n", Path),
        ("spiffe://a/b\0c", Path),
    ] {
        assert_eq!(SpiffeId::parse(text), Err(error), "{text:?}");
    }
}

#[test]
fn ids_are_bounded() {
    let id = |domain: usize, path: usize| {
        SpiffeId::parse(&format!(
            "spiffe://{}/{}",
            "d".repeat(domain),
            "p".repeat(path)
        ))
    };
    assert!(id(255, 2048 - 9 - 255 - 1).is_ok());
    assert_eq!(id(256, 1), Err(SpiffeError::TooLong));
    assert_eq!(id(255, 2048 - 9 - 255), Err(SpiffeError::TooLong));
}

#[test]
fn a_workloads_certificate_names_it() {
    let found = identity(&with_uris(&["spiffe://a/ns/x"])).unwrap();
    assert_eq!(found.name(), "spiffe://a/ns/x");
    assert_eq!(found.spiffe().map(SpiffeId::path), Some("/ns/x"));
}

#[test]
fn the_rules_of_svids_are_kept() {
    use IdentityError::{Authority as IsAuthority, KeyUsage, SeveralUris, Spiffe};
    let refused = |change: fn(&mut CertificateParams)| {
        let mut params = with_uris(&["spiffe://a/b"]);
        change(&mut params);
        identity(&params).unwrap_err()
    };
    assert_eq!(
        refused(|p| p
            .subject_alt_names
            .push(SanType::URI("http://x".try_into().unwrap()))),
        SeveralUris
    );
    assert_eq!(
        refused(|p| p.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained)),
        IsAuthority
    );
    assert_eq!(
        refused(|p| {
            p.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::CrlSign];
        }),
        IsAuthority
    );
    assert_eq!(
        refused(|p| p.key_usages = vec![KeyUsagePurpose::KeyAgreement]),
        KeyUsage
    );
    assert_eq!(
        identity(&with_uris(&["spiffe://a"])),
        Err(Spiffe(SpiffeError::NoPath))
    );
    assert_eq!(
        identity(&with_uris(&["Spiffe://a/b"])),
        Err(Spiffe(SpiffeError::Scheme))
    );
    assert_eq!(
        identity(&with_uris(&["spiffe://a/b/"])),
        Err(Spiffe(SpiffeError::Path))
    );
}

#[test]
fn other_certificates_are_named_by_uri_then_dns_then_common_name() {
    let mut params = named(&["one.test", "two.test"]);
    params
        .distinguished_name
        .push(DnType::CommonName, "common name");
    assert_eq!(identity(&params).unwrap().name(), "one.test");
    params
        .subject_alt_names
        .push(SanType::URI("urn:x".try_into().unwrap()));
    let found = identity(&params).unwrap();
    assert_eq!((found.name(), found.spiffe()), ("urn:x", None));
    params.subject_alt_names.clear();
    assert_eq!(identity(&params).unwrap().name(), "common name");
}

#[test]
fn names_that_could_deceive_match_nothing() {
    let mut params = named(&[]);
    params.subject_alt_names = vec![
        SanType::OtherName((
            vec![1, 3, 6, 1],
            rcgen::OtherNameValue::Utf8String("x".into()),
        )),
        SanType::DnsName("good.test\0.evil.test".try_into().unwrap()),
        SanType::URI("spiffe://a/b\0".try_into().unwrap()),
    ];
    assert_eq!(identity(&params), Err(IdentityError::NoName));
    params
        .subject_alt_names
        .push(SanType::DnsName("plain.test".try_into().unwrap()));
    assert_eq!(identity(&params).unwrap().name(), "plain.test");
    assert_eq!(Identity::from_peer(&[]), Err(IdentityError::NoCertificate));
    assert_eq!(
        Identity::from_peer(&[CertificateDer::from(vec![0x30, 0x80, 0])]),
        Err(IdentityError::Unreadable)
    );
}
