//! What gRPC adds to HTTP/2: its content type, deadline, and status in trailers.
//!
//! After gRPC's own "gRPC over HTTP2" and "HTTP to gRPC status code mapping"; where the latter knows
//! only statuses, errors say more.

use std::borrow::Cow;
use std::time::Duration;

use crate::error::ErrorKind;

/// gRPC's limit for the number of a timeout.
const MAX_TIMEOUT_DIGITS: usize = 8;

/// The largest number of so many digits.
const MAX_TIMEOUT: u128 = 99_999_999;

/// Units of a timeout and their nanoseconds, from the finest.
const UNITS: [(u8, u128); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60_000_000_000),
    (b'H', 3_600_000_000_000),
];

/// The status codes that the proxy sends itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The caller went away.
    Cancelled = 1,
    /// None of the others fits.
    Unknown = 2,
    /// Time ran out.
    DeadlineExceeded = 4,
    /// The caller may not.
    PermissionDenied = 7,
    /// Something is larger than allowed.
    ResourceExhausted = 8,
    /// Nobody serves that method.
    Unimplemented = 12,
    /// The message made no sense.
    Internal = 13,
    /// Try again later, or elsewhere.
    Unavailable = 14,
    /// The caller is nobody we know.
    Unauthenticated = 16,
}

impl Code {
    /// As `grpc-status` writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "1",
            Self::Unknown => "2",
            Self::DeadlineExceeded => "4",
            Self::PermissionDenied => "7",
            Self::ResourceExhausted => "8",
            Self::Unimplemented => "12",
            Self::Internal => "13",
            Self::Unavailable => "14",
            Self::Unauthenticated => "16",
        }
    }
}

/// Whether a content type is gRPC's: `application/grpc`, with a message format or parameters behind
/// it. gRPC-Web is another protocol.
pub fn is_grpc(content_type: &[u8]) -> bool {
    const NAME: &[u8] = b"application/grpc";
    let Some((name, rest)) = content_type.split_at_checked(NAME.len()) else {
        return false;
    };
    name.eq_ignore_ascii_case(NAME) && matches!(rest, [] | [b'+' | b';' | b' ' | b'\t', ..])
}

/// The status of a local reply to a gRPC call.
pub const fn status_of(kind: ErrorKind) -> Code {
    use ErrorKind as Kind;
    match kind {
        Kind::DownstreamClosed | Kind::DownstreamTls => Code::Cancelled,
        Kind::ExpectationFailed | Kind::HookFailed => Code::Unknown,
        Kind::HeadTimeout
        | Kind::BodyTimeout
        | Kind::RequestTimeout
        | Kind::ResponseHeaderTimeout
        | Kind::PerTryTimeout
        | Kind::StreamIdle
        | Kind::UpstreamStalled
        | Kind::DownstreamStalled => Code::DeadlineExceeded,
        Kind::BodyTooLarge | Kind::HeadTooLarge | Kind::TargetTooLong | Kind::RateLimited => {
            Code::ResourceExhausted
        }
        Kind::NoRoute | Kind::NotImplemented | Kind::ConnectRefused => Code::Unimplemented,
        Kind::BadRequest => Code::Internal,
        // A connect that took too long is no deadline: nobody has seen the call, it can go elsewhere.
        Kind::UpstreamConnectTimeout
        | Kind::NoEndpoint
        | Kind::Overflow
        | Kind::CircuitOpen
        | Kind::UpstreamConnect
        | Kind::UpstreamTls
        | Kind::UpstreamReset
        | Kind::UpstreamProtocol
        | Kind::RateLimitUnavailable
        | Kind::HookUnavailable
        | Kind::FaultInjected
        | Kind::ConcurrencyLimit
        | Kind::Overload => Code::Unavailable,
    }
}

/// The status of an answer that was meant for HTTP alone.
pub const fn status_of_http(status: u16) -> Code {
    match status {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

/// A `grpc-timeout`: one to eight digits and a unit.
pub fn parse_timeout(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if digits.len() > MAX_TIMEOUT_DIGITS {
        return None;
    }
    let number = number(digits)?;
    let (_, nanos) = UNITS.into_iter().find(|(name, _)| name == unit)?;
    let nanos = u128::from(number).checked_mul(nanos)?;
    Some(Duration::from_nanos_u128(nanos))
}

/// A `grpc-timeout` as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeoutText {
    bytes: [u8; MAX_TIMEOUT_DIGITS + 1],
    length: u8,
}

impl TimeoutText {
    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }
}

/// The text of a timeout, in the finest unit that fits and rounded up: nobody's deadline comes before
/// ours. There is no 0, and nothing beyond 99,999,999 hours.
pub fn timeout_text(timeout: Duration) -> TimeoutText {
    let nanos = timeout.as_nanos().max(1);
    let fitting = UNITS
        .into_iter()
        .map(|(unit, size)| (unit, nanos.div_ceil(size)))
        .find(|(_, number)| *number <= MAX_TIMEOUT);
    let (unit, number) = fitting.unwrap_or((b'H', MAX_TIMEOUT));
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(number).as_bytes();
    let mut text = TimeoutText {
        bytes: [0; MAX_TIMEOUT_DIGITS + 1],
        length: 0,
    };
    for (to, from) in text.bytes.iter_mut().zip(digits.iter().chain([&unit])) {
        *to = *from;
        text.length = text.length.saturating_add(1);
    }
    text
}

/// A `grpc-message`: everything but printable ASCII, and `%`, as `%XX`.
pub fn message(text: &str) -> Cow<'_, str> {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'%';
    if text.bytes().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len().saturating_mul(2));
    for byte in text.bytes() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 0x0f] {
                let digit = char::from_digit(u32::from(digit), 16).unwrap_or_default();
                out.push(digit.to_ascii_uppercase());
            }
        }
    }
    Cow::Owned(out)
}

/// A `grpc-status`; codes that nobody has defined are codes too.
pub fn parse_status(text: &[u8]) -> Option<u32> {
    number(text)
}

fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u32, |sum, byte| {
        if !byte.is_ascii_digit() {
            return None;
        }
        sum.checked_mul(10)?.checked_add(u32::from(byte & 0x0f))
    })
}

#[cfg(test)]
#[path = "grpc_tests.rs"]
mod tests;
