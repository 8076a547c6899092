//! A check by a request of HTTP/2: one of HTTP, or a call of gRPC's health service.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};

use super::Around;
use super::line::{Answer, Spoken, authority, connect, fields, verdict};
use super::probe::Failure;
use super::subject::Target;
use crate::pool::Age;
use crate::pool::http2::{self, Connections, StreamLease};
use crate::protocol::{grpc, grpc_health};
use crate::runtime::clock;
use crate::snapshot::Leases;
use crate::telemetry::ClusterStats;
use crate::tls::io::Io;
use crate::wire::HealthCheck;
use crate::wire::health_check::{GrpcCheck, HttpCheck};

/// Bytes of a body that are read; a connection whose answer is longer is closed.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// A request, ready to be sent.
#[derive(Clone)]
pub(super) struct Question<'c> {
    request: Request<()>,
    body: Bytes,
    /// `None`: a gRPC call.
    http: Option<&'c HttpCheck>,
}

impl<'c> Question<'c> {
    /// A request whose answer's status counts.
    pub(super) fn http(
        target: &Target,
        check: &HealthCheck,
        http: &'c HttpCheck,
    ) -> Result<Self, Failure> {
        let authority = authority(target, check, http.host.as_deref());
        let mut request = request(target, &http.method, &authority, &http.path)?;
        for (name, value) in fields(http) {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsendable())?;
            let value = HeaderValue::from_str(value).map_err(|_| unsendable())?;
            request.headers_mut().append(name, value);
        }
        Ok(Self {
            request,
            body: Bytes::new(),
            http: Some(http),
        })
    }

    /// A call whose answer says whether a service serves.
    pub(super) fn grpc(
        target: &Target,
        check: &HealthCheck,
        grpc: &GrpcCheck,
    ) -> Result<Self, Failure> {
        let authority = authority(target, check, grpc.authority.as_deref());
        let mut request = request(target, "POST", &authority, grpc_health::PATH)?;
        let timeout = grpc::timeout_text(Duration::from_millis(check.timeout_ms));
        let timeout = HeaderValue::from_bytes(timeout.as_bytes()).map_err(|_| unsendable())?;
        let headers = request.headers_mut();
        headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        headers.insert("te", HeaderValue::from_static("trailers"));
        headers.insert("grpc-timeout", timeout);
        Ok(Self {
            request,
            body: grpc_health::question(&grpc.service).into(),
            http: None,
        })
    }

    /// Asks on a stream.
    ///
    /// # Errors
    /// There was no answer.
    pub(super) async fn ask(self, stream: &StreamLease) -> Result<Answer, Failure> {
        let mut requests = stream.requests().ready().await.map_err(lost)?;
        let ends = self.body.is_empty();
        let (answer, mut sends) = requests.send_request(self.request, ends).map_err(lost)?;
        if !ends {
            sends.send_data(self.body, true).map_err(lost)?;
        }
        let (head, mut body) = answer.await.map_err(lost)?.into_parts();
        let (bytes, whole) = read(&mut body).await?;
        let verdict = match self.http {
            Some(http) => verdict(http, head.status.as_u16()),
            None if head.status != 200 => Err(format!("status {}", head.status.as_u16())),
            None => {
                let trailers = body.trailers().await.map_err(lost)?;
                serves(&head.headers, trailers.as_ref(), &bytes)
            }
        };
        Ok(Answer {
            verdict,
            reusable: whole,
        })
    }
}

/// A stream on the connection that is kept, or on a new one.
pub(super) async fn stream(
    connections: &Connections,
    around: &Around,
    target: &Target,
    check: &HealthCheck,
) -> Result<StreamLease, Failure> {
    if let Some(stream) = connections.lend(&target.cluster.wire) {
        return Ok(stream);
    }
    let io = connect(target, check, Spoken::Http2).await?;
    begin(connections, io, around, target).await
}

/// The first stream of a new connection.
pub(super) async fn begin(
    connections: &Connections,
    io: Io,
    around: &Around,
    target: &Target,
) -> Result<StreamLease, Failure> {
    // Counted nowhere: limits and numbers are those of requests.
    let lease = Leases::default().enter(0).ok_or_else(unsendable)?;
    let stats = Arc::<ClusterStats>::default();
    let age = Age::new(clock::now(), around.draw());
    let counted = (lease, &stats, age);
    let made = http2::connect(io, &around.buffers, &target.cluster.wire, counted).await;
    let connection = made.map_err(|_| "HTTP/2 could not be begun".to_owned())?;
    Ok(connections.add(connection))
}

fn request(
    target: &Target,
    method: &str,
    authority: &str,
    path: &str,
) -> Result<Request<()>, Failure> {
    let scheme = match target.cluster.tls_h2 {
        Some(_) => Scheme::HTTPS,
        None => Scheme::HTTP,
    };
    let authority = Authority::try_from(authority).map_err(|_| unsendable())?;
    let path = PathAndQuery::try_from(path).map_err(|_| unsendable())?;
    let uri = Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query(path)
        .build()
        .map_err(|_| unsendable())?;
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(method.as_bytes()).map_err(|_| unsendable())?;
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_2;
    Ok(request)
}

/// What gRPC's health service answered.
fn serves(head: &HeaderMap, trailers: Option<&HeaderMap>, body: &[u8]) -> Result<(), Failure> {
    // Without a message the head is the trailers.
    let status = trailers.unwrap_or(head).get("grpc-status");
    let status = status.and_then(|value| grpc::parse_status(value.as_bytes()));
    match (status, grpc_health::answer(body)) {
        (Some(0), Some(grpc_health::Status::Serving)) => Ok(()),
        (Some(0), Some(grpc_health::Status::NotServing)) => Err("it is not serving".to_owned()),
        (Some(0), None) => Err("the answer is malformed".to_owned()),
        (Some(12), _) => Err("the server has no grpc.health.v1.Health".to_owned()),
        (Some(status), _) => Err(format!("gRPC status {status}")),
        (None, _) => Err("the answer is not gRPC's".to_owned()),
    }
}

/// The body as far as it is of use, and whether it is whole.
async fn read(body: &mut RecvStream) -> Result<(Vec<u8>, bool), Failure> {
    let mut kept = Vec::new();
    let mut length = 0_usize;
    while let Some(piece) = body.data().await {
        let piece = piece.map_err(lost)?;
        // Fails on a stream that has ended, where no more is wanted.
        let _ = body.flow_control().release_capacity(piece.len());
        let room = grpc_health::ANSWER_BYTES_MAX.saturating_sub(kept.len());
        kept.extend(piece.iter().take(room));
        length = length.saturating_add(piece.len());
        if length > BODY_BYTES_MAX {
            return Ok((kept, false));
        }
    }
    Ok((kept, true))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err takes"
)]
fn lost(error: h2::Error) -> Failure {
    format!("no answer: {error}")
}

fn unsendable() -> Failure {
    "the check can't be written in HTTP/2".to_owned()
}
