//! Answers that the proxy makes itself.

use std::time::Duration;

use super::super::connection::Downstream;
use super::super::upstream::write_all;
use super::admit::Facts;
use super::record::Record;
use crate::error::ErrorKind;
use crate::protocol::head::Version;
use crate::protocol::http1::{LocalReply, RequestMethod, write_local_reply};
use crate::runtime::clock;

/// A client that doesn't take even an error within this is gone.
const SEND_TIME: Duration = Duration::from_secs(5);

/// How an answer is framed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) close: bool,
    pub(super) head_request: bool,
    pub(super) version: Version,
}

impl Default for Shape {
    /// For a head that nothing is known of.
    fn default() -> Self {
        Self {
            close: true,
            head_request: false,
            version: Version::Http11,
        }
    }
}

impl Shape {
    /// An answer that ends the connection.
    pub(super) fn closing(facts: Facts) -> Self {
        let head_request = matches!(facts.method, RequestMethod::Head);
        Self {
            close: true,
            head_request,
            version: facts.version,
        }
    }
}

/// Sends the answer that stands for `kind`.
///
/// # Errors
/// The client is gone.
pub(super) async fn send(
    conn: &Downstream,
    kind: ErrorKind,
    shape: Shape,
    record: &Record,
) -> std::io::Result<()> {
    let mut out = conn.worker().take_scratch();
    let body = text(kind);
    let details = [
        ("x-meshcore-flags", kind.flag()),
        ("x-meshcore-route", record.route_name()),
        ("x-meshcore-cluster", record.cluster_name()),
    ];
    let explain = record.current.listener.wire.http.explain_errors;
    let told = details
        .iter()
        .filter(|(_, value)| explain && !value.is_empty());
    let told: smallvec::SmallVec<[(&str, &str); 3]> = told.copied().collect();
    let reply = LocalReply {
        status: kind.status(),
        code: kind.code(),
        extra: &told,
        body: &body,
        close: shape.close,
        head_request: shape.head_request,
        version: shape.version,
    };
    write_local_reply(&reply, &mut out);
    let deadline = Some(clock::now() + SEND_TIME);
    let written = conn.timer.until(deadline, write_all(&conn.io, &out)).await;
    conn.worker().give_scratch(out);
    match written {
        Ok(result) => result,
        Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
    }
}

fn text(kind: ErrorKind) -> String {
    let mut text = kind.code().replace('_', " ");
    text.push('\n');
    text
}

/// Resets the connection at its close: what was cut must not look complete.
pub(super) fn cut(conn: &Downstream) {
    conn.io.socket().reset_on_close();
}
