//! HTTP/2 over cleartext by prior knowledge: several streams at once on each connection.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::client::{Builder, SendRequest};
use h2::{Reason, RecvStream};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, TE};
use http::{HeaderMap, Method, Request, Uri, Version};
use tokio::task::{JoinHandle, spawn_local};

use crate::body::BodyCheck;
use crate::options::{Expect, Options};
use crate::pace::{Watchdog, now};
use crate::run::Job;
use crate::stream::Stream;
use crate::tally::{Failure, Kind};
use crate::trickle::Trickle;

/// Far more than an answer has: a proxy never waits for this client's windows.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// A gRPC message follows a flag and its length.
const GRPC_PREFIX: usize = 5;

/// What is asked on every stream, and what the answer must be.
pub(crate) struct Ask {
    request: Request<()>,
    body: Bytes,
    grpc: bool,
    expect: Expect,
    check: Option<BodyCheck>,
}

impl Ask {
    pub(crate) fn new(options: &Options) -> Result<Self, String> {
        if format!("{}{}", options.host, options.path).contains('{') {
            return Err("running numbers are for HTTP/1.1".to_owned());
        }
        let mut request = Request::new(());
        *request.version_mut() = Version::HTTP_2;
        *request.method_mut() = method(options)?;
        *request.uri_mut() = Uri::builder()
            .scheme("http")
            .authority(options.host.as_str())
            .path_and_query(options.path.as_str())
            .build()
            .map_err(|error| format!("--host and --path: {error}"))?;
        *request.headers_mut() = headers(options)?;
        Ok(Self {
            request,
            body: body(options),
            grpc: options.grpc,
            expect: options.expect.clone(),
            check: options.expect.pattern.then(BodyCheck::new),
        })
    }

    /// Sends the request and waits for an answer's head with the right status.
    pub(crate) async fn begin(
        &self,
        sender: &mut SendRequest<Bytes>,
    ) -> Result<RecvStream, Failure> {
        poll_fn(|context| sender.poll_ready(context))
            .await
            .map_err(unsent)?;
        let ends = self.body.is_empty();
        let (answer, mut stream) = sender
            .send_request(self.request.clone(), ends)
            .map_err(unsent)?;
        if !ends {
            stream.send_data(self.body.clone(), true).map_err(broken)?;
        }
        let answer = answer.await.map_err(broken)?;
        let status = answer.status();
        if status != self.expect.status {
            return Err(Failure::new(Kind::Status, format!("status {status}")));
        }
        Ok(answer.into_body())
    }

    async fn run(&self, sender: &mut SendRequest<Bytes>) -> Result<u64, Failure> {
        let mut stream = self.begin(sender).await?;
        let mut length = 0;
        while let Some(piece) = stream.data().await {
            let piece = piece.map_err(broken)?;
            if self
                .check
                .as_ref()
                .is_some_and(|c| !c.holds(length, &piece))
            {
                let place = format!("wrong bytes at or after {length}");
                return Err(Failure::new(Kind::Body, place));
            }
            length += piece.len() as u64;
            give_back(&mut stream, piece.len())?;
        }
        self.expect.verify(length, (None, 0))?;
        if self.grpc {
            let trailers = stream.trailers().await.map_err(broken)?;
            succeeded(trailers.as_ref())?;
        }
        Ok(length)
    }
}

/// One connection's life: all its streams ask, wait for the answer, and ask again. Once the other side
/// takes no more, the next connection's begins.
pub(crate) async fn connection(job: Rc<Job>, ask: Rc<Ask>) {
    loop {
        let Some((sender, driver)) = open(&job).await else {
            return;
        };
        let goes_on = Rc::new(Cell::new(job.options.fresh));
        let streams: Vec<_> = (0..job.options.streams)
            .map(|_| {
                let turns = Turns {
                    job: Rc::clone(&job),
                    ask: Rc::clone(&ask),
                    goes_on: Rc::clone(&goes_on),
                };
                spawn_local(turns.closed_loop(sender.clone()))
            })
            .collect();
        finish(sender, streams, driver).await;
        if !(goes_on.get() && job.has_more()) {
            return;
        }
    }
}

/// Connects and exchanges settings; a failure is recorded.
pub(crate) async fn open(job: &Job) -> Option<(SendRequest<Bytes>, JoinHandle<()>)> {
    let shaken = async {
        let stream = match job.dialer.dial().await? {
            Stream::Plain(tcp) => Trickle::new(tcp, Vec::new()),
            Stream::Trickled(stream) => stream,
            Stream::Tls(_) => {
                return Err(Failure::new(Kind::Tls, "HTTP/2 over TLS isn't measured"));
            }
        };
        Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .enable_push(false)
            .handshake(stream)
            .await
            .map_err(broken)
    };
    match shaken.await {
        Err(failure) => {
            job.record(now(), Err(failure));
            None
        }
        Ok((sender, connection)) => {
            job.tally.borrow_mut().opened += 1;
            // What breaks the connection is told by each of its streams.
            let driver = spawn_local(async { drop(connection.await) });
            Some((sender, driver))
        }
    }
}

/// Waits for the streams, then for the goodbye.
pub(crate) async fn finish(
    sender: SendRequest<Bytes>,
    streams: Vec<JoinHandle<()>>,
    driver: JoinHandle<()>,
) {
    for stream in streams {
        // A stream that panicked has printed why.
        let _ = stream.await;
    }
    drop(sender);
    let _ = driver.await;
}

/// What one stream after the other does on a connection.
struct Turns {
    job: Rc<Job>,
    ask: Rc<Ask>,
    /// Set where the next connection goes on with what this one didn't take.
    goes_on: Rc<Cell<bool>>,
}

impl Turns {
    async fn closed_loop(self, mut sender: SendRequest<Bytes>) {
        let job = &self.job;
        let mut watchdog = Watchdog::new(job.options.timeout);
        while let Some(begun) = job.next() {
            let result = watchdog.guard(begun, self.ask.run(&mut sender)).await;
            let result = result.unwrap_or_else(|| Err(late()));
            let over = matches!(&result, Err(failure) if failure.kind == Kind::Reset);
            if matches!(&result, Err(failure) if failure.kind == Kind::Away) {
                job.unsent();
                self.goes_on.set(true);
                return;
            }
            job.record(begun, result);
            if over || job.options.fresh {
                return;
            }
        }
    }
}

/// Lets the sender send so many bytes more.
pub(crate) fn give_back(stream: &mut RecvStream, bytes: usize) -> Result<(), Failure> {
    stream
        .flow_control()
        .release_capacity(bytes)
        .map_err(broken)
}

/// A stream that could not begin: no failure where the other side said goodbye in order.
fn unsent(error: h2::Error) -> Failure {
    let goodbye =
        error.is_go_away() && error.is_remote() && error.reason() == Some(Reason::NO_ERROR);
    Failure::new(if goodbye { Kind::Away } else { Kind::Reset }, error)
}

/// A stream or connection that broke.
pub(crate) fn broken(error: h2::Error) -> Failure {
    Failure::new(Kind::Reset, error)
}

pub(crate) fn late() -> Failure {
    Failure::new(Kind::Timeout, "no whole answer in time")
}

fn method(options: &Options) -> Result<Method, String> {
    if options.grpc {
        return Ok(Method::POST);
    }
    Method::from_bytes(options.method.as_bytes()).map_err(|error| error.to_string())
}

fn headers(options: &Options) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for header in &options.headers {
        let wrong = || format!("{header:?} should look like name: value");
        let (name, value) = header.split_once(':').ok_or_else(wrong)?;
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        let value = HeaderValue::from_str(value.trim()).map_err(|_| wrong())?;
        headers.append(name, value);
    }
    if options.grpc {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    Ok(headers)
}

fn body(options: &Options) -> Bytes {
    let mut body = BytesMut::with_capacity(GRPC_PREFIX + options.body_size);
    if options.grpc {
        body.put_u8(0);
        body.put_u32(u32::try_from(options.body_size).unwrap_or(u32::MAX));
    }
    body.put_bytes(b'x', options.body_size);
    body.freeze()
}

fn succeeded(trailers: Option<&HeaderMap>) -> Result<(), Failure> {
    match trailers.and_then(|map| map.get("grpc-status")) {
        Some(status) if status == "0" => Ok(()),
        other => Err(Failure::new(Kind::Body, format!("grpc-status {other:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Options {
        let words = line.split(' ').map(str::to_owned);
        Options::parse(words).unwrap()
    }

    #[test]
    fn a_grpc_request_has_its_fields_and_its_prefix() {
        let options = options("http2 --target 127.0.0.1:1 --grpc --body-size 3");
        let ask = Ask::new(&options).unwrap();
        assert_eq!(ask.request.method(), Method::POST);
        assert_eq!(ask.request.headers()[TE], "trailers");
        assert_eq!(ask.body.as_ref(), b"\0\0\0\0\x03xxx");
    }

    #[test]
    fn a_call_without_status_zero_has_failed() {
        let with = |status: &'static str| {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static(status));
            succeeded(Some(&trailers))
        };
        assert!(with("0").is_ok());
        assert!(with("14").is_err());
        assert!(succeeded(None).is_err());
    }
}
