//! Reads a request's head: the line, the target, the fields' meaning, the body's length.
//!
//! [`parse_request`] takes bytes apart; [`read`] gives the parts their meaning, whichever version of
//! HTTP brought them.

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
use crate::wire::listener::Underscores;

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
    /// Content-Type, the first.
    pub content_type: Option<u8>,
    /// grpc-timeout, the first.
    pub grpc_timeout: Option<u8>,
}

/// A request's head, valid and with one reading.
#[derive(Debug)]
pub struct RequestHead<'b, 's> {
    /// A token of at most [`MAX_METHOD`] bytes.
    pub method: &'b str,
    /// As it came; printable ASCII. HTTP/2's `:path`, or `:authority` with CONNECT.
    pub target: &'b str,
    /// Which form it has.
    pub form: TargetForm,
    /// The client's version.
    pub version: Version,
    /// The target's or `:authority` where there is one, else Host's; empty for HTTP/1.0 without Host.
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
    let version = match raw.version {
        Some(0) => Version::Http10,
        _ => Version::Http11,
    };
    let parts = RawRequest {
        method,
        target,
        version,
        authority: None,
        fields: raw.headers,
        underscores: memchr::memchr(b'_', head).map(|_| limits.underscores),
        undeclared: Framing::None,
    };
    read(&parts, limits.target)
}

/// A head taken apart, whose parts have no meaning yet.
pub(crate) struct RawRequest<'b, 's> {
    pub(crate) method: &'b str,
    pub(crate) target: &'b str,
    pub(crate) version: Version,
    /// Where the protocol carries one apart from the target.
    pub(crate) authority: Option<&'b str>,
    pub(crate) fields: &'s [Field<'b>],
    /// What happens to names with an underscore; `None` where no name can have one.
    pub(crate) underscores: Option<Underscores>,
    /// The body where no field speaks of one.
    pub(crate) undeclared: Framing,
}

/// Gives a head its meaning, or refuses it.
#[inline]
pub(crate) fn read<'b, 's>(
    raw: &RawRequest<'b, 's>,
    max_target: usize,
) -> Result<RequestHead<'b, 's>, HeadError> {
    let &RawRequest {
        method,
        target,
        version,
        fields,
        ..
    } = raw;
    if method.len() > MAX_METHOD {
        return Err(HeadError::MethodTooLong);
    }
    if target.len() > max_target {
        return Err(HeadError::TargetTooLong);
    }
    let parts = target::parse(method, target)?;
    let given = match raw.authority {
        Some(text) => Some(Authority::parse(text.as_bytes())?),
        None => parts.authority,
    };
    let mut facts = Facts::read(fields, version, raw.underscores)?;
    let authority = facts.authority(version, given)?;
    let framing = facts.declared.request(version, raw.undeclared)?;
    if parts.form == TargetForm::Authority && !framing.is_empty() {
        return Err(HeadError::ConnectBody);
    }
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
