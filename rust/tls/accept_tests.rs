use rustls::{
    AlertDescription, CipherSuite, HandshakeKind, NamedGroup, ProtocolVersion, ServerConnection,
    SignatureScheme,
};

use super::*;
use crate::tls::connect::ClientTls;
use crate::tls::fixtures::{
    Authority, Issued, client, client_wire, credentials, problems, server, server_wire, shake,
    with_uris,
};
use crate::tls::identity::Identity;
use crate::wire::listener::TlsVersion;

/// A mesh of one authority: `server` for `a.test`, `peer` for a SPIFFE id.
fn mesh() -> Credentials {
    let ca = Authority::new();
    let (server, peer) = (ca.issue(&["a.test"]), ca.issue_uris(&["spiffe://a/ns/x"]));
    credentials(&ca, &[("server", &server), ("peer", &peer)])
}

fn mutual() -> Tls {
    Tls {
        client_ca: Some("ca".to_owned()),
        ..server_wire(&["server"])
    }
}

fn showing(certificate: &str) -> crate::wire::cluster::Tls {
    crate::wire::cluster::Tls {
        certificate: Some(certificate.to_owned()),
        ..client_wire()
    }
}

#[test]
fn the_certificate_follows_the_server_name() {
    let ca = Authority::new();
    let names = [
        vec!["first.test"],
        vec!["exact.w.test"],
        vec!["*.w.test", "W.TEST"],
    ];
    let issued: Vec<Issued> = names.iter().map(|names| ca.issue(names)).collect();
    let keys = ["0", "1", "2"];
    let named: Vec<(&str, &Issued)> = keys.into_iter().zip(&issued).collect();
    let store = credentials(&ca, &named);
    let server = server(&server_wire(&keys), &store);
    let client = client(&client_wire(), &store);
    for name in [
        "first.test",
        "exact.w.test",
        "other.w.test",
        "OTHER.w.test",
        "w.test",
    ] {
        assert!(shake(&client, &server, name).is_ok(), "{name}");
    }
    for name in ["a.b.w.test", "unknown.test", "127.0.0.1"] {
        assert!(shake(&client, &server, name).is_err(), "{name}");
    }
}

#[test]
fn ecdsa_is_preferred_where_the_client_takes_it() {
    let ca = Authority::new();
    let (rsa, ecdsa) = (ca.issue_rsa(&["a.test"]), ca.issue(&["a.test"]));
    let store = credentials(&ca, &[("rsa", &rsa), ("ecdsa", &ecdsa)]);
    let mut problems = problems();
    let chains = chains(&server_wire(&["rsa", "ecdsa"]), &store, &mut problems).unwrap();
    let resolver = Resolver::new(&chains[0], &chains[1..]);
    let chosen = |sni, schemes: &[SignatureScheme]| {
        let chosen = resolver.choose(sni, schemes).unwrap();
        Arc::ptr_eq(&chosen, &chains[0].certified)
    };
    for sni in [Some("a.test"), Some("unknown.test"), None] {
        let both = [
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::ECDSA_NISTP256_SHA256,
        ];
        assert!(!chosen(sni, &both), "both: ECDSA");
        assert!(chosen(sni, &both[..1]), "RSA alone: RSA");
        assert!(
            !chosen(sni, &[SignatureScheme::ED448]),
            "neither: the first"
        );
    }
}

#[test]
fn a_client_with_rsa_alone_is_served_rsa() {
    let ca = Authority::new();
    let rsa = ca.issue_rsa(&["a.test"]);
    let store = credentials(&ca, &[("rsa", &rsa)]);
    let done = shake(
        &client(&client_wire(), &store),
        &server(&server_wire(&["rsa"]), &store),
        "a.test",
    );
    assert!(done.is_ok());
}

#[test]
fn what_is_agreed_on_by_default() {
    let store = mesh();
    let wire = crate::wire::cluster::Tls {
        alpn: vec!["h2".to_owned(), "http/1.1".to_owned()],
        ..client_wire()
    };
    let (_, server) = shake(
        &client(&wire, &store),
        &server(&server_wire(&["server"]), &store),
        "a.test",
    )
    .unwrap();
    let group = server
        .negotiated_key_exchange_group()
        .map(rustls::crypto::SupportedKxGroup::name);
    let suite = server.negotiated_cipher_suite().map(|suite| suite.suite());
    assert_eq!(group, Some(NamedGroup::X25519MLKEM768));
    assert_eq!(suite, Some(CipherSuite::TLS13_AES_128_GCM_SHA256));
    assert_eq!(server.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(server.alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[test]
fn unknown_application_protocols_alone_are_refused() {
    let store = mesh();
    let wire = crate::wire::cluster::Tls {
        alpn: vec!["spdy/1".to_owned()],
        ..client_wire()
    };
    let refused = shake(
        &client(&wire, &store),
        &server(&server_wire(&["server"]), &store),
        "a.test",
    );
    let alert = rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol);
    assert_eq!(refused.err(), Some(alert));
}

#[test]
fn the_lowest_version_holds() {
    let store = mesh();
    let mut old = client(&client_wire(), &store);
    let only_12 = rustls::ClientConfig::builder_with_provider(provider::provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(match store.get("ca") {
            Some(Credential::Anchors(anchors)) => Arc::clone(&anchors.roots),
            _ => panic!("no roots"),
        })
        .with_no_client_auth();
    old.config = Arc::new(only_12);
    let wire = |min_version| Tls {
        min_version,
        ..server_wire(&["server"])
    };
    let (_, done) = shake(&old, &server(&wire(TlsVersion::V1_2), &store), "a.test").unwrap();
    assert_eq!(done.protocol_version(), Some(ProtocolVersion::TLSv1_2));
    let refused = shake(&old, &server(&wire(TlsVersion::V1_3), &store), "a.test");
    let alert = rustls::Error::AlertReceived(AlertDescription::ProtocolVersion);
    assert_eq!(refused.err(), Some(alert));
}

fn kind(client: &ClientTls, server: &ServerTls) -> Option<HandshakeKind> {
    let (_, server) = shake(client, server, "a.test").unwrap();
    server.handshake_kind()
}

#[test]
fn sessions_are_resumed_until_the_configuration_changes() {
    let store = mesh();
    let client = client(&client_wire(), &store);
    let before = server(&server_wire(&["server"]), &store);
    assert_eq!(kind(&client, &before), Some(HandshakeKind::Full));
    assert_eq!(kind(&client, &before), Some(HandshakeKind::Resumed));
    let after = server(&server_wire(&["server"]), &store);
    assert_eq!(kind(&client, &after), Some(HandshakeKind::Full));
    assert_eq!(kind(&client, &after), Some(HandshakeKind::Resumed));
}

#[test]
fn sessions_are_not_resumed_where_that_is_off() {
    let store = mesh();
    let client = client(&client_wire(), &store);
    let wire = Tls {
        session_resumption: Resumption::Off,
        ..server_wire(&["server"])
    };
    let server = server(&wire, &store);
    assert_eq!(kind(&client, &server), Some(HandshakeKind::Full));
    assert_eq!(kind(&client, &server), Some(HandshakeKind::Full));
}

fn name(server: &ServerConnection) -> Option<String> {
    let chain = server.peer_certificates()?;
    Some(Identity::from_peer(chain).ok()?.name().to_owned())
}

#[test]
fn mutual_tls_proves_who_the_client_is_resumed_or_not() {
    let store = mesh();
    let (client, server) = (client(&showing("peer"), &store), server(&mutual(), &store));
    assert!(server.mutual);
    for _ in 0..2 {
        let (_, server) = shake(&client, &server, "a.test").unwrap();
        assert_eq!(name(&server).as_deref(), Some("spiffe://a/ns/x"));
    }
    assert_eq!(kind(&client, &server), Some(HandshakeKind::Resumed));
}

#[test]
fn mutual_tls_refuses_none_and_strangers() {
    let store = mesh();
    let server = server(&mutual(), &store);
    let none = shake(&client(&client_wire(), &store), &server, "a.test");
    let alert = rustls::Error::AlertReceived(AlertDescription::CertificateRequired);
    assert_eq!(none.err(), Some(alert));
    let ca = Authority::new();
    let stranger = ca.issue_uris(&["spiffe://a/ns/x"]);
    let mut theirs = mesh();
    let key = Some(stranger.key.as_bytes());
    theirs
        .insert("stranger", stranger.cert.as_bytes(), key)
        .unwrap();
    let mut strange = client(&showing("stranger"), &theirs);
    strange.config = {
        // Trusts our server, so that the server's verdict is what ends the handshake.
        let mut config = (*client(&client_wire(), &store).config).clone();
        config.client_auth_cert_resolver = Arc::clone(&strange.config.client_auth_cert_resolver);
        Arc::new(config)
    };
    let refused = shake(&strange, &server, "a.test").err();
    // Both authorities have the same name, so that only the signature tells them apart.
    let alert = rustls::Error::AlertReceived(AlertDescription::DecryptError);
    assert_eq!(refused, Some(alert));
}

#[test]
fn mutual_tls_keeps_the_rules_of_svids() {
    let ca = Authority::new();
    let mut both = with_uris(&["spiffe://a/x"]);
    both.subject_alt_names
        .extend(with_uris(&["spiffe://a/y"]).subject_alt_names);
    let two = ca.sign(&both, &rcgen::PKCS_ECDSA_P256_SHA256);
    let store = credentials(&ca, &[("server", &ca.issue(&["a.test"])), ("two", &two)]);
    let refused = shake(
        &client(&showing("two"), &store),
        &server(&mutual(), &store),
        "a.test",
    );
    let alert = rustls::Error::AlertReceived(AlertDescription::CertificateUnknown);
    assert_eq!(refused.err(), Some(alert));
}

#[test]
fn all_problems_are_told_at_once() {
    let store = mesh();
    let wire = Tls {
        certificates: vec!["nowhere".to_owned(), "ca".to_owned(), "server".to_owned()],
        client_ca: Some("server".to_owned()),
        alpn: vec!["h2".to_owned(), String::new()],
        ..Tls::default()
    };
    let mut problems = problems();
    assert!(ServerTls::compile(&wire, &[], &store, &mut problems).is_none());
    let found = problems.into_vec();
    let found: Vec<_> = found.iter().map(|p| (p.code, p.path.as_str())).collect();
    assert_eq!(
        found,
        [
            ("credential_unknown", "tls.certificates[0]"),
            ("credential_kind", "tls.certificates[1]"),
            ("credential_kind", "tls.client_ca"),
            ("alpn_invalid", "tls.alpn[1]"),
        ]
    );
}

#[test]
fn termination_without_a_certificate_is_a_problem() {
    let mut problems = problems();
    assert!(ServerTls::compile(&Tls::default(), &[], &mesh(), &mut problems).is_none());
    assert_eq!(problems.into_vec()[0].code, "certificate_missing");
}
