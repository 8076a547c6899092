//! A client in either version: sends a request, then a canary, and reads what comes back.

use std::future::poll_fn;

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::{spawn_local, yield_now};

use crate::answer::{header_map, lines_of};
use crate::exchange::Ask;
use crate::http2;
use crate::message::{self, Response};

/// Sends bytes in parts of this size, and reads to the end. The proxy runs between the parts.
pub async fn http1(mut stream: UnixStream, bytes: &[u8], part: usize) -> Vec<u8> {
    let (mut reader, mut writer) = stream.split();
    let writing = async {
        for part in bytes.chunks(part.max(1)) {
            if writer.write_all(part).await.is_err() {
                return;
            }
            yield_now().await;
            yield_now().await;
        }
        let _ = writer.shutdown().await;
    };
    let mut received = Vec::new();
    let reading = async { while let Ok(1..) = reader.read_buf(&mut received).await {} };
    tokio::join!(writing, reading);
    received
}

/// Sends a request frame by frame, and the canary once it is over.
///
/// # Panics
/// When the connection still stands and the canary isn't answered.
pub async fn http2_frames(mut stream: UnixStream, ask: &Ask) {
    let mut out = http2::BEGINNING.to_vec();
    http2::request(&mut out, 1, ask);
    if stream.write_all(&out).await.is_err() {
        return;
    }
    let mut received = Vec::new();
    for number in [1, 3] {
        while !http2::is_over(&received, number) {
            match stream.read_buf(&mut received).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return,
            }
        }
        let mut next = Vec::new();
        http2::request(&mut next, 3, &Ask::canary());
        if number == 1 && stream.write_all(&next).await.is_err() {
            return;
        }
    }
}

/// An answer over HTTP/2 as far as it came.
#[derive(Debug, Clone, Default)]
pub struct Got {
    /// What came of it.
    pub response: Response,
    /// It came to its end.
    pub whole: bool,
    /// Statuses before it.
    pub interims: Vec<u16>,
}

/// Sends a tame request and the canary by the h2 crate; `None` where there was no head.
///
/// # Panics
/// When the crate can't send it.
pub async fn http2_crate(stream: UnixStream, asks: [&Ask; 2]) -> [Option<Got>; 2] {
    let handshake = h2::client::handshake(stream).await;
    let (requests, connection) = handshake.expect("a handshake");
    spawn_local(async move {
        let _ = connection.await;
    });
    [
        one(requests.clone(), asks[0]).await,
        one(requests, asks[1]).await,
    ]
}

async fn one(requests: SendRequest<Bytes>, ask: &Ask) -> Option<Got> {
    let mut requests = requests.ready().await.expect("room for a stream");
    let path = std::str::from_utf8(&ask.path).expect("a tame path");
    let authority = ask.authority.as_deref().unwrap_or_default();
    let authority = std::str::from_utf8(authority).expect("a tame authority");
    let mut request = http::Request::new(());
    *request.method_mut() = http::Method::from_bytes(&ask.method).expect("a tame method");
    *request.uri_mut() = http::Uri::builder()
        .scheme("http")
        .authority(authority)
        .path_and_query(path)
        .build()
        .expect("a tame target");
    *request.headers_mut() = header_map(&ask.lines);
    if let Some(length) = ask.length {
        request
            .headers_mut()
            .append("content-length", length.into());
    }
    let trailers = header_map(&ask.trailers);
    let alone = ask.pieces.is_empty() && trailers.is_empty();
    let (answer, mut body) = requests
        .send_request(request, alone)
        .expect("a tame request");
    for (index, piece) in ask.pieces.iter().enumerate() {
        let last = trailers.is_empty() && index + 1 == ask.pieces.len();
        // Fails when the answer came before and said that no more is wanted.
        let _ = body.send_data(Bytes::copy_from_slice(piece), last);
        yield_now().await;
    }
    if !trailers.is_empty() {
        let _ = body.send_trailers(trailers);
    }
    read(answer).await
}

async fn read(mut answer: h2::client::ResponseFuture) -> Option<Got> {
    let mut got = Got::default();
    while let Some(interim) = poll_fn(|cx| answer.poll_informational(cx)).await {
        got.interims.push(interim.ok()?.status().as_u16());
    }
    let (parts, mut body) = answer.await.ok()?.into_parts();
    got.response.status = parts.status.as_u16();
    got.response.fields = message::of_response(&lines_of(&parts.headers));
    while let Some(piece) = body.data().await {
        let Ok(piece) = piece else {
            return Some(got);
        };
        let _ = body.flow_control().release_capacity(piece.len());
        got.response.body.extend_from_slice(&piece);
    }
    if let Ok(trailers) = body.trailers().await {
        got.whole = true;
        let lines = trailers.map(|map| lines_of(&map)).unwrap_or_default();
        got.response.trailers = message::of_trailers(&lines);
    }
    Some(got)
}
