//! What an answer of ours says, before its client's version of HTTP is of interest.

use std::borrow::Cow;

use bytes::Bytes;

use super::Reply;
use crate::error::ErrorKind;
use crate::protocol::head::Field;
use crate::protocol::{grpc, grpc_web};
use crate::proxy::http::record::Record;

/// Bytes of a body that a gRPC client is told as its status's message, which is a field of a head.
const GRPC_MESSAGE_BYTES: usize = 1024;

/// How a client reads answers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    Plain,
    /// A gRPC status in a head that is all; in gRPC-Web's way for such a call.
    Grpc(Option<grpc_web::Call>),
}

/// An answer as it goes out, whatever protocol it leaves by.
pub(super) struct Composed<'a> {
    pub(super) status: u16,
    pub(super) fields: Vec<(Cow<'a, str>, Cow<'a, [u8]>)>,
    pub(super) body: Bytes,
}

impl<'a> Composed<'a> {
    /// What `reply` says in this form, changed as the route wants it.
    pub(super) fn of(reply: &'a Reply, form: Form, record: &mut Record) -> Self {
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
            composed.become_grpc(reply.grpc_status(), call, record);
        }
        record.status = composed.status;
        composed.edit(record);
        composed
    }

    fn become_grpc(&mut self, code: u8, call: Option<grpc_web::Call>, record: &mut Record) {
        record.grpc_status = Some(u32::from(code));
        let length = self.body.len().min(GRPC_MESSAGE_BYTES);
        let text = String::from_utf8_lossy(self.body.get(..length).unwrap_or_default());
        let message = grpc::message(text.trim_end()).into_owned();
        self.fields.retain(|(name, _)| name != "content-type");
        self.fields
            .push((Cow::Borrowed("content-type"), answer_type(call)));
        let code = Cow::Owned(code.to_string().into_bytes());
        self.fields.push((Cow::Borrowed("grpc-status"), code));
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

/// The body that tells of an error.
pub(super) fn text(kind: ErrorKind) -> String {
    let mut text = kind.code().replace('_', " ");
    text.push('\n');
    text
}
