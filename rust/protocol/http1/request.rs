//! Reads a request's head: the line, the target, the fields' meaning, the body's length.

mod facts;
mod target;

use facts::Facts;
use httparse::Status;

use super::fields::value_at;
use super::framing::Framing;
use super::scan::HeadLimits;
use crate::protocol::authority::Authority;
use crate::protocol::error::HeadError;
use crate::protocol::head::Field;
use crate::protocol::head::FieldSet;
use crate::protocol::head::Version;

pub use super::fields::FieldStorage;
pub use crate::protocol::head::MAX_FIELDS;

/// The longest method taken: twice the longest that is registered.
pub const MAX_METHOD: usize = 32;

/// RFC 9112 §3.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetForm {
    /// `/path?query`.
    Origin,
    /// `http://host/path?query`.
    Absolute,
    /// `host:port`, with CONNECT.
    Authority,
    /// `*`, with OPTIONS.
    Asterisk,
}

/// Where some fields are, so that nobody has to search for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KnownFields {
    /// Host.
    pub host: Option<u8>,
    /// User-Agent, the first.
    pub user_agent: Option<u8>,
    /// X-Forwarded-For, the last: the one to append to.
    pub forwarded_for: Option<u8>,
    /// X-Forwarded-Proto, the first.
    pub forwarded_proto: Option<u8>,
    /// X-Request-Id, the first; others are dropped.
    pub request_id: Option<u8>,
    /// Authorization, the first.
    pub authorization: Option<u8>,
}

/// A request's head, valid and with one reading.
#[derive(Debug)]
pub struct RequestHead<'b, 's> {
    /// A token of at most [`MAX_METHOD`] bytes.
    pub method: &'b str,
    /// As it came; printable ASCII.
    pub target: &'b str,
    /// Which form it has.
    pub form: TargetForm,
    /// The client's version.
    pub version: Version,
    /// The target's where it has one, else Host's; empty for HTTP/1.0 without Host.
    pub authority: Authority<'b>,
    /// Without the query and not normalised. `*` of OPTIONS; empty with CONNECT.
    pub path: &'b str,
    /// What follows the first `?`.
    pub query: Option<&'b str>,
    /// All fields, as they came.
    pub fields: &'s [Field<'b>],
    /// The body's length.
    pub framing: Framing,
    /// Whether the client wants the connection to stay.
    pub keep_alive: bool,
    /// Whether the client waits for a 100 before its body; the field is forwarded.
    pub expect_continue: bool,
    /// Whether the client takes trailers.
    pub te_trailers: bool,
    /// What to upgrade to. `None` also where we refuse to take part: with a body, in HTTP/1.0, to
    /// `h2c`.
    pub upgrade: Option<&'b [u8]>,
    /// Where some fields are.
    pub known: KnownFields,
    /// Fields that are never forwarded; the writer writes some of them anew.
    pub dropped: FieldSet,
    /// Fields that are forwarded for a trusted proxy only (HT-1).
    pub forwarded: FieldSet,
}

impl<'b> RequestHead<'b, '_> {
    /// The value of a known field.
    pub fn value(&self, index: Option<u8>) -> Option<&'b [u8]> {
        value_at(self.fields, index)
    }
}

/// Reads the head that [`HeadScanner`](super::HeadScanner) found.
pub fn parse_request<'b, 's>(
    head: &'b [u8],
    storage: &'s mut FieldStorage<'b>,
    limits: &HeadLimits,
) -> Result<RequestHead<'b, 's>, HeadError> {
    let mut raw = httparse::Request::new(&mut []);
    match raw.parse_with_uninit_headers(head, storage.slots(limits.count))? {
        Status::Complete(length) if length == head.len() => {}
        _ => return Err(HeadError::Incomplete),
    }
    let (Some(method), Some(target)) = (raw.method, raw.path) else {
        return Err(HeadError::Incomplete);
    };
    let fields: &'s [Field<'b>] = raw.headers;
    let version = match raw.version {
        Some(0) => Version::Http10,
        _ => Version::Http11,
    };
    if method.len() > MAX_METHOD {
        return Err(HeadError::MethodTooLong);
    }
    if target.len() > limits.target {
        return Err(HeadError::TargetTooLong);
    }
    let parts = target::parse(method, target)?;
    let underscores = memchr::memchr(b'_', head).map(|_| limits.underscores);
    let mut facts = Facts::read(fields, version, underscores)?;
    let host = facts.host(version)?;
    let framing = facts.declared.request(version)?;
    if parts.form == TargetForm::Authority && !framing.is_empty() {
        return Err(HeadError::ConnectBody);
    }
    let authority = match parts.authority {
        Some(authority) => {
            facts.drop_host();
            authority
        }
        None => host,
    };
    Ok(RequestHead {
        method,
        target,
        form: parts.form,
        version,
        authority,
        path: parts.path,
        query: parts.query,
        fields,
        framing,
        keep_alive: facts.keep_alive(version, method, framing),
        expect_continue: facts.expect_continue,
        te_trailers: facts.te_trailers,
        upgrade: facts.upgrade(version, framing),
        known: facts.known,
        dropped: facts.dropped,
        forwarded: facts.forwarded,
    })
}
