//! A call of Envoy's rate limit service, over its cluster's own connections.

use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use http::{HeaderMap, Request, StatusCode};

use super::{Ask, Decided};
use crate::error::ErrorKind;
use crate::policy::rate_limit::{Key, Verdict};
use crate::pool::http2::StreamLease;
use crate::pool::{ClusterRun, InFlight, Tried};
use crate::protocol::grpc;
use crate::proxy::link::{Link, Speaks, obtain_link};
use crate::proxy::upstream;
use crate::proxy::worker::Worker;
use crate::remote::rls::{ANSWER_BYTES_MAX, Answer, PATH, Question};

/// Bytes before a message of gRPC: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// Connections tried for one question: one that takes no more requests has seen nothing of it.
const TRIES: u32 = 2;

/// Asks for one request.
pub(super) async fn ask(
    worker: &Rc<Worker>,
    cluster: &Rc<ClusterRun>,
    (domain, timeout): (&str, Duration),
    ask: &Ask,
) -> Result<Decided, ErrorKind> {
    let limit = &ask.limit.limit;
    let name = ("generic_key", limit.name.as_bytes());
    let subject = match limit.key() {
        Key::Route => None,
        Key::SourceAddress => Some("remote_address"),
        Key::Identity => Some("identity"),
        Key::Header(name) => Some(&**name),
    };
    let both = [name, (subject.unwrap_or_default(), &ask.subject[..])];
    let entries = both.get(..1 + usize::from(subject.is_some()));
    let question = Question {
        domain,
        entries: entries.unwrap_or_default(),
    };
    let message = framed(&question);
    for _ in 0..TRIES {
        let (flight, lease) = stream(worker, cluster).await?;
        let request = request(&flight, timeout).map_err(|_| ErrorKind::UpstreamProtocol)?;
        let Ok(mut requests) = lease.requests().ready().await else {
            lease.retire();
            continue;
        };
        let Ok((response, mut body)) = requests.send_request(request, false) else {
            lease.retire();
            continue;
        };
        let sent = body.send_data(message.clone(), true);
        sent.map_err(|error| failed(&lease, &error))?;
        let response = response.await.map_err(|error| failed(&lease, &error))?;
        let (head, body) = response.into_parts();
        if head.status != StatusCode::OK {
            return Err(ErrorKind::UpstreamProtocol);
        }
        return read(&lease, &head.headers, body).await.map(decided);
    }
    Err(ErrorKind::UpstreamReset)
}

fn framed(question: &Question<'_>) -> Bytes {
    let mut message = vec![0; PREFIX_BYTES];
    question.write(&mut message);
    let len = message.len().saturating_sub(PREFIX_BYTES);
    let len = u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes();
    if let Some(place) = message.get_mut(1..PREFIX_BYTES) {
        place.copy_from_slice(&len);
    }
    message.into()
}

/// A stream; where a connection has to be made for it, that goes on when who asks loses patience.
async fn stream(
    worker: &Rc<Worker>,
    cluster: &Rc<ClusterRun>,
) -> Result<(InFlight, StreamLease), ErrorKind> {
    let (worker, cluster) = (Rc::clone(worker), Rc::clone(cluster));
    let obtaining = tokio::task::spawn_local(async move {
        let ask = upstream::Ask {
            reuse: true,
            client: None,
            local: None,
        };
        let mut tried = Tried::default();
        obtain_link(&worker, &cluster, &mut tried, (ask, Speaks::Http2)).await
    });
    let obtained = obtaining.await.map_err(|_| ErrorKind::UpstreamConnect)?;
    match obtained.map_err(|error| error.kind)? {
        (flight, Link::Http2(lease)) => Ok((flight, lease)),
        (_, Link::Http1(_)) => Err(ErrorKind::UpstreamProtocol),
    }
}

fn request(flight: &InFlight, timeout: Duration) -> http::Result<Request<()>> {
    let endpoint = &flight.run().endpoint.text;
    // A unix socket has no name that a request could bear.
    let host: &str = if endpoint.contains('/') {
        "localhost"
    } else {
        endpoint
    };
    Request::post(format!("http://{host}{PATH}"))
        .version(http::Version::HTTP_2)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", grpc::timeout_text(timeout).as_bytes())
        .body(())
}

fn failed(lease: &StreamLease, error: &h2::Error) -> ErrorKind {
    if error.is_go_away() || error.is_io() {
        lease.retire();
    }
    ErrorKind::UpstreamReset
}

/// Reads the one message of an answer, and whether the call went well.
async fn read(
    lease: &StreamLease,
    head: &HeaderMap,
    mut body: RecvStream,
) -> Result<Answer, ErrorKind> {
    let mut bytes = Vec::new();
    while let Some(data) = poll_fn(|cx| body.poll_data(cx)).await {
        let data = data.map_err(|error| failed(lease, &error))?;
        let _ = body.flow_control().release_capacity(data.len());
        bytes.extend_from_slice(&data);
        if bytes.len() > ANSWER_BYTES_MAX {
            return Err(ErrorKind::UpstreamProtocol);
        }
    }
    let trailers = poll_fn(|cx| body.poll_trailers(cx)).await;
    let trailers = trailers.map_err(|error| failed(lease, &error))?;
    let status = trailers.as_ref().unwrap_or(head).get("grpc-status");
    if status.is_none_or(|status| status != "0") {
        return Err(ErrorKind::UpstreamProtocol);
    }
    let Some((prefix, message)) = bytes.split_at_checked(PREFIX_BYTES) else {
        return Err(ErrorKind::UpstreamProtocol);
    };
    let [0, len @ ..] = prefix else {
        return Err(ErrorKind::UpstreamProtocol);
    };
    let told = len
        .iter()
        .fold(0, |len, byte| len << 8 | usize::from(*byte));
    if told != message.len() {
        return Err(ErrorKind::UpstreamProtocol);
    }
    Answer::read(message).map_err(|_| ErrorKind::UpstreamProtocol)
}

fn decided(answer: Answer) -> Decided {
    let verdict = |told: crate::remote::rls::Told| {
        let reset = Duration::from_secs(told.reset);
        Verdict {
            wait: answer.over.then_some(reset),
            limit: told.limit,
            remaining: told.remaining.into(),
            reset,
        }
    };
    Decided {
        refused: answer.over,
        told: answer.told.map(verdict),
        fields: answer.fields,
        body: answer.body,
    }
}
