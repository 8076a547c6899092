//! Writing an access log line: the connection's own facts are added here.

use super::connection::Downstream;
use crate::snapshot::AccessLog;
use crate::telemetry::{Entry, write_json, write_text};
use crate::wire::listener::LogFormat;

/// Writes `entry` with who called, where, and as whom. Never waits: a full buffer drops the line
/// and counts it.
pub(super) fn write(conn: &Downstream, log: &AccessLog, entry: &Entry<'_>) {
    let remote = conn.peer.map_or_else(String::new, |peer| peer.to_string());
    let local = conn
        .io
        .socket()
        .local_addr()
        .map_or_else(String::new, |at| at.to_string());
    let identity = conn
        .identity
        .as_ref()
        .map_or("", |identity| identity.name());
    let entry = Entry {
        downstream_remote_address: &remote,
        downstream_local_address: &local,
        requested_server_name: conn.sni.as_deref().unwrap_or_default().as_bytes(),
        downstream_peer: identity.as_bytes(),
        ..*entry
    };
    let mut line = conn.worker().take_scratch();
    match log.format {
        LogFormat::Text => write_text(&entry, &mut line),
        LogFormat::Json => write_json(&entry, &mut line),
    }
    log.sink.write(&line);
    conn.worker().give_scratch(line);
}
