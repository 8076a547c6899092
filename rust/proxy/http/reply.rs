//! Answers that the proxy makes itself: what they say, in the form that the client reads.

mod compose;
mod send;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderValue};

use super::super::connection::Downstream;
use super::admit::Facts;
use super::record::{Record, Source};
use crate::error::ErrorKind;
use crate::policy::fault::Abort;
use crate::policy::hook::FieldEdit;
use crate::protocol::head::Version;
use crate::protocol::http1::RequestMethod;
use crate::protocol::{grpc, grpc_web};
use crate::route::{Change, DirectResponse, HeaderEdits};

pub(super) use send::{SEND_TIME, send, send_http2};

/// Seconds after which a client may come back when there was too much: limits follow within one.
const OVERLOADED_WAIT: &[u8] = b"1";

/// What a client is answered.
#[derive(Debug)]
pub(super) enum Reply {
    /// What stands for a failure.
    Error(ErrorKind),
    /// Something else.
    Made(Box<Made>),
}

/// An answer with a form of its own.
#[derive(Debug)]
pub(super) struct Made {
    /// The failure that it tells of.
    pub(super) kind: Option<ErrorKind>,
    pub(super) status: u16,
    /// The status of gRPC; `None`: what stands for `kind` or `status`.
    pub(super) grpc: Option<u8>,
    /// Where it comes from; unused where there is a `kind`.
    pub(super) source: Source,
    pub(super) fields: Vec<(Cow<'static, str>, Vec<u8>)>,
    pub(super) body: Bytes,
}

impl From<ErrorKind> for Reply {
    fn from(kind: ErrorKind) -> Self {
        Self::Error(kind)
    }
}

impl Reply {
    /// Sends the client elsewhere.
    pub(super) fn redirect(status: u16, location: String) -> Self {
        let fields = vec![(Cow::Borrowed("location"), location.into_bytes())];
        Self::made(status, Source::Route, fields, Bytes::new())
    }

    /// What a route says itself.
    pub(super) fn direct(response: &DirectResponse) -> Self {
        let kind = response.content_type.as_deref();
        let kind = kind.map(|kind| (Cow::Borrowed("content-type"), kind.into()));
        let fields = kind.into_iter().collect();
        Self::made(
            response.status,
            Source::Route,
            fields,
            response.body.clone(),
        )
    }

    /// What a hook says; its fields are the changes that it makes.
    pub(super) fn hook(status: u16, edits: &[FieldEdit], body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let mut fields: Vec<(Cow<'static, str>, Vec<u8>)> = Vec::new();
        if !body.is_empty() {
            fields.push((Cow::Borrowed("content-type"), b"text/plain".to_vec()));
        }
        for edit in edits {
            let (FieldEdit::Set(name, _) | FieldEdit::Add(name, _) | FieldEdit::Remove(name)) =
                edit;
            if !matches!(edit, FieldEdit::Add(..)) {
                fields.retain(|(known, _)| *known != **name);
            }
            if let FieldEdit::Set(_, value) | FieldEdit::Add(_, value) = edit {
                fields.push((Cow::Owned(name.as_ref().to_owned()), value.clone()));
            }
        }
        Self::made(status, Source::Hook, fields, body)
    }

    /// What a browser wants to hear before it lets a page ask.
    pub(super) fn preflight(edits: HeaderEdits) -> Self {
        let field = |name: Arc<str>, change| match change {
            Change::Set(value) | Change::Add(value) => {
                let value = value.render(&mut |_, _| {})?;
                Some((Cow::Owned(name.as_ref().to_owned()), value))
            }
            Change::Remove => None,
        };
        let fields = edits
            .into_iter()
            .filter_map(|edit| field(edit.name, edit.change));
        Self::made(200, Source::Preflight, fields.collect(), Bytes::new())
    }

    /// What a fault refuses a request with.
    pub(super) fn fault(abort: Abort) -> Self {
        let kind = ErrorKind::FaultInjected;
        let grpc = abort.grpc;
        Self::Made(Box::new(Made {
            kind: Some(kind),
            status: abort.status,
            grpc: Some(grpc.unwrap_or_else(|| grpc::status_of_http(abort.status) as u8)),
            source: Source::Route,
            fields: vec![(Cow::Borrowed("content-type"), b"text/plain".to_vec())],
            body: Bytes::from(compose::text(kind)),
        }))
    }

    /// What a limit refuses a request with; `wait` is how long another try should wait.
    pub(super) fn limited(status: u16, wait: Duration) -> Self {
        let kind = ErrorKind::RateLimited;
        let seconds = whole_seconds(wait).max(1).to_string();
        Self::Made(Box::new(Made {
            kind: Some(kind),
            status,
            grpc: None,
            source: Source::Route,
            fields: vec![
                (Cow::Borrowed("content-type"), b"text/plain".to_vec()),
                (Cow::Borrowed("retry-after"), seconds.into_bytes()),
            ],
            body: Bytes::from(compose::text(kind)),
        }))
    }

    /// The same with another body, unless that is empty.
    pub(super) fn saying(mut self, body: Vec<u8>) -> Self {
        if let Self::Made(made) = &mut self
            && !body.is_empty()
        {
            made.body = body.into();
        }
        self
    }

    /// What is refused because there is too much of it.
    pub(super) fn overloaded(kind: ErrorKind) -> Self {
        Self::Made(Box::new(Made {
            kind: Some(kind),
            status: kind.status(),
            grpc: None,
            source: Source::Route,
            fields: vec![
                (Cow::Borrowed("content-type"), b"text/plain".to_vec()),
                (Cow::Borrowed("retry-after"), OVERLOADED_WAIT.to_vec()),
            ],
            body: Bytes::from(compose::text(kind)),
        }))
    }

    fn made(
        status: u16,
        source: Source,
        fields: Vec<(Cow<'static, str>, Vec<u8>)>,
        body: Bytes,
    ) -> Self {
        Self::Made(Box::new(Made {
            kind: None,
            status,
            grpc: None,
            source,
            fields,
            body,
        }))
    }

    fn kind(&self) -> Option<ErrorKind> {
        match self {
            Self::Error(kind) => Some(*kind),
            Self::Made(made) => made.kind,
        }
    }

    /// The status where no gRPC is spoken.
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Error(kind) => kind.status(),
            Self::Made(made) => made.status,
        }
    }

    /// The status where gRPC is spoken.
    fn grpc_status(&self) -> u8 {
        match self {
            Self::Error(kind) => grpc::status_of(*kind) as u8,
            Self::Made(made) => made.grpc.unwrap_or_else(|| {
                let code = made.kind.map(grpc::status_of);
                code.unwrap_or_else(|| grpc::status_of_http(made.status)) as u8
            }),
        }
    }

    /// Notes what is answered.
    pub(super) fn note(&self, record: &mut Record) {
        record.status = self.status();
        if let Some(kind) = self.kind() {
            record.fail(kind);
        } else if let Self::Made(made) = self {
            record.source = made.source;
        }
    }
}

/// Rounded up: who waits as long is not too early.
pub(super) fn whole_seconds(time: Duration) -> u64 {
    let part = u64::from(time.subsec_nanos() > 0);
    time.as_secs().saturating_add(part)
}

/// How an answer is framed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) close: bool,
    pub(super) head_request: bool,
    pub(super) version: Version,
    /// A gRPC-Web client asked.
    pub(super) grpc_web: Option<grpc_web::Call>,
}

impl Default for Shape {
    /// For a head that nothing is known of.
    fn default() -> Self {
        Self {
            close: true,
            head_request: false,
            version: Version::Http11,
            grpc_web: None,
        }
    }
}

impl Shape {
    /// An answer that ends the connection.
    pub(super) fn closing(facts: Facts) -> Self {
        let head_request = matches!(facts.method, RequestMethod::Head);
        Self {
            close: true,
            head_request,
            version: facts.version,
            grpc_web: facts.grpc_web,
        }
    }
}

/// A gRPC client that has had a part of its answer learns from trailers how it ended.
pub(super) fn grpc_trailers(kind: ErrorKind) -> HeaderMap {
    let mut fields = HeaderMap::with_capacity(2);
    let code = grpc::status_of(kind).as_str();
    fields.insert("grpc-status", HeaderValue::from_static(code));
    if let Ok(message) = HeaderValue::from_str(&grpc::message(kind.code())) {
        fields.insert("grpc-message", message);
    }
    fields
}

/// Resets the connection at its close: what was cut must not look complete.
pub(super) fn cut(conn: &Downstream) {
    conn.io.socket().reset_on_close();
}
