//! One object a line, with the keys that Istio's JSON access log has.

use super::{Entry, escape};
use crate::telemetry::clock_text;

/// Appends the line with its end; what is absent is null.
pub fn write_json(entry: &Entry<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"start_time\":\"");
    clock_text::write(entry.start_micros, out);
    out.push(b'"');
    let mut line = Line(out);
    line.bytes("method", entry.method);
    line.bytes("path", entry.path);
    line.string("protocol", entry.protocol);
    line.number("response_code", Some(u64::from(entry.status)));
    line.string("response_flags", entry.flags);
    line.string("response_code_details", entry.code_details);
    line.number("bytes_received", Some(entry.bytes_received));
    line.number("bytes_sent", Some(entry.bytes_sent));
    line.number("duration", Some(entry.duration_us / 1_000));
    let service_time = entry.upstream_service_time_us.map(|us| us / 1_000);
    line.number("upstream_service_time", service_time);
    line.number("grpc_status", entry.grpc_status.map(u64::from));
    line.bytes("x_forwarded_for", entry.x_forwarded_for);
    line.bytes("user_agent", entry.user_agent);
    line.bytes("request_id", entry.request_id);
    line.bytes("authority", entry.authority);
    line.string("upstream_host", entry.upstream_host);
    line.string("upstream_cluster", entry.upstream_cluster);
    line.string("route_name", entry.route_name);
    line.string("downstream_remote_address", entry.downstream_remote_address);
    line.string("downstream_local_address", entry.downstream_local_address);
    line.bytes("requested_server_name", entry.requested_server_name);
    line.bytes("downstream_peer", entry.downstream_peer);
    out.extend_from_slice(b"}\n");
}

struct Line<'a>(&'a mut Vec<u8>);

impl Line<'_> {
    fn key(&mut self, key: &str) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(key.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn bytes(&mut self, key: &str, value: &[u8]) {
        self.key(key);
        if value.is_empty() {
            self.0.extend_from_slice(b"null");
        } else {
            escape::json(value, self.0);
        }
    }

    fn string(&mut self, key: &str, value: &str) {
        self.bytes(key, value.as_bytes());
    }

    fn number(&mut self, key: &str, value: Option<u64>) {
        self.key(key);
        match value {
            Some(value) => {
                let mut digits = itoa::Buffer::new();
                self.0.extend_from_slice(digits.format(value).as_bytes());
            }
            None => self.0.extend_from_slice(b"null"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::write_json;
    use crate::telemetry::Entry;

    #[test]
    fn a_json_reader_finds_every_field() {
        let entry = Entry {
            start_micros: 1_460_751_420_310_000,
            method: b"GET",
            path: b"/a\"b",
            protocol: "HTTP/1.1",
            status: 503,
            flags: "UF",
            code_details: "upstream_connect_failed",
            bytes_sent: 17,
            duration_us: 2_500,
            user_agent: b"caf\xe9",
            route_name: "r1",
            ..Entry::default()
        };
        let mut line = Vec::new();
        write_json(&entry, &mut line);
        assert_eq!(line.last(), Some(&b'\n'));
        let read: Value = serde_json::from_slice(&line).unwrap();
        let expected = json!({
            "start_time": "2016-04-15T20:17:00.310Z", "method": "GET", "path": "/a\"b",
            "protocol": "HTTP/1.1", "response_code": 503, "response_flags": "UF",
            "response_code_details": "upstream_connect_failed", "bytes_received": 0,
            "bytes_sent": 17, "duration": 2, "upstream_service_time": null, "grpc_status": null,
            "x_forwarded_for": null, "user_agent": "caf\u{fffd}", "request_id": null,
            "authority": null, "upstream_host": null, "upstream_cluster": null,
            "route_name": "r1", "downstream_remote_address": null,
            "downstream_local_address": null, "requested_server_name": null,
            "downstream_peer": null,
        });
        assert_eq!(read, expected);
    }
}
