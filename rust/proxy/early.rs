//! Connecting before the client speaks: where the server speaks first, that tells the protocol.
//!
//! Mail servers and databases greet; their clients say nothing before. HTTP and TLS servers never speak
//! first, so a greeting can't be mistaken, however slow a client is.

use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::time::Duration;

use super::connection::Downstream;
use super::tcp;
use super::upstream::{self, Ask};
use crate::net::socket::Peek;
use crate::pool::{ClusterRun, InFlight, Upstream};

/// A client that has something to say does so at once. Only after this silence is a connection made
/// that may turn out to be for nothing.
const SILENCE: Duration = Duration::from_millis(20);

/// An upstream that has greeted.
#[derive(Debug)]
pub struct Early {
    /// Where it belongs.
    pub cluster: Rc<ClusterRun>,
    /// Counts it at its endpoint.
    pub flight: InFlight,
    /// Its connection; the greeting is still to be read.
    pub upstream: Upstream,
}

/// Ends when the server of the listener's TCP default has spoken; never, where there is none or it
/// can't be reached: then the client's bytes decide.
pub async fn greeted(conn: &Downstream) -> Early {
    let Some(cluster) = tcp::route(conn) else {
        return pending().await;
    };
    tokio::time::sleep(SILENCE).await;
    let ask = Ask {
        reuse: false,
        client: conn.peer,
        local: conn.io.socket().local_addr(),
    };
    let mut tried = tcp::untried(conn, &cluster);
    let made = upstream::obtain(conn.worker(), &cluster, &mut tried, ask).await;
    let Ok((flight, upstream)) = made else {
        return pending().await;
    };
    if poll_fn(|cx| upstream.io.poll_readable(cx)).await.is_err() {
        return pending().await;
    }
    if upstream.io.plain().is_some() && !matches!(upstream.io.socket().peek(), Peek::Bytes) {
        // It has ended without a word; nobody is there to greet.
        return pending().await;
    }
    Early {
        cluster,
        flight,
        upstream,
    }
}
