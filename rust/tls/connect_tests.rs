use rustls::{CertificateError, Error, HandshakeKind};

use super::*;
use crate::tls::fixtures::{
    Authority, client, client_wire, credentials, problems, server, server_wire, shake,
};

fn store() -> Credentials {
    let ca = Authority::new();
    let issued = ca.issue(&["a.test", "127.0.0.1"]);
    credentials(&ca, &[("server", &issued)])
}

#[test]
fn the_name_is_always_checked() {
    let store = store();
    let (client, server) = (
        client(&client_wire(), &store),
        server(&server_wire(&["server"]), &store),
    );
    assert!(shake(&client, &server, "a.test").is_ok());
    assert!(shake(&client, &server, "127.0.0.1").is_ok());
    for name in ["b.test", "127.0.0.2"] {
        assert!(matches!(
            shake(&client, &server, name).err(),
            Some(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
            ))
        ));
    }
}

#[test]
fn another_authority_is_not_trusted() {
    let (ours, theirs) = (store(), store());
    let (client, server) = (
        client(&client_wire(), &ours),
        server(&server_wire(&["server"]), &theirs),
    );
    assert!(matches!(
        shake(&client, &server, "a.test").err(),
        Some(Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature
        ))
    ));
}

#[test]
fn sessions_end_with_the_configuration() {
    let store = store();
    let server = server(&server_wire(&["server"]), &store);
    let kind = |client: &ClientTls| shake(client, &server, "a.test").unwrap().0.handshake_kind();
    let before = client(&client_wire(), &store);
    assert_eq!(kind(&before), Some(HandshakeKind::Full));
    assert_eq!(kind(&before), Some(HandshakeKind::Resumed));
    assert_eq!(
        kind(&client(&client_wire(), &store)),
        Some(HandshakeKind::Full)
    );
}

#[test]
fn forms_with_other_names_share_their_sessions() {
    let store = store();
    let mut accepting = server_wire(&["server"]);
    accepting.alpn = vec!["h2".to_owned(), "http/1.1".to_owned()];
    let server = server(&accepting, &store);
    let first = client(&client_wire(), &store);
    let agreed = |names: &[&str]| {
        let (done, _) = shake(&first.offering(names), &server, "a.test").unwrap();
        (
            done.alpn_protocol().map(<[u8]>::to_vec),
            done.handshake_kind(),
        )
    };
    let (h2, http11) = (Some(b"h2".to_vec()), Some(b"http/1.1".to_vec()));
    assert_eq!(agreed(&["h2"]), (h2.clone(), Some(HandshakeKind::Full)));
    let resumed = Some(HandshakeKind::Resumed);
    assert_eq!(agreed(&[]), (None, resumed));
    assert_eq!(agreed(&["http/1.1"]), (http11, resumed));
    assert_eq!(
        agreed(&["http/1.1", "h2"]),
        (h2, resumed),
        "the server's order"
    );
}

#[test]
fn all_problems_are_told_at_once() {
    let wire = Tls {
        ca: Some("server".to_owned()),
        server_name: Some("not a name".to_owned()),
        certificate: Some("nowhere".to_owned()),
        alpn: vec!["x".repeat(256)],
    };
    let mut problems = problems();
    assert!(ClientTls::compile(&wire, &store(), &mut problems).is_none());
    let found = problems.into_vec();
    let found: Vec<_> = found.iter().map(|p| (p.code, p.path.as_str())).collect();
    assert_eq!(
        found,
        [
            ("credential_kind", "tls.ca"),
            ("credential_unknown", "tls.certificate"),
            ("alpn_invalid", "tls.alpn[0]"),
            ("server_name_invalid", "tls.server_name"),
        ]
    );
}

#[test]
fn a_set_name_is_compiled() {
    let wire = Tls {
        server_name: Some("api.internal".to_owned()),
        ..client_wire()
    };
    let tls = client(&wire, &store());
    assert_eq!(
        tls.server_name,
        Some(ServerName::try_from("api.internal").unwrap())
    );
}
