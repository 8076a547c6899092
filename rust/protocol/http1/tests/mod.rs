//! HTTP/1 from outside: bytes through scanner, parser and writer.

mod chunked;
mod fixtures;
mod framing;
mod request;
mod response;
mod scan;
mod target;
mod write;

use super::FieldStorage;
use super::HeadLimits;
use super::HeadScanner;
use super::RequestHead;
use super::RequestMethod;
use super::ResponseHead;
use super::parse_request;
use super::parse_response;
use crate::protocol::error::HeadError;
use crate::wire::listener::Underscores;

const LIMITS: HeadLimits = HeadLimits {
    bytes: 4096,
    count: 100,
    target: 1024,
    underscores: Underscores::Reject,
};

/// Finds the head's end, reads it and asks about it.
fn ask_request<R>(
    bytes: &[u8],
    limits: &HeadLimits,
    question: impl FnOnce(&RequestHead<'_, '_>) -> R,
) -> Result<R, HeadError> {
    let length = HeadScanner::default().scan(bytes, limits)?;
    let head = &bytes[..length.ok_or(HeadError::Incomplete)?];
    let mut storage = FieldStorage::new();
    parse_request(head, &mut storage, limits).map(|head| question(&head))
}

fn ask_response<R>(
    bytes: &[u8],
    method: RequestMethod,
    question: impl FnOnce(&ResponseHead<'_, '_>) -> R,
) -> Result<R, HeadError> {
    let limits = HeadLimits::response(4096, 100);
    let length = HeadScanner::default().scan(bytes, &limits)?;
    let head = &bytes[..length.ok_or(HeadError::Incomplete)?];
    let mut storage = FieldStorage::new();
    parse_response(head, &mut storage, &limits, method).map(|head| question(&head))
}

/// The error of a request, or `None`.
fn refused(bytes: &[u8]) -> Option<HeadError> {
    ask_request(bytes, &LIMITS, |_| ()).err()
}

/// A GET with these lines after Host.
fn get(lines: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n").into_bytes()
}

/// A request of this method for this target.
fn target(method: &str, target: &str) -> Vec<u8> {
    format!("{method} {target} HTTP/1.1\r\nHost: a.example\r\n\r\n").into_bytes()
}
