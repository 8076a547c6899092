//! Answers that the proxy makes itself: what they say, in the form that the client reads.

mod send;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderValue};

use super::super::connection::Downstream;
use super::admit::Facts;
use super::record::{Record, Source};
use crate::error::ErrorKind;
use crate::protocol::head::{Field, Version};
use crate::protocol::http1::RequestMethod;
use crate::protocol::{grpc, grpc_web};
use crate::route::{Change, DirectResponse, HeaderEdits};

pub(super) use send::{SEND_TIME, send, send_http2};

/// Bytes of a body that a gRPC client is told as its status's message, which is a field of a head.
const GRPC_MESSAGE_BYTES: usize = 1024;

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

    fn made(
        status: u16,
        source: Source,
        fields: Vec<(Cow<'static, str>, Vec<u8>)>,
        body: Bytes,
    ) -> Self {
        Self::Made(Box::new(Made {
            kind: None,
            status,
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

/// How a client reads answers.
#[derive(Debug, Clone, Copy)]
enum Form {
    Plain,
    /// A gRPC status in a head that is all; in gRPC-Web's way for such a call.
    Grpc(Option<grpc_web::Call>),
}

/// An answer as it goes out, whatever protocol it leaves by.
struct Composed<'a> {
    status: u16,
    fields: Vec<(Cow<'a, str>, Cow<'a, [u8]>)>,
    body: Bytes,
}

impl<'a> Composed<'a> {
    /// What `reply` says in this form, changed as the route wants it.
    fn of(reply: &'a Reply, form: Form, record: &mut Record) -> Self {
        let kind = reply.kind();
        let mut fields = Vec::new();
        let body = match reply {
            Reply::Error(kind) => {
                put(&mut fields, "content-type", "text/plain");
                Bytes::from(text(*kind))
            }
            Reply::Made(made) => {
                let shown = |(name, value): &'a (Cow<'static, str>, Vec<u8>)| {
                    (Cow::Borrowed(&**name), Cow::Borrowed(&**value))
                };
                fields.extend(made.fields.iter().map(shown));
                made.body.clone()
            }
        };
        if let Some(kind) = kind {
            put(&mut fields, "x-meshcore-error", kind.code());
            explain(&mut fields, kind, record);
        }
        let mut composed = Self {
            status: reply.status(),
            fields,
            body,
        };
        if let Form::Grpc(call) = form {
            composed.become_grpc(kind, call, record);
        }
        record.status = composed.status;
        composed.edit(record);
        composed
    }

    fn become_grpc(
        &mut self,
        kind: Option<ErrorKind>,
        call: Option<grpc_web::Call>,
        record: &mut Record,
    ) {
        let code = kind.map_or_else(|| grpc::status_of_http(self.status), grpc::status_of);
        record.grpc_status = Some(u32::from(code as u8));
        let length = self.body.len().min(GRPC_MESSAGE_BYTES);
        let text = String::from_utf8_lossy(self.body.get(..length).unwrap_or_default());
        let message = grpc::message(text.trim_end()).into_owned();
        self.fields.retain(|(name, _)| name != "content-type");
        self.fields
            .push((Cow::Borrowed("content-type"), answer_type(call)));
        put(&mut self.fields, "grpc-status", code.as_str());
        if !message.is_empty() {
            let message = Cow::Owned(message.into_bytes());
            self.fields.push((Cow::Borrowed("grpc-message"), message));
        }
        self.status = 200;
        self.body = Bytes::new();
    }

    /// Changes what the route changes in answers, ours too.
    fn edit(&mut self, record: &Record) {
        let Some(answering) = &record.answering else {
            return;
        };
        let seen: Vec<Field<'_>> = self
            .fields
            .iter()
            .map(|(name, value)| Field { name, value })
            .collect();
        let edits = answering.of_answer(self.status, &seen, record);
        self.fields.retain(|(name, _)| !edits.hides(name));
        for (name, value) in edits.added() {
            let (name, value) = (name.to_owned(), value.to_vec());
            self.fields.push((Cow::Owned(name), Cow::Owned(value)));
        }
    }
}

fn put<'a>(
    fields: &mut Vec<(Cow<'a, str>, Cow<'a, [u8]>)>,
    name: &'static str,
    value: &'static str,
) {
    fields.push((Cow::Borrowed(name), Cow::Borrowed(value.as_bytes())));
}

/// What is told beside the code where the listener explains errors.
fn explain(fields: &mut Vec<(Cow<'_, str>, Cow<'_, [u8]>)>, kind: ErrorKind, record: &Record) {
    if !record.current.listener.wire.http.explain_errors {
        return;
    }
    let details = [
        ("x-meshcore-flags", kind.flag()),
        ("x-meshcore-route", record.route_name()),
        ("x-meshcore-cluster", record.cluster_name()),
    ];
    for (name, value) in details.into_iter().filter(|(_, value)| !value.is_empty()) {
        let value = Cow::Owned(value.as_bytes().to_vec());
        fields.push((Cow::Borrowed(name), value));
    }
}

/// The Content-Type of a gRPC status of ours.
fn answer_type(call: Option<grpc_web::Call>) -> Cow<'static, [u8]> {
    const GRPC: &[u8] = b"application/grpc";
    call.map_or(Cow::Borrowed(GRPC), |call| {
        Cow::Owned(call.answer_type(GRPC))
    })
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

fn text(kind: ErrorKind) -> String {
    let mut text = kind.code().replace('_', " ");
    text.push('\n');
    text
}

/// Resets the connection at its close: what was cut must not look complete.
pub(super) fn cut(conn: &Downstream) {
    conn.io.socket().reset_on_close();
}
