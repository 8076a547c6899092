//! Passing an answer's head on: reading it in the upstream's protocol, saying it in the client's.

use std::time::Duration;

use super::asking;
use super::client::{Beginning, Client};
use super::course::Course;
use super::exchange::Exchange;
use super::grpc_web;
use super::server::{Arrived, Interims};
use super::sink::Sink;
use super::source::{Broken, response_body};
use crate::error::{Error, ErrorKind};
use crate::protocol::edits::AnswerEdits;
use crate::protocol::grpc_web::Call;
use crate::protocol::head::values;
use crate::protocol::http1::{
    FieldStorage, RequestMethod, ResponseFraming, ResponseHead, parse_response,
};
use crate::protocol::{grpc, http2, websocket};
use crate::proxy::flow::Body;
use crate::proxy::http::UPSTREAM_HEAD;
use crate::proxy::link::Link;

/// What became of a head.
pub(crate) enum Step<'a> {
    /// An interim response; the sink has to be written out first.
    Interim(Option<Sink<'a>>),
    /// The client has the final head.
    Final(Final),
    /// The client has nothing of it: there is to be another attempt after this wait. `whole` where all
    /// of the answer has arrived, so that an HTTP/1 connection can carry another request.
    Again { wait: Duration, whole: bool },
    /// A hook has to be asked about it first; then it is to be passed on once more.
    Waits,
}

/// What follows a final head.
pub(crate) struct Final {
    /// Behind an HTTP/1 head.
    pub(crate) body: Body,
    /// Whether an HTTP/1 connection can carry another request after the body.
    pub(crate) keep_upstream: bool,
    /// Bytes of another protocol follow.
    pub(crate) tunnel: bool,
    /// The client waits for a body.
    pub(crate) announces: bool,
}

/// Reads a head and passes it on.
///
/// # Errors
/// `UpstreamProtocol` where it can't be read, makes no sense or is one interim head too many;
/// `DownstreamClosed`.
pub(crate) fn pass_on<'a>(
    exchange: &Exchange<'_>,
    client: &mut Client<'a>,
    arrived: &Arrived,
    link: &Link,
    (interims, course): (&mut Interims, &mut Course<'_, '_>),
) -> Result<Step<'a>, Error> {
    let facts = client.facts;
    let mut storage = FieldStorage::new();
    let head = match arrived {
        Arrived::Http1(buffer, len) => {
            let bytes = buffer.get(..*len).unwrap_or_default();
            parse_response(bytes, &mut storage, &UPSTREAM_HEAD, facts.method)
        }
        Arrived::Http2(parts, body) => {
            let ended = body.as_ref().is_some_and(h2::RecvStream::is_end_stream);
            let method = asked(exchange, link);
            http2::response::read_response(parts, ended, &mut storage, &UPSTREAM_HEAD, method)
        }
    }
    .map_err(|_| ErrorKind::UpstreamProtocol)?;
    let current = client.conn.listener.current();
    if head.is_interim() {
        // Before it is said: h2 sends it at once.
        interims.count()?;
        let own = AnswerEdits {
            via: current.listener.wire.http.via.as_deref(),
            fields: None,
        };
        return client.interim(&head, own).map(Step::Interim);
    }
    if let Some(step) = asking::look(exchange, client, (&head, arrived), course)? {
        return Ok(step);
    }
    note(exchange, &head);
    if exchange.plan.hooked.edits_answer && !is_all(&head, arrived) {
        return begin_edited(exchange, client, (head, arrived), link).map(Step::Final);
    }
    let Some(call) = answers_call(exchange, &head) else {
        return begin(exchange, client, (&head, arrived), link).map(Step::Final);
    };
    let kind = values(head.fields, "content-type").next();
    let kind = call.answer_type(kind.unwrap_or_default());
    let told = values(head.fields, "grpc-status").next().is_some();
    let all = is_all(&head, arrived);
    let head = ResponseHead {
        fields: &grpc_web::retyped(head.fields, &kind),
        length: None,
        framing: if all {
            head.framing
        } else {
            ResponseFraming::Chunked
        },
        ..head
    };
    let ended = begin(exchange, client, (&head, arrived), link)?;
    if !all {
        client.answers_call(call.takes, told);
    }
    Ok(Step::Final(ended))
}

/// Begins an answer whose body filters may change: nobody knows its length before.
fn begin_edited(
    exchange: &Exchange<'_>,
    client: &mut Client<'_>,
    (head, arrived): (ResponseHead<'_, '_>, &Arrived),
    link: &Link,
) -> Result<Final, Error> {
    let came = head.framing;
    let head = ResponseHead {
        length: None,
        framing: ResponseFraming::Chunked,
        ..head
    };
    let ended = begin(exchange, client, (&head, arrived), link)?;
    Ok(Final {
        keep_upstream: ended.keep_upstream && came != ResponseFraming::UntilClose,
        body: if ended.tunnel {
            ended.body
        } else {
            response_body(came)
        },
        ..ended
    })
}

/// Whether it is gRPC's answer to a bridged call; any other is the client's to make something of.
fn answers_call(exchange: &Exchange<'_>, head: &ResponseHead<'_, '_>) -> Option<Call> {
    let kind = values(head.fields, "content-type").next();
    let call = exchange.plan.grpc_web;
    call.filter(|_| kind.is_some_and(grpc::is_grpc))
}

/// Begins the client's answer.
fn begin(
    exchange: &Exchange<'_>,
    client: &mut Client<'_>,
    (head, arrived): (&ResponseHead<'_, '_>, &Arrived),
    link: &Link,
) -> Result<Final, Error> {
    let facts = client.facts;
    let current = client.conn.listener.current();
    let fields = exchange.record.borrow();
    let fields = fields.field_edits(head.status, head.fields);
    let own = AnswerEdits {
        via: current.listener.wire.http.via.as_deref(),
        fields: fields.as_ref(),
    };
    let tunnel = opens_tunnel(exchange, head, link)?;
    let ends = !tunnel && is_all(head, arrived);
    if ends {
        // Before the client can know of it, as behind a body (`Pump`).
        link.rest();
    }
    let how = Beginning {
        keep_alive: facts.keep_alive
            && !facts.upgrade
            && !client.conn.should_close()
            && exchange.activity.uploaded.get(),
        ends,
        tunnel,
    };
    let translated = tunnel && facts.upgrade && client.is_http2() != matches!(link, Link::Http2(_));
    if translated {
        let key = exchange.plan.heads.websocket_key();
        if client.is_http2() && !answers(head, key) {
            return Err(ErrorKind::UpstreamProtocol.into());
        }
        client.switch(head, own, key)?;
    } else {
        client.begin(head, own, how)?;
    }
    Ok(Final {
        keep_upstream: head.keep_alive && head.framing != ResponseFraming::UntilClose && !tunnel,
        body: if tunnel {
            Body::UntilEnd
        } else {
            response_body(head.framing)
        },
        tunnel,
        announces: !tunnel && !is_all(head, arrived),
    })
}

fn note(exchange: &Exchange<'_>, head: &ResponseHead<'_, '_>) {
    let mut record = exchange.record.borrow_mut();
    let grpc = exchange.plan.facts.grpc;
    if grpc {
        record.grpc_status = grpc_status(exchange, head);
    }
    if grpc && record.grpc_status.is_none() && head.status == 200 {
        record.answered_call(head.status);
    } else {
        record.answered(head.status);
    }
}

/// A response of trailers alone carries a call's status in its head.
pub(super) fn grpc_status(exchange: &Exchange<'_>, head: &ResponseHead<'_, '_>) -> Option<u32> {
    let status = values(head.fields, "grpc-status").next();
    let status = status.filter(|_| exchange.plan.facts.grpc);
    status.and_then(grpc::parse_status)
}

/// What was asked of an HTTP/2 upstream: a WebSocket begins with CONNECT there.
fn asked(exchange: &Exchange<'_>, link: &Link) -> RequestMethod {
    if exchange.asks_for_tunnel(link) {
        RequestMethod::Connect
    } else {
        exchange.plan.facts.method
    }
}

/// Whether nothing follows a head. After one of HTTP/2 trailers may follow, whatever its length is.
fn is_all(head: &ResponseHead<'_, '_>, arrived: &Arrived) -> bool {
    match arrived {
        Arrived::Http1(..) => head.framing.is_empty(),
        Arrived::Http2(_, body) => body.as_ref().is_none_or(h2::RecvStream::is_end_stream),
    }
}

/// Whether an HTTP/1 connection has nothing more to give than what was read of it.
pub(super) fn has_arrived(head: &ResponseHead<'_, '_>, arrived: &Arrived) -> bool {
    let Arrived::Http1(buffer, len) = arrived else {
        return false;
    };
    let body = buffer.len().saturating_sub(*len) as u64;
    match head.framing {
        ResponseFraming::None => body == 0,
        ResponseFraming::Length(length) => body == length,
        ResponseFraming::Chunked | ResponseFraming::UntilClose => false,
    }
}

/// Whether the upstream has agreed to what the client asked for: 101 of HTTP/1, 2xx of HTTP/2.
fn opens_tunnel(
    exchange: &Exchange<'_>,
    head: &ResponseHead<'_, '_>,
    link: &Link,
) -> Result<bool, Error> {
    let facts = exchange.plan.facts;
    let agreed = (200..300).contains(&head.status);
    match link {
        Link::Http1(_) if head.status == 101 && facts.upgrade => Ok(true),
        // Nobody asked, or nothing that HTTP/2 knows.
        _ if head.status == 101 => Err(ErrorKind::UpstreamProtocol.into()),
        Link::Http1(_) => Ok(false),
        Link::Http2(_) => Ok(agreed && exchange.asks_for_tunnel(link)),
    }
}

/// RFC 6455 §4.1: the upstream has to show that it read our key.
fn answers(head: &ResponseHead<'_, '_>, key: Option<&[u8]>) -> bool {
    let expected = key.and_then(websocket::accept_key);
    let shown = values(head.fields, "sec-websocket-accept").next();
    expected.is_some_and(|expected| shown == Some(&expected[..]))
}

/// Why passing a body on failed.
pub(crate) fn download_failed(broken: &Broken) -> Error {
    match broken {
        Broken::From => ErrorKind::UpstreamReset.into(),
        Broken::Framing | Broken::TooLarge => ErrorKind::UpstreamProtocol.into(),
        Broken::Hook => ErrorKind::HookFailed.into(),
        Broken::To => ErrorKind::DownstreamClosed.into(),
    }
}
