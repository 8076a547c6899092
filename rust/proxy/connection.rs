//! One downstream connection: who is there, what it speaks, and whom to hand it to.

use std::cell::OnceCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use super::arrival;
use super::hooks;
use super::listener::ListenerRun;
use super::worker::{Open, Worker};
use super::{http, tcp};
use crate::abi::Phase;
use crate::net::Socket;
use crate::policy::overload::Stage;
use crate::pool::View;
use crate::protocol::detect::Detected;
use crate::runtime::clock;
use crate::runtime::timer::Timer;
use crate::snapshot::Place;
use crate::tls::identity::Identity;
use crate::tls::io::Io;
use crate::wire::listener::Protocol;

/// A downstream connection.
#[derive(Debug)]
pub struct Downstream {
    /// The worker's count of it.
    pub open: Open,
    /// Where it was accepted.
    pub listener: Rc<ListenerRun>,
    /// Its bytes.
    pub io: Io,
    /// Who calls; a PROXY header's source where one was demanded.
    pub peer: Option<SocketAddr>,
    /// See [`Self::peer_ip`].
    pub peer_ip: OnceCell<String>,
    /// What the client's certificate proved.
    pub identity: Option<Box<Identity>>,
    /// The name that the client's TLS hello asked for.
    pub sni: Option<Box<str>>,
    /// When it is to end, however much it is used.
    pub old_at: Option<Instant>,
    /// Its deadlines.
    pub timer: Timer,
    /// Counts it among the listener's open connections.
    pub place: Place,
}

impl Downstream {
    /// The worker that serves it.
    pub fn worker(&self) -> &Rc<Worker> {
        self.open.worker()
    }

    /// The IP address of `peer` as text, for `X-Forwarded-For` and as a key; made when first asked
    /// for, which most TCP connections never do.
    pub fn peer_ip(&self) -> &str {
        self.peer_ip.get_or_init(|| {
            let ip = self.peer.map(|peer| peer.ip().to_string());
            ip.unwrap_or_default()
        })
    }

    /// The view that a request beginning now keeps to its end.
    pub fn view(&self) -> Rc<View> {
        let last = self.listener.last_view().map(Rc::clone);
        last.unwrap_or_else(|| self.worker().view())
    }

    /// Whether TLS carries it.
    pub fn is_tls(&self) -> bool {
        matches!(self.io, Io::Tls(_))
    }

    /// Whether it should end after what it carries now.
    pub fn should_close(&self) -> bool {
        self.worker().draining().is_some()
            || self.listener.gone_since().is_some()
            || self.worker().overload.stage() == Stage::RefuseAll
            || self.old_at.is_some_and(|old_at| clock::now() >= old_at)
    }

    /// Whether TLS agreed on HTTP/2, or the listener takes nothing else.
    fn speaks_only_http2(&self) -> bool {
        let agreed = matches!(&self.io, Io::Tls(stream) if stream.alpn() == Some(b"h2"));
        agreed || self.listener.current().listener.wire.protocol == Protocol::Http2
    }
}

/// Serves an accepted connection in a task of its own.
pub fn spawn(
    worker: &Rc<Worker>,
    listener: &Rc<ListenerRun>,
    accepted: (Socket, Option<SocketAddr>),
    place: Place,
) {
    let (socket, peer) = accepted;
    let age = listener.current().listener.max_connection_age;
    let conn = Downstream {
        open: worker.enter(&listener.stats),
        listener: Rc::clone(listener),
        io: Io::Plain(socket),
        peer,
        peer_ip: OnceCell::new(),
        identity: None,
        sni: None,
        old_at: age.map(|age| clock::now() + age),
        timer: Timer::default(),
        place,
    };
    tokio::task::spawn_local(serve(conn));
}

async fn serve(mut conn: Downstream) {
    let current = conn.listener.current();
    let wire = &current.listener.wire;
    let mut first = None;
    if wire.proxy_protocol
        || wire.tls.is_some()
        || !matches!(wire.protocol, Protocol::Http | Protocol::Http2)
    {
        // Boxed: most connections never come here, and none stays.
        let Ok((prepared, read)) = Box::pin(arrival::prepare(conn, &current)).await else {
            return;
        };
        conn = prepared;
        first = read;
    }
    if let Some(hooks) = &current.listener.hooks
        && hooks.phases.has(Phase::Connection)
        && !Box::pin(hooks::admits(&conn)).await
    {
        return;
    }
    let http = match (wire.protocol, &first) {
        (Protocol::Http | Protocol::Http2, _) => true,
        (Protocol::Auto, Some(first)) => {
            matches!(first.kind, Detected::Http1 | Detected::Http2Preface)
        }
        _ => false,
    };
    drop(current);
    let (first, early) = first.map_or((None, None), |first| (Some(first.bytes), first.early));
    if !http {
        Box::pin(tcp::serve(&conn, first, early)).await;
        return;
    }
    // The version that TLS agreed on, or the listener wants; else the first bytes tell.
    let preface = if conn.speaks_only_http2() {
        Some(first)
    } else {
        http::http1::serve(&conn, first).await.map(Some)
    };
    if let Some(first) = preface {
        Box::pin(http::http2::serve(conn, first)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<F: Future>(_: impl Fn(Downstream) -> F) -> usize {
        size_of::<F>()
    }

    /// Ten thousand idle connections cost what their futures cost: the design's bound.
    #[test]
    fn an_idle_connection_is_small() {
        let size = size_of_future(serve);
        assert!(size <= 1024, "{size} bytes");
    }
}
