//! Accepts connections and lets hyper speak HTTP/1 on them, within bounds.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::View;
use super::endpoints;
use super::guard::Caller;
use super::params::Params;
use super::reply::Reply;

/// Scrapers, probes and a few people; beyond it, connections wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 64;

/// A head must be complete after this time, and an idle connection ends: a connection is not kept
/// from others by who doesn't speak.
const HEADER_WAIT: Duration = Duration::from_secs(10);

/// What the head of a request may take.
const HEAD_BYTES: usize = 16 * 1024;

/// Browsers send about twenty.
const HEAD_FIELDS: usize = 64;

/// A form holds a level or a name.
const BODY_BYTES: usize = 4 * 1024;

/// A form comes with its head.
const BODY_WAIT: Duration = Duration::from_secs(5);

/// The longest life of a connection; ends who doesn't read.
const CONNECTION_LIFE: Duration = Duration::from_mins(5);

/// What a response under way may still take when its connection or the server ends.
const GRACE: Duration = Duration::from_secs(1);

/// Before accepting is tried again: without file descriptors it fails at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `view` until `shutdown`, then ends its connections and returns.
pub async fn serve(listener: TcpListener, view: Arc<dyn View>, shutdown: impl Future<Output = ()>) {
    let (ending, ends) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let room = connections.len() < MAX_CONNECTIONS;
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if room => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&view), ends.clone()));
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    drop(listener);
    drop(ending);
    let ended = async { while connections.join_next().await.is_some() {} };
    // What is left after this is cut with the set.
    let _ = timeout(2 * GRACE, ended).await;
}

/// Serves one connection until it, its life or the server ends.
async fn connection(stream: TcpStream, view: Arc<dyn View>, mut ends: watch::Receiver<()>) {
    let Ok(local) = stream.local_addr() else {
        return;
    };
    let service = service_fn(move |request| {
        let view = Arc::clone(&view);
        async move { Ok::<_, Infallible>(answer(request, &*view, local.ip()).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_WAIT)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEAD_FIELDS)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = ends.changed() => {}
        () = sleep(CONNECTION_LIFE) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(GRACE, connection).await;
}

async fn answer(
    request: Request<Incoming>,
    view: &dyn View,
    local: IpAddr,
) -> Response<Full<Bytes>> {
    let caller = Caller {
        version: request.version(),
        uri: request.uri(),
        headers: request.headers(),
        local,
    };
    let reply = match caller.check() {
        Ok(()) => admitted(request, view).await,
        Err(refusal) => refusal,
    };
    reply.into_response()
}

async fn admitted(request: Request<Incoming>, view: &dyn View) -> Reply {
    let (head, body) = request.into_parts();
    let mut params = Params::default();
    let query = params.add(head.uri.query().unwrap_or_default());
    let form = head.headers.get(header::CONTENT_TYPE).is_some_and(|kind| {
        kind.as_bytes()
            .starts_with(b"application/x-www-form-urlencoded")
    });
    let mut body_params = Ok(());
    // A body of another kind isn't read: hyper then closes the connection.
    if form {
        body_params = match read(body).await {
            Ok(text) => params.add(&text),
            Err(refusal) => return refusal,
        };
    }
    match query.and(body_params) {
        Ok(()) => endpoints::dispatch(&head.method, head.uri.path(), &params, view),
        Err(why) => Reply::refusal(StatusCode::BAD_REQUEST, &why),
    }
}

/// The whole of a small body.
async fn read(body: Incoming) -> Result<String, Reply> {
    let bad = |status, why| Err(Reply::refusal(status, why));
    match timeout(BODY_WAIT, Limited::new(body, BODY_BYTES).collect()).await {
        Err(_) => bad(StatusCode::REQUEST_TIMEOUT, "the form did not come"),
        Ok(Err(_)) => bad(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the form is too large or broken",
        ),
        Ok(Ok(body)) => String::from_utf8(body.to_bytes().to_vec())
            .or_else(|_| bad(StatusCode::BAD_REQUEST, "the form is not UTF-8")),
    }
}
