use std::sync::Arc;

use super::*;
use crate::tls::connect::ClientTls;
use crate::tls::fixtures::{Authority, credentials, problems};

/// What `openssl s_client -servername Api.Example.test -alpn h2,http/1.1` (3.0) sent.
const OPENSSL: &str = "\
    160301014f0100014b0303f5c1083058da05fa39f21f4560f0db6f22e8a777d54345117bb6c1cfad74c9b8\
    201f55a0a3b30e1dd6ecd998cd7e65fefcddc57e99fffb25dc508ba784464595e5003e130213031301c02c\
    c030009fcca9cca8ccaac02bc02f009ec024c028006bc023c0270067c00ac0140039c009c0130033009d00\
    9c003d003c0035002f00ff010000c40000001500130000104170692e4578616d706c652e74657374000b00\
    0403000102000a00160014001d0017001e0019001801000101010201030104002300000010000e000c0268\
    3208687474702f312e310016000000170000000d002a0028040305030603080708080809080a080b080408\
    050806040105010601030303010302040205020602002b0009080304030303020301002d00020101003300\
    260024001d00201a01d588dcc7a9e00cc11bd6cac59e164d7b1cadf3dbf59f1e938dbb3ac9a774";

fn openssl() -> Vec<u8> {
    let digits = OPENSSL.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// A hello of our own making, with a post-quantum key share.
fn ours(alpn: &[&str]) -> Vec<u8> {
    let store = credentials(&Authority::new(), &[]);
    let wire = crate::wire::cluster::Tls {
        ca: Some("ca".to_owned()),
        alpn: alpn.iter().map(|name| (*name).to_owned()).collect(),
        ..Default::default()
    };
    let tls = ClientTls::compile(&wire, &store, &mut problems()).unwrap();
    let name = "our.test".try_into().unwrap();
    let mut conn = rustls::ClientConnection::new(Arc::clone(&tls.config), name).unwrap();
    let mut bytes = Vec::new();
    conn.write_tls(&mut bytes).unwrap();
    bytes
}

/// The same handshake message in records of `size` bytes.
fn refragmented(hello: &[u8], size: usize) -> Vec<u8> {
    let fragments = hello[RECORD_HEADER..].chunks(size);
    let record = |fragment: &[u8]| {
        let length = u16::try_from(fragment.len()).unwrap().to_be_bytes();
        [&[RECORD_HANDSHAKE, 3, 1], &length[..], fragment].concat()
    };
    fragments.flat_map(record).collect()
}

fn assert_at_every_prefix(bytes: &[u8], expected: &ClientHello) {
    for n in 0..bytes.len() {
        assert_eq!(sniff(&bytes[..n]), Sniffed::NeedMore, "{n} bytes");
    }
    assert_eq!(sniff(bytes), Sniffed::Hello(expected.clone()));
    let more = [bytes, &b"\x14\x03\x03\x00\x01\x01\x17"[..]].concat();
    assert_eq!(sniff(&more), Sniffed::Hello(expected.clone()));
}

#[test]
fn captured_hellos_are_read_in_any_fragments() {
    let theirs = ClientHello {
        sni: Some("api.example.test".to_owned()),
        alpn: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        tls13: true,
    };
    let own = ClientHello {
        sni: Some("our.test".to_owned()),
        alpn: Vec::new(),
        tls13: true,
    };
    for (bytes, expected) in [(openssl(), theirs), (ours(&[]), own)] {
        assert_at_every_prefix(&bytes, &expected);
        for size in [1, 2, 3, 4, 5, 7, 64, 300] {
            assert_at_every_prefix(&refragmented(&bytes, size), &expected);
        }
    }
}

#[test]
fn a_post_quantum_hello_passes_one_segment() {
    assert!(ours(&[]).len() > 1400);
}

#[test]
fn other_protocols_are_told_by_their_first_bytes() {
    for bytes in [
        &b"G"[..],
        b"GET / HTTP/1.1\r\n",
        b"SSH-2.0",
        b"\x80\x2e\x01",
        b"\x16\x02",
        b"\x15\x03",
    ] {
        assert_eq!(sniff(bytes), Sniffed::NotTls, "{bytes:?}");
    }
}

#[test]
fn every_single_flipped_byte_is_survived() {
    let hello = openssl();
    let length = hello.len();
    for at in 0..length {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = hello.clone();
            bytes[at] ^= flip;
            if let Sniffed::Hello(hello) = sniff(&bytes) {
                let name = hello.sni.unwrap_or_default();
                assert!(
                    name.len() <= MAX_NAME && !name.contains(['\0', ' ', '/']),
                    "{name:?}"
                );
            }
        }
    }
}

/// A hello with these extensions, whole.
fn with_extensions(extensions: &[u8]) -> Vec<u8> {
    let mut body = [&[3, 3][..], &[7; 32], &[0], &[0, 2, 0x13, 1], &[1, 0]].concat();
    body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend(extensions);
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    let message = [&[CLIENT_HELLO, 0], &length[..], &body].concat();
    refragmented(&[&[0; RECORD_HEADER][..], &message].concat(), MAX_FRAGMENT)
}

fn sni_extension(name: &[u8]) -> Vec<u8> {
    let n = u16::try_from(name.len()).unwrap();
    let lengths = [n + 5, n + 3].map(u16::to_be_bytes).concat();
    [
        &[0, 0],
        &lengths[..],
        &[NAME_TYPE_HOST],
        &n.to_be_bytes(),
        name,
    ]
    .concat()
}

#[test]
fn names_that_are_none_are_refused() {
    let good = sniff(&with_extensions(&sni_extension(b"a_1.x-y")));
    assert!(matches!(good, Sniffed::Hello(hello) if hello.sni.as_deref() == Some("a_1.x-y")));
    let long = [b'a'; 64];
    for name in [
        &b""[..],
        b".",
        b"a..b",
        b"a.",
        b"a\0.test",
        b"a b",
        b"a/b",
        b"[::1]",
        "ä".as_bytes(),
        &long,
    ] {
        let sniffed = sniff(&with_extensions(&sni_extension(name)));
        assert!(
            matches!(sniffed, Sniffed::Malformed(_)),
            "{name:?}: {sniffed:?}"
        );
    }
}

#[test]
fn broken_extensions_are_refused() {
    let twice = sni_extension(b"a").repeat(2);
    for (extensions, why) in [
        (&twice[..], "twice"),
        (&[0, 0, 0, 0], "an empty server name"),
        (&[0, 0, 0, 2, 0, 0], "an empty list"),
        (&[0, 0, 0, 6, 0, 4, 1, 0, 1, b'a'], "another kind of name"),
        (
            &[0, 0, 0, 7, 0, 4, 0, 0, 1, b'a', 0],
            "bytes after the list",
        ),
        (&[0, 0, 0, 9], "an extension cut short"),
        (&[0, 16, 0, 2, 0, 0], "ALPN without names"),
        (&[0, 16, 0, 3, 0, 1, 0], "an empty ALPN name"),
        (&[0, 43, 0, 1, 0], "no versions"),
        (&[0, 43, 0, 2, 1, 3], "half a version"),
    ] {
        let sniffed = sniff(&with_extensions(extensions));
        assert!(
            matches!(sniffed, Sniffed::Malformed(_)),
            "{why}: {sniffed:?}"
        );
    }
}

#[test]
fn records_within_a_hello_keep_the_rules() {
    let malformed = |bytes: &[u8], why: &str| {
        let sniffed = sniff(bytes);
        assert!(
            matches!(sniffed, Sniffed::Malformed(_)),
            "{why}: {sniffed:?}"
        );
    };
    let hello = openssl();
    let mut interleaved = refragmented(&hello, 100);
    interleaved[RECORD_HEADER + 100] = 21;
    malformed(&interleaved, "an alert within the hello");
    malformed(&[22, 3, 1, 0, 0], "an empty record");
    malformed(&[22, 3, 1, 0x40, 1], "a record of 16 KiB and one byte");
    malformed(&[22, 3, 1, 0, 4, 2, 0, 0, 0], "a server hello");
    malformed(
        &[22, 3, 1, 0, 4, 1, 0, 0x40, 1],
        "a hello of 16 KiB and one byte",
    );
    let endless = refragmented(&[&[0; 5][..], &[1, 0, 0x40, 0], &[0; 0x3fff]].concat(), 1);
    assert_eq!(sniff(&endless[..MAX_SNIFFED - 1]), Sniffed::NeedMore);
    malformed(&endless[..MAX_SNIFFED], "a hello that doesn't end");
}

#[test]
fn a_hello_without_extensions_is_tls_1_2() {
    let body = [&[3, 3][..], &[7; 32], &[0], &[0, 2, 0xc0, 0x2f], &[1, 0]].concat();
    let message = [&[CLIENT_HELLO, 0, 0, 41][..], &body].concat();
    let bytes = refragmented(&[&[0; 5][..], &message].concat(), 1000);
    assert_eq!(sniff(&bytes), Sniffed::Hello(ClientHello::default()));
}
