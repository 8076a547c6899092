//! Verdicts, and that they come as early as they can and never change.

use super::Detected;
use super::Detected::Http1;
use super::Detected::Http2Preface;
use super::Detected::NeedMore;
use super::Detected::Other;
use super::Detected::Tls;
use super::detect;

const CASES: [(&[u8], Detected); 20] = [
    (b"\x16\x03\x01\x02\x00", Tls),
    (b"\x16\x03", Tls),
    (b"\x16\x02\x01", Other),
    (b"\x17\x03\x03", Other),
    (b"GET / HTTP/1.1\r\n", Http1),
    (b"\r\nGET /", Http1),
    (b"OPTIONS * HTTP/1.1\r\n", Http1),
    (b"GET http://a/ HTTP/1.1\r\n", Http1),
    (b"GET HTTPS://a/ HTTP/1.1\r\n", Http1),
    (b"CONNECT a:443 HTTP/1.1\r\n", Http1),
    (b"X-CUSTOM /x", Http1),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Http2Preface),
    (b"PRI * HTTP/1.1\r\n", Http1),
    (b"EHLO host\r\n", Other),
    (b"SET key value\r\n", Other),
    (b"*1\r\n$4\r\nPING\r\n", Other),
    (b"SSH-2.0-OpenSSH_9.6\r\n", Other),
    (b" GET /", Other),
    (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", Other),
    (b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", Other),
];

#[test]
fn bytes_are_recognised() {
    for (bytes, wanted) in CASES {
        assert_eq!(detect(bytes), wanted, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_verdict_is_reached_once_and_stays() {
    for (bytes, wanted) in CASES {
        let mut before = NeedMore;
        for end in 0..=bytes.len() {
            let verdict = detect(&bytes[..end]);
            let may_change = before == NeedMore;
            assert!(
                may_change || verdict == before,
                "{} at {end}",
                bytes.escape_ascii()
            );
            before = verdict;
        }
        assert_eq!(before, wanted, "{}", bytes.escape_ascii());
    }
}
