//! An upstream that writes down what it reads, and what it answered.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::spawn_local;

use crate::answer::{self, Answer, Told};
use crate::exchange::{self, CANARY};
use crate::http1::{self, Read};
use crate::message::{self, Request};
use crate::stage::Speaks;

/// A request that came whole, and its answer.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What it says.
    pub request: Request,
    /// Trailers could stand behind it.
    pub carries_trailers: bool,
    /// It asks for a tunnel, as an extended CONNECT or by Upgrade.
    pub tunnel: bool,
    /// What the answer says.
    pub told: Told,
}

/// All that it saw, and the answer to what isn't the canary.
#[derive(Debug)]
pub struct Upstream {
    /// In their order.
    pub seen: RefCell<Vec<Seen>>,
    answer: Answer,
}

impl Upstream {
    /// Begins to serve.
    pub fn begin(listener: Rc<UnixListener>, speaks: Speaks, answer: Answer) -> Rc<Self> {
        let upstream = Rc::new(Self {
            seen: RefCell::default(),
            answer,
        });
        let accepting = Rc::clone(&upstream);
        spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = Rc::clone(&accepting);
                spawn_local(async move {
                    match speaks {
                        Speaks::Http1 => serving.http1(stream).await,
                        Speaks::Http2 => serving.http2(stream).await,
                    }
                });
            }
        });
        upstream
    }

    fn answer(&self, request: &Request) -> Answer {
        if request.path == CANARY.as_bytes() {
            Answer::canary()
        } else {
            self.answer.clone()
        }
    }

    async fn http1(&self, mut stream: UnixStream) {
        let mut bytes = Vec::new();
        loop {
            match http1::request(&bytes) {
                Read::Broken => panic!("the proxy wrote {}", bytes.escape_ascii()),
                Read::Partial => match stream.read_buf(&mut bytes).await {
                    Ok(1..) => {}
                    Ok(0) | Err(_) => return,
                },
                Read::Whole(message) => {
                    http1::check_strict(&bytes, &message);
                    bytes.drain(..message.length);
                    if !self.answer_http1(&message, &mut stream).await {
                        return;
                    }
                }
            }
        }
    }

    /// Says whether the connection goes on.
    async fn answer_http1(&self, message: &http1::Message, stream: &mut UnixStream) -> bool {
        message::check_trusted(&message.lines);
        let mut request = exchange::of_http1(message);
        message::take_via(&mut request.fields);
        let answer = self.answer(&request);
        let bytes = answer.http1(&request.method);
        let told = answer::told_over_http1(&bytes, &request.method, true);
        let stays = told.stays;
        self.seen.borrow_mut().push(Seen {
            request,
            carries_trailers: exchange::carries_trailers(message.framing),
            tunnel: !message::values(&message.lines, "upgrade").is_empty(),
            told,
        });
        stream.write_all(&bytes).await.is_ok() && stays
    }

    async fn http2(self: Rc<Self>, stream: UnixStream) {
        let mut builder = h2::server::Builder::new();
        builder.enable_connect_protocol();
        let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else {
            return;
        };
        while let Some(Ok((request, respond))) = connection.accept().await {
            let upstream = Rc::clone(&self);
            spawn_local(async move { upstream.stream(request, respond).await });
        }
    }

    async fn stream(
        &self,
        request: http::Request<h2::RecvStream>,
        respond: h2::server::SendResponse<Bytes>,
    ) {
        let (parts, body) = request.into_parts();
        let protocol = parts.extensions.get::<h2::ext::Protocol>().is_some();
        // A tunnel's bytes come once it is open.
        let Some((bytes, trailers)) = (match protocol {
            true => Some((Vec::new(), None)),
            false => read(body).await,
        }) else {
            return;
        };
        let lines = answer::lines_of(&parts.headers);
        message::check_trusted(&lines);
        let mut request = Request {
            method: match protocol {
                true => b"GET".to_vec(),
                false => parts.method.as_str().into(),
            },
            authority: parts
                .uri
                .authority()
                .map_or(&b""[..], |a| a.as_str().as_bytes())
                .into(),
            path: parts
                .uri
                .path_and_query()
                .map_or(&b""[..], |p| p.as_str().as_bytes())
                .into(),
            fields: message::of_request(&lines),
            body: bytes,
            trailers: trailers.map(|map| answer::lines_of(&map)).map_or_else(
                message::Fields::default,
                |lines| {
                    let passing = message::of_trailers(&lines);
                    assert_eq!(passing.values().flatten().count(), lines.len(), "{lines:?}");
                    passing
                },
            ),
        };
        message::take_via(&mut request.fields);
        self.answer_http2(request, protocol, respond).await;
    }

    async fn answer_http2(
        &self,
        request: Request,
        tunnel: bool,
        mut respond: h2::server::SendResponse<Bytes>,
    ) {
        let answer = self.answer(&request);
        let method = request.method.clone();
        let head = answer.http2_head(&method);
        self.seen.borrow_mut().push(Seen {
            request,
            carries_trailers: true,
            tunnel,
            told: answer.told_over_http2(&method, &head),
        });
        for status in &answer.interims {
            let mut interim = http::Response::new(());
            *interim.status_mut() = http::StatusCode::from_u16(*status).expect("three digits");
            let _ = respond.send_informational(interim);
        }
        let trailers = answer::header_map(&answer.trailers);
        let pieces = answer.http2_pieces(&method);
        let alone = pieces.is_empty() && trailers.is_empty();
        let Ok(mut stream) = respond.send_response(head, alone) else {
            return;
        };
        for (index, piece) in pieces.iter().enumerate() {
            let last = trailers.is_empty() && index + 1 == pieces.len();
            let _ = stream.send_data(Bytes::copy_from_slice(piece), last);
            tokio::task::yield_now().await;
        }
        if !trailers.is_empty() {
            let _ = stream.send_trailers(trailers);
        }
    }
}

/// A body and its trailers; `None` where it is cut.
async fn read(mut body: h2::RecvStream) -> Option<(Vec<u8>, Option<http::HeaderMap>)> {
    let mut bytes = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece.ok()?;
        let _ = body.flow_control().release_capacity(piece.len());
        bytes.extend_from_slice(&piece);
    }
    let trailers = body.trailers().await.ok()?;
    Some((bytes, trailers))
}
