//! What gRPC adds.

use std::time::Duration;

use super::Code;
use super::is_grpc;
use super::message;
use super::parse_status;
use super::parse_timeout;
use super::status_of;
use super::timeout_text;
use crate::error::ErrorKind;

#[test]
fn grpc_is_known_by_its_content_type() {
    for text in [
        "application/grpc",
        "application/grpc+proto",
        "application/grpc;charset=utf-8",
        "Application/GRPC ; a=b",
    ] {
        assert!(is_grpc(text.as_bytes()), "{text}");
    }
    for text in [
        "",
        "application/grp",
        "application/grpc-web",
        "application/grpc-web+proto",
        "application/grpcx",
        "application/json",
    ] {
        assert!(!is_grpc(text.as_bytes()), "{text}");
    }
}

#[test]
fn timeouts_are_digits_and_a_unit() {
    let cases = [
        ("1H", Duration::from_hours(1)),
        ("2M", Duration::from_mins(2)),
        ("30S", Duration::from_secs(30)),
        ("5m", Duration::from_millis(5)),
        ("6u", Duration::from_micros(6)),
        ("7n", Duration::from_nanos(7)),
        ("0S", Duration::ZERO),
        ("00000001S", Duration::from_secs(1)),
        ("99999999H", Duration::from_hours(99_999_999)),
    ];
    for (text, wanted) in cases {
        assert_eq!(parse_timeout(text.as_bytes()), Some(wanted), "{text}");
    }
    for text in [
        "",
        "S",
        "1",
        "1s",
        "1h",
        "+1S",
        "-1S",
        "1.5S",
        "1 S",
        "000000001S",
        "1SS",
        "\u{661}S",
    ] {
        assert_eq!(parse_timeout(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn timeouts_are_written_in_the_finest_unit_rounded_up() {
    let cases = [
        (Duration::ZERO, "1n"),
        (Duration::from_nanos(99_999_999), "99999999n"),
        (Duration::from_nanos(100_000_001), "100001u"),
        (Duration::from_secs(1), "1000000u"),
        (Duration::from_secs(99), "99000000u"),
        (Duration::from_secs(100), "100000m"),
        (Duration::new(100_000, 1), "100001S"),
        (Duration::MAX, "99999999H"),
    ];
    for (timeout, wanted) in cases {
        let text = timeout_text(timeout);
        assert_eq!(String::from_utf8_lossy(text.as_bytes()), wanted);
        let back = parse_timeout(text.as_bytes()).expect("what was written");
        assert!(back >= timeout || timeout == Duration::MAX, "{timeout:?}");
    }
}

#[test]
fn errors_have_the_codes_that_callers_act_on() {
    let cases = [
        (ErrorKind::RequestTimeout, Code::DeadlineExceeded, "4"),
        (ErrorKind::Overflow, Code::Unavailable, "14"),
        (ErrorKind::CircuitOpen, Code::Unavailable, "14"),
        (ErrorKind::UpstreamReset, Code::Unavailable, "14"),
        (ErrorKind::NoRoute, Code::Unimplemented, "12"),
        (ErrorKind::BodyTooLarge, Code::ResourceExhausted, "8"),
        (ErrorKind::BadRequest, Code::Internal, "13"),
        (ErrorKind::DownstreamClosed, Code::Cancelled, "1"),
        (ErrorKind::ExpectationFailed, Code::Unknown, "2"),
    ];
    for (kind, code, text) in cases {
        assert_eq!((status_of(kind), code.as_str()), (code, text));
        assert_eq!(parse_status(text.as_bytes()), Some(code as u32));
    }
}

#[test]
fn messages_are_percent_encoded() {
    assert_eq!(message("no route"), "no route");
    assert_eq!(message("50% \u{fc}\r\n\x7f"), "50%25 %C3%BC%0D%0A%7F");
}

#[test]
fn statuses_are_numbers() {
    assert_eq!(parse_status(b"0"), Some(0));
    assert_eq!(parse_status(b"4294967295"), Some(u32::MAX));
    for text in ["", "4294967296", "-1", "1 ", "x"] {
        assert_eq!(parse_status(text.as_bytes()), None, "{text}");
    }
}
