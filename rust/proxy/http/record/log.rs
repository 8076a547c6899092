//! A request's line in the access log.

use super::{LogFields, Record};
use crate::proxy::connection::Downstream;
use crate::runtime::clock;
use crate::telemetry::Entry;

impl Record {
    pub(super) fn write_log(&self, conn: &Downstream, took: u64) {
        let Some(log) = &self.current.listener.access_log else {
            return;
        };
        let empty = LogFields::default();
        let fields = self.log.as_deref().unwrap_or(&empty);
        let forwarded_for = if self.current.listener.wire.http.trusted_hops > 0
            && !fields.forwarded_for.is_empty()
        {
            [&fields.forwarded_for[..], b", ", conn.peer_ip().as_bytes()].concat()
        } else {
            conn.peer_ip().as_bytes().to_vec()
        };
        let entry = Entry {
            start_micros: clock::wall_micros().saturating_sub(took),
            method: &fields.method,
            path: &fields.target,
            protocol: fields.version,
            status: self.status,
            flags: &self.flags(),
            code_details: self.details(),
            bytes_received: self.received,
            bytes_sent: self.sent,
            duration_us: took,
            upstream_service_time_us: self
                .answered
                .map(|answered| clock::micros_between(self.begun, answered))
                .map(|took| took.saturating_sub(self.delayed_micros())),
            grpc_status: self.grpc_status,
            x_forwarded_for: &forwarded_for,
            user_agent: &fields.user_agent,
            request_id: &fields.request_id,
            authority: &fields.authority,
            upstream_host: self.endpoint(),
            upstream_cluster: self.cluster_name(),
            route_name: self.route_name(),
            ..Entry::default()
        };
        crate::proxy::log::write(conn, log, &entry);
    }
}
