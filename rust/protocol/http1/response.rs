//! Reads a response's head as strictly as a request's: the upstream may be hostile too (FR-23).
//!
//! [`parse_response`] takes bytes apart; [`read`] gives the parts their meaning, whichever version of
//! HTTP brought them.

use httparse::Status;

use super::fields::FieldStorage;
use super::fields::Options;
use super::fields::value_at;
use super::framing::Declared;
use super::names::Name;
use super::scan::HeadLimits;
use crate::protocol::error::HeadError;
use crate::protocol::head::Field;
use crate::protocol::head::FieldSet;
use crate::protocol::head::Version;
use crate::protocol::head::numbered;

pub use super::framing::ResponseFraming;

/// What of the request's method decides how its response is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestMethod {
    /// No response has a body.
    Head,
    /// A 2xx begins a tunnel.
    Connect,
    /// Anything else.
    Other,
}

impl RequestMethod {
    /// From the method's name.
    pub fn of(method: &str) -> Self {
        match method {
            "HEAD" => Self::Head,
            "CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }
}

/// Where some fields are, so that nobody has to search for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KnownResponseFields {
    /// Server, the first.
    pub server: Option<u8>,
    /// Date, the first.
    pub date: Option<u8>,
}

/// A response's head, valid and with one reading.
#[derive(Debug)]
pub struct ResponseHead<'b, 's> {
    /// 100 to 599.
    pub status: u16,
    /// Perhaps empty; also where it wasn't ASCII. From HTTP/2, which has none, the usual one.
    pub reason: &'b str,
    /// The upstream's version.
    pub version: Version,
    /// All fields, as they came.
    pub fields: &'s [Field<'b>],
    /// The body's length.
    pub framing: ResponseFraming,
    /// The Content-Length that was declared and passes, also where no body follows (HEAD, 304).
    pub length: Option<u64>,
    /// Whether the upstream's connection can serve another request after the body.
    pub keep_alive: bool,
    /// What is upgraded to, or offered.
    pub upgrade: Option<&'b [u8]>,
    /// Where some fields are.
    pub known: KnownResponseFields,
    /// Fields that are never forwarded; the writer writes some of them anew.
    pub dropped: FieldSet,
}

impl<'b> ResponseHead<'b, '_> {
    /// The value of a known field.
    pub fn value(&self, index: Option<u8>) -> Option<&'b [u8]> {
        value_at(self.fields, index)
    }

    /// Whether the final response is still to come; 101 is final.
    pub const fn is_interim(&self) -> bool {
        matches!(self.status, 100 | 102..=199)
    }

    /// How the body goes to a client of this version: to HTTP/1.0 chunks go without their framing,
    /// and the close ends them.
    pub fn framing_for(&self, version: Version) -> ResponseFraming {
        match (self.framing, version) {
            (ResponseFraming::Chunked, Version::Http10) => ResponseFraming::UntilClose,
            (framing, _) => framing,
        }
    }
}

/// What the fields say.
#[derive(Default)]
struct Facts<'b> {
    declared: Declared,
    options: Options,
    known: KnownResponseFields,
    dropped: FieldSet,
    upgrade: Option<&'b [u8]>,
}

impl<'b> Facts<'b> {
    fn take(&mut self, index: u8, field: &Field<'b>) -> Result<(), HeadError> {
        match Name::of(field.name.as_bytes()) {
            Name::ContentLength => self.declared.take_length(field.value)?,
            Name::TransferEncoding => self.declared.take_coding(field.value)?,
            Name::Connection => self.options.take(index, field.value),
            Name::Upgrade => self.upgrade = Some(field.value),
            Name::HopByHop | Name::Te => {}
            Name::Server => {
                self.known.server = self.known.server.or(Some(index));
                return Ok(());
            }
            Name::Date => {
                self.known.date = self.known.date.or(Some(index));
                return Ok(());
            }
            _ => return Ok(()),
        }
        self.dropped.insert(index);
        Ok(())
    }

    fn read(fields: &[Field<'b>]) -> Result<Self, HeadError> {
        let mut facts = Self::default();
        for (index, field) in numbered(fields) {
            facts.take(index, field)?;
        }
        facts.options.drop_nominated(fields, &mut facts.dropped)?;
        Ok(facts)
    }

    fn keep_alive(&self, version: Version) -> bool {
        !self.options.close && (version != Version::Http10 || self.options.keep_alive)
    }
}

/// Reads the head that [`HeadScanner`](super::HeadScanner) found.
pub fn parse_response<'b, 's>(
    head: &'b [u8],
    storage: &'s mut FieldStorage<'b>,
    limits: &HeadLimits,
    method: RequestMethod,
) -> Result<ResponseHead<'b, 's>, HeadError> {
    // httparse ignores empty lines before a response, which only requests may have.
    if head.first() != Some(&b'H') {
        return Err(HeadError::StartLine);
    }
    let mut raw = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let slots = storage.slots(limits.count);
    match config.parse_response_with_uninit_headers(&mut raw, head, slots)? {
        Status::Complete(length) if length == head.len() => {}
        _ => return Err(HeadError::Incomplete),
    }
    let version = match raw.version {
        Some(0) => Version::Http10,
        _ => Version::Http11,
    };
    let parts = RawResponse {
        status: raw.code.unwrap_or_default(),
        reason: raw.reason.unwrap_or_default(),
        version,
        fields: raw.headers,
        undeclared: ResponseFraming::UntilClose,
    };
    read(&parts, method)
}

/// A head taken apart, whose parts have no meaning yet.
pub(crate) struct RawResponse<'b, 's> {
    pub(crate) status: u16,
    pub(crate) reason: &'b str,
    pub(crate) version: Version,
    pub(crate) fields: &'s [Field<'b>],
    /// The body where there may be one and no field speaks of it.
    pub(crate) undeclared: ResponseFraming,
}

/// Gives a head its meaning, or refuses it.
#[inline]
pub(crate) fn read<'b, 's>(
    raw: &RawResponse<'b, 's>,
    method: RequestMethod,
) -> Result<ResponseHead<'b, 's>, HeadError> {
    let &RawResponse {
        status,
        reason,
        version,
        fields,
        undeclared,
    } = raw;
    if !(100..=599).contains(&status) {
        return Err(HeadError::StartLine);
    }
    let facts = Facts::read(fields)?;
    let framing = facts.declared.response(version, undeclared)?;
    let body = Body::of(status, method, facts.declared, framing);
    Ok(ResponseHead {
        status,
        reason,
        version,
        fields,
        framing: body.framing,
        length: body.length,
        keep_alive: facts.keep_alive(version) && body.reusable,
        upgrade: facts.upgrade,
        known: facts.known,
        dropped: facts.dropped,
    })
}

/// RFC 9112 §6.3.
struct Body {
    framing: ResponseFraming,
    length: Option<u64>,
    reusable: bool,
}

impl Body {
    fn of(
        status: u16,
        method: RequestMethod,
        declared: Declared,
        framing: ResponseFraming,
    ) -> Self {
        let tunnel = method == RequestMethod::Connect && (200..300).contains(&status);
        if status < 200 || status == 204 || tunnel {
            // RFC 9110 §8.6: no length is sent here. Whoever declares a body may also send it.
            let silent = !declared.chunked && declared.length.unwrap_or_default() == 0;
            return Self {
                framing: ResponseFraming::None,
                length: None,
                reusable: silent && !tunnel && status != 101,
            };
        }
        if status == 304 || method == RequestMethod::Head {
            return Self {
                framing: ResponseFraming::None,
                length: declared.length,
                reusable: true,
            };
        }
        Self {
            framing,
            length: declared.length,
            reusable: framing != ResponseFraming::UntilClose,
        }
    }
}
