//! What the proxy changes in a message's head, and which of its fields pass, whatever protocol it
//! leaves by.

use std::sync::Arc;

use smallvec::SmallVec;

use super::head::Field;
use super::head::FieldSet;
use super::http1::Framing;
use super::http1::fields::drop_named;
use super::http1::request::RequestHead;

/// What the proxy changes.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestEdits<'a> {
    /// In place of the method.
    pub method: Option<&'a str>,
    /// How the body is framed, if that differs.
    pub framing: Option<Framing>,
    /// The normalised path, if it differs; the query stays.
    pub path: Option<&'a str>,
    /// Replaces Host; also what stands there for HTTP/1.0 without one.
    pub authority: Option<&'a str>,
    /// The downstream's address, for X-Forwarded-For; empty adds none (a unix socket).
    pub client_ip: &'a str,
    /// `http` or `https`.
    pub proto: &'static str,
    /// The downstream is a trusted proxy: append to what it says. Else its word is replaced (HT-1).
    pub keep_forwarded: bool,
    /// Replaces X-Request-Id; `None` leaves what came.
    pub request_id: Option<&'a [u8]>,
    /// Our pseudonym for Via.
    pub via: Option<&'a str>,
    /// Take part in the upgrade that the client wants.
    pub upgrade: bool,
    /// Replaces Sec-WebSocket-Key: HTTP/2 has none, and HTTP/1 must have one (RFC 8441 §5).
    pub websocket_key: Option<&'a [u8]>,
    /// Replaces grpc-timeout; `None` leaves what came.
    pub grpc_timeout: Option<&'a [u8]>,
    /// What the route changes.
    pub fields: Option<&'a FieldEdits>,
}

/// What the proxy adds to a response's head.
#[derive(Debug, Clone, Copy, Default)]
pub struct AnswerEdits<'a> {
    /// Our pseudonym for Via.
    pub via: Option<&'a str>,
    /// What the route changes.
    pub fields: Option<&'a FieldEdits>,
}

/// Fields that go, and fields that come.
#[derive(Debug, Default)]
pub struct FieldEdits {
    gone: SmallVec<[Arc<str>; 4]>,
    added: SmallVec<[(Arc<str>, Vec<u8>); 4]>,
}

impl FieldEdits {
    /// A field has this value alone.
    pub fn set(&mut self, name: &Arc<str>, value: Vec<u8>) {
        self.remove(name);
        self.added.push((Arc::clone(name), value));
    }

    /// A field has this value too.
    pub fn add(&mut self, name: &Arc<str>, value: Vec<u8>) {
        self.added.push((Arc::clone(name), value));
    }

    /// A field goes, with what was added to it until now.
    pub fn remove(&mut self, name: &Arc<str>) {
        self.added.retain(|(added, _)| added != name);
        if !self.hides(name) {
            self.gone.push(Arc::clone(name));
        }
    }

    /// Nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.added.is_empty()
    }

    /// Whether a field goes as it came, or as we would write it.
    pub fn hides(&self, name: &str) -> bool {
        self.gone.iter().any(|gone| gone.eq_ignore_ascii_case(name))
    }

    /// Whatever comes, in its order.
    pub fn added(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.added.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Adds the fields that go to `withheld`.
    pub(crate) fn withhold(&self, fields: &[Field<'_>], withheld: &mut FieldSet) {
        for name in &self.gone {
            drop_named(name.as_bytes(), fields, withheld);
        }
    }
}

impl RequestEdits<'_> {
    /// The fields that don't pass untouched: some go, some are written anew.
    pub(crate) fn withheld(&self, head: &RequestHead<'_, '_>) -> FieldSet {
        let mut withheld = if self.keep_forwarded {
            head.dropped
        } else {
            head.dropped.union(&head.forwarded)
        };
        let replaced = [
            head.known.host.filter(|_| self.authority.is_some()),
            head.known.request_id.filter(|_| self.request_id.is_some()),
            // Written with our part at its end.
            head.known
                .forwarded_for
                .filter(|_| !self.client_ip.is_empty()),
        ];
        for index in replaced.into_iter().flatten() {
            withheld.insert(index);
        }
        if self.websocket_key.is_some() {
            drop_named(b"sec-websocket-key", head.fields, &mut withheld);
        }
        if self.grpc_timeout.is_some() {
            drop_named(b"grpc-timeout", head.fields, &mut withheld);
        }
        if let Some(fields) = self.fields {
            fields.withhold(head.fields, &mut withheld);
        }
        withheld
    }

    /// The addresses that a trusted proxy listed: ours goes behind them.
    pub(crate) fn addresses_before<'b>(&self, head: &RequestHead<'b, '_>) -> Option<&'b [u8]> {
        head.value(head.known.forwarded_for)
            .filter(|list| self.keep_forwarded && !list.is_empty())
    }

    /// Whether X-Forwarded-For is ours to write.
    pub(crate) fn writes_addresses(&self) -> bool {
        !self.client_ip.is_empty() && self.writes("x-forwarded-for")
    }

    /// Whether X-Forwarded-Proto is ours to write.
    pub(crate) fn writes_proto(&self, head: &RequestHead<'_, '_>) -> bool {
        (!self.keep_forwarded || head.known.forwarded_proto.is_none())
            && self.writes("x-forwarded-proto")
    }

    /// Whether the route leaves it to us to write a field.
    pub(crate) fn writes(&self, name: &str) -> bool {
        self.fields.is_none_or(|fields| !fields.hides(name))
    }
}
